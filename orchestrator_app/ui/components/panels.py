"""Areas of a page: a titled panel, facts in two columns, a docked panel beside the canvas, a field of a form."""

from collections.abc import Sequence
from typing import Any

import reflex as rx

from orchestrator_app.ui.theme import ICON


def toolbar(*children: rx.Component) -> rx.Component:
    """The line above a list: search, filters, and pushed to the right whatever stands after ``rx.spacer()``."""
    return rx.el.div(*children, class_name="o-toolbar")


def panel(
    title: str | rx.Var[str], *children: rx.Component, actions: rx.Component | None = None
) -> rx.Component:
    """A framed part of a page under an ``h2``."""
    return rx.el.section(
        rx.el.div(rx.el.h2(title), actions or rx.fragment(), class_name="o-panel-head"),
        rx.el.div(*children, class_name="o-panel-body"),
        class_name="o-panel",
    )


def facts(pairs: Sequence[tuple[str, rx.Component | rx.Var[Any] | str]]) -> rx.Component:
    """Names and values in two aligned columns."""
    return rx.el.dl(
        *[rx.el.div(rx.el.dt(name), rx.el.dd(value)) for name, value in pairs],
        class_name="o-facts",
    )


def docked_panel(
    title: str | rx.Var[str] | rx.Component,
    *children: rx.Component,
    on_close: Any,
    label: str,
    subtitle: str | rx.Var[str] | rx.Component = "",
    footer: rx.Component | None = None,
    wide: bool = False,
) -> rx.Component:
    """A panel at the right that leaves the canvas usable; on small screens a sheet over its lower part.

    Not a dialog: it traps no focus and hides nothing from screen readers. Show it under ``rx.cond`` as the last child
    of ``canvas_area``.
    """
    return rx.el.aside(
        rx.el.div(
            rx.el.div(
                rx.el.h2(title) if not isinstance(title, rx.Component) else title,
                rx.el.div(subtitle, class_name="o-docked-subtitle"),
                class_name="o-docked-titles",
            ),
            rx.icon_button(
                rx.icon("x", size=ICON),
                variant="ghost",
                color_scheme="gray",
                type="button",
                aria_label="Close panel",
                on_click=on_close,
            ),
            class_name="o-docked-head",
        ),
        rx.el.div(*children, class_name="o-docked-body", tab_index=0, role="group", aria_label=label),
        rx.el.div(footer, class_name="o-docked-foot") if footer else rx.fragment(),
        class_name="o-docked o-docked-wide" if wide else "o-docked",
        aria_label=label,
    )


def canvas_area(canvas: rx.Component, *beside: rx.Component) -> rx.Component:
    """The canvas with what stands beside it, filling ``page_template(flush=True)``."""
    return rx.el.div(rx.el.div(canvas, class_name="o-canvas-slot"), *beside, class_name="o-canvas-area")


def form_field(
    label: str | rx.Var[str],
    control: rx.Component,
    *,
    control_id: str | rx.Var[str] = "",
    help: str | rx.Var[str] = "",  # noqa: A002 - the word the catalog of node kinds uses
    error: str | rx.Var[str] = "",
    required: bool = False,
) -> rx.Component:
    """A label, its control, a sentence of help and one of complaint.

    Args:
        label: Name of the field.
        control: The input. It carries ``id=control_id``; a code editor takes its own ``label`` instead.
        control_id: Id of the control, unique in the page.
        help: What the field means.
        error: What is wrong with its value; empty if nothing.
        required: Whether to mark the field.
    """
    name = [label, rx.el.span(" required", class_name="o-required")] if required else [label]
    has_error = error if isinstance(error, rx.Var) else rx.Var.create(error)
    return rx.el.div(
        rx.el.label(*name, html_for=control_id)
        if isinstance(control_id, rx.Var) or control_id
        else rx.el.div(*name, class_name="o-label"),
        control,
        rx.cond(
            has_error.to(str) != "", rx.el.p(error, class_name="o-field-error", role="alert"), rx.fragment()
        ),
        rx.cond(rx.Var.create(help).to(str) != "", rx.el.p(help, class_name="o-field-help"), rx.fragment()),
        class_name="o-field",
        data_invalid=has_error.to(str) != "",
    )
