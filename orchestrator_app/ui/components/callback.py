"""The callback of a node: how to call back, since when and until when it is awaited, and what arrived."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.copy_button import copy_button
from orchestrator_app.ui.components.feedback import info_callout
from orchestrator_app.ui.components.json_view import json_view
from orchestrator_app.ui.components.times import exact_time


def _awaited(callback: Any, url: Any) -> rx.Component:
    signature: Any = rx.cond(
        callback["must_be_signed"].to(bool), " It must be signed with the secret of this orchestrator.", ""
    )
    return rx.el.div(
        info_callout(
            "Waiting for a callback",
            "Whoever sends a POST with this token lets the run go on, once." + signature,
        ),
        rx.el.p(
            "Since ",
            exact_time(ms=callback["since"].to(int)),
            rx.cond(
                callback["until"].to(int) > 0,
                rx.fragment(", at the latest until ", exact_time(ms=callback["until"].to(int))),
                ", without an end",
            ),
            class_name="o-field-help",
        ),
        rx.el.div(
            rx.el.code(callback["address"].to(str), custom_attrs={"data-testid": "callback-url"}),
            copy_button(text=callback["address"].to(str), label="Copy the address without the token"),
            class_name="o-copy-line",
        ),
        rx.el.details(
            rx.el.summary("Show the token"),
            rx.el.div(
                rx.el.code(callback["token"].to(str), custom_attrs={"data-testid": "callback-token"}),
                copy_button(text=callback["token"].to(str), label="Copy the token"),
                class_name="o-copy-line",
            ),
            class_name="o-attempt",
        ),
        rx.el.div(
            copy_button(text=callback["curl"].to(str), label="Copy as curl", show_label=True),
            copy_button(text=url, label="Copy the address with the token", show_label=True),
            class_name="o-joined",
        ),
        class_name="o-form-section",
    )


def callback_part(state: Any) -> rx.Component:
    """What the Run tab and the page of a run show of the open node's callback."""
    callback = state.node_callback
    return rx.fragment(
        rx.cond(state.node_callback_url != "", _awaited(callback, state.node_callback_url)),
        rx.cond(
            callback["arrived"].to(int) > 0,
            rx.el.div(
                rx.el.h3("Callback", class_name="o-section-title"),
                rx.el.p("It arrived ", exact_time(ms=callback["arrived"].to(int)), class_name="o-field-help"),
                json_view(text=state.node_callback_body, label="What arrived", max_height="240px"),
                class_name="o-form-section",
            ),
        ),
    )
