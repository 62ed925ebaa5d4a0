"""Dialogs in front of the page."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.theme import ICON

# A handler, an event, or a list of them: whatever Reflex takes for an event property.
Event = Any


def confirm_dialog(
    *,
    title: str | rx.Var[str],
    description: str | rx.Var[str],
    confirm_label: str | rx.Var[str] = "Delete",
    decline_label: str | rx.Var[str] = "Cancel",
    on_confirm: Event,
    content: rx.Component | None = None,
    trigger: rx.Component | None = None,
    open: bool | rx.Var[bool] | None = None,  # noqa: A002 - the name Radix gives it
    on_open_change: Event = None,
    is_dangerous: bool | rx.Var[bool] = True,
) -> rx.Component:
    """Ask before something that cannot be undone. Give a ``trigger``, or ``open`` and ``on_open_change``.

    ``content`` stands below the description, for instance what else is concerned.
    """
    control: dict[str, Any] = {} if open is None else {"open": open}
    if on_open_change is not None:
        control["on_open_change"] = on_open_change
    return rx.alert_dialog.root(
        rx.alert_dialog.trigger(trigger) if trigger else rx.fragment(),
        rx.alert_dialog.content(
            rx.alert_dialog.title(title, size="4", margin_bottom="8px"),
            rx.alert_dialog.description(description, size="3", color="var(--gray-11)"),
            content or rx.fragment(),
            rx.el.div(
                rx.alert_dialog.cancel(rx.button(decline_label, variant="surface", color_scheme="gray")),
                rx.alert_dialog.action(
                    rx.button(
                        confirm_label,
                        color_scheme=rx.cond(is_dangerous, "red", "indigo"),
                        on_click=on_confirm,
                    )
                ),
                class_name="o-dialog-actions",
            ),
            max_width="440px",
            class_name="o-dialog",
        ),
        **control,
    )


def dialog(
    title: str | rx.Var[str],
    *content: rx.Component,
    open: bool | rx.Var[bool],  # noqa: A002 - the name Radix gives it
    on_open_change: Event,
    description: str | rx.Var[str] = "",
    actions: rx.Component | None = None,
    max_width: str = "640px",
) -> rx.Component:
    """A dialog with a title, a close button and, at the foot, actions. Escape and a click outside close it."""
    has_description = isinstance(description, rx.Var) or bool(description)
    return rx.dialog.root(
        rx.dialog.content(
            rx.el.div(
                rx.dialog.title(title, size="4", margin="0"),
                rx.dialog.close(
                    rx.icon_button(
                        rx.icon("x", size=ICON),
                        variant="ghost",
                        color_scheme="gray",
                        type="button",
                        aria_label="Close",
                    )
                ),
                class_name="o-dialog-head",
            ),
            rx.dialog.description(description, size="3", color="var(--gray-11)")
            if has_description
            else rx.fragment(),
            rx.el.div(*content, class_name="o-dialog-body"),
            rx.el.div(actions, class_name="o-dialog-actions") if actions else rx.fragment(),
            max_width=max_width,
            class_name="o-dialog",
            # Without a description Radix warns, unless it is told that there is none.
            custom_attrs={} if has_description else {"aria-describedby": rx.Var("undefined")},
        ),
        open=open,
        on_open_change=on_open_change,
    )
