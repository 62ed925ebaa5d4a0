"""What stands in place of content: nothing there yet, still loading, gone wrong."""

from typing import Literal

import reflex as rx

from orchestrator_app.ui.theme import ICON, ICON_LARGE


def empty_state(icon: str, title: str, text: str, action: rx.Component | None = None) -> rx.Component:
    """Say that there is nothing, why, and what to do next."""
    return rx.el.div(
        rx.el.span(
            rx.icon(icon, size=ICON_LARGE, stroke_width=1.6), class_name="o-empty-icon", aria_hidden="true"
        ),
        rx.el.h2(title),
        rx.el.p(text),
        rx.el.div(action, class_name="o-empty-action") if action else rx.fragment(),
        class_name="o-empty",
    )


def skeleton_rows(count: int = 6, *, height: str = "52px", label: str = "Loading") -> rx.Component:
    """Rows of the height that the real ones will have, so that nothing jumps."""
    return rx.el.div(
        *[
            rx.el.div(
                rx.el.span(style={"width": f"{34 - index * 3}%"}),
                rx.el.span(style={"width": "14%"}),
                style={"height": height},
            )
            for index in range(count)
        ],
        class_name="o-skeleton",
        role="status",
        aria_label=label,
    )


def skeleton_block(height: str, *, label: str = "Loading") -> rx.Component:
    """A grey area of a given height."""
    return rx.el.div(class_name="o-skeleton-block", style={"height": height}, role="status", aria_label=label)


def _callout(
    kind: str,
    icon: str,
    title: str | rx.Var[str],
    *lines: rx.Component,
    role: Literal["alert", "note", "status"],
) -> rx.Component:
    return rx.el.div(
        rx.icon(icon, size=ICON, aria_hidden="true"),
        rx.el.div(rx.el.strong(title), *lines, class_name="o-callout-text"),
        class_name="o-callout",
        data_color=kind,
        role=role,
    )


def _line(text: str | rx.Var[str], class_name: str = "") -> rx.Component:
    return rx.cond(text != "", rx.el.p(text, class_name=class_name), rx.fragment())


def error_callout(
    title: str | rx.Var[str],
    message: str | rx.Var[str] = "",
    hint: str | rx.Var[str] = "",
    action: rx.Component | None = None,
) -> rx.Component:
    """Say what went wrong and what to do. Empty ``message`` and ``hint`` take no room."""
    return _callout(
        "red",
        "circle-alert",
        title,
        _line(message),
        _line(hint, "o-hint"),
        rx.el.div(action, class_name="o-callout-action") if action else rx.fragment(),
        role="alert",
    )


def warning_callout(
    title: str | rx.Var[str], message: str | rx.Var[str] = "", action: rx.Component | None = None
) -> rx.Component:
    """Draw attention to something that is not an error, for instance an outdated copy."""
    return _callout(
        "amber",
        "triangle-alert",
        title,
        _line(message),
        rx.el.div(action, class_name="o-callout-action") if action else rx.fragment(),
        role="status",
    )


def info_callout(title: str | rx.Var[str], message: str | rx.Var[str] = "") -> rx.Component:
    """Explain something."""
    return _callout("indigo", "info", title, _line(message), role="note")
