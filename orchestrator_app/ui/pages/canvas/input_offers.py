"""What the workflow of the open node asks for: beside the rows that are there, and as buttons for those that are not."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.theme import ICON_SMALL

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = RemoteState

_FILE = "file"


def about_input(name: Any) -> rx.Component:
    """What the workflow says about an input of that name; nothing when it does not ask for it."""
    row = State.asked_by_name[name]
    return rx.cond(
        (State.about == State.selected_id) & State.asked_by_name.contains(name),
        rx.el.p(
            rx.el.span(row.label, class_name="o-asked-label"),
            ", " + row.type,
            rx.cond(row.required, rx.el.span(", required", class_name="o-asked-required")),
            rx.cond(row.help != "", ". " + row.help, ""),
            class_name="o-asked",
        ),
    )


def input_offers() -> rx.Component:
    """What the workflow asks for and has no row yet."""
    names = State.inputs.pluck("name")

    def offer(row: Any) -> rx.Component:
        return rx.cond(
            ~names.contains(row.path) & (row.type != _FILE),
            rx.button(
                rx.icon("plus", size=ICON_SMALL, aria_hidden="true"),
                row.label,
                rx.el.span(row.type, rx.cond(row.required, ", required", ""), class_name="o-offer-type"),
                type="button",
                size="1",
                variant="surface",
                color_scheme=rx.cond(row.required, "amber", "gray"),
                title=rx.cond(row.help != "", row.help, "Goes to " + row.path),
                on_click=State.add_input(row.path),
                custom_attrs={"data-testid": "offer-" + row.path},
            ),
        )

    def refusal(row: Any) -> rx.Component:
        return rx.cond(
            row.type == _FILE,
            rx.el.p(
                "“" + row.label + "” takes a file, which cannot be sent from here.", class_name="o-asked"
            ),
        )

    is_missing = State.asked.length() > 0
    return rx.cond(
        (State.about == State.selected_id) & is_missing,
        rx.el.div(
            rx.el.p("The workflow asks for:", class_name="o-field-help o-offers-title"),
            rx.foreach(State.asked, offer),
            rx.foreach(State.asked, refusal),
            class_name="o-offers",
        ),
    )
