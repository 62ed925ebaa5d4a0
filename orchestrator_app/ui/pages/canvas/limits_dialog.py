"""The dialog with the settings of the orchestrator itself."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.inputs import choice
from orchestrator_app.ui.components.panels import form_field
from orchestrator_app.ui.components.signing_secret import signing_secret
from orchestrator_app.ui.pages.canvas.limits_state import UNITS, LimitsState

API = "/api/v1/orchestrator"
CHANGE_PAUSE_MS = 200

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = LimitsState


def _whole_number(name: str, value: Any, change: Any, *, placeholder: str) -> rx.Component:
    """A number that is taken over while it is entered, and shown anew whenever the dialog opens."""
    return rx.input(
        id=name,
        key=State.limits_opened,
        default_value=value,
        placeholder=placeholder,
        input_mode="numeric",
        on_change=lambda text: change(text).debounce(CHANGE_PAUSE_MS),
        on_blur=change,
        class_name="o-number-input",
        width="100%",
    )


def _limits() -> rx.Component:
    return rx.fragment(
        form_field(
            "Runs at once",
            _whole_number("concurrency", State.concurrency, State.change_concurrency, placeholder="No limit"),
            control_id="concurrency",
            help="A run is under way until it ends, also while it waits. Others wait as pending and begin in order.",
            error=State.limit_problems["concurrency"],
        ),
        form_field(
            "Deadline of a run",
            rx.el.div(
                _whole_number(
                    "deadline", State.deadline, State.change_deadline, placeholder="As the server says"
                ),
                choice(
                    [(unit, unit) for unit in UNITS],
                    value=State.deadline_unit,
                    on_change=State.choose_unit,
                    aria_label="Unit of the deadline",
                ),
                class_name="o-joined",
            ),
            control_id="deadline",
            help="Counted from when it begins. A run past it fails, its calls are cut and the platforms are told to stop.",
            error=State.limit_problems["deadline"],
        ),
    )


def _signing() -> rx.Component:
    return rx.el.section(
        rx.el.h3("Signed callbacks", class_name="o-section-title"),
        rx.el.p(
            rx.cond(
                State.signs_callbacks,
                "Callbacks must be signed as Standard Webhooks describes it, besides their token.",
                "Callbacks need their token only. With a signing secret they must be signed too, as Standard Webhooks "
                "describes it.",
            ),
            class_name="o-field-help",
        ),
        signing_secret(
            key=State.orchestrator_id + State.limits_opened.to_string(),
            url=API + "/" + State.orchestrator_id + "/signing-secret",
            is_set=State.signs_callbacks,
            on_changed=State.read_signing,
        ),
        class_name="o-form-section",
    )


def limits_dialog() -> rx.Component:
    """The dialog."""
    return dialog(
        "Settings of this orchestrator",
        rx.el.div(_limits(), _signing(), class_name="o-form"),
        description="They count for all its versions, from now on.",
        # What was entered for one orchestrator must not be kept for another that is opened in the same tab.
        open=(State.limits_of != "") & (State.limits_of == State.orchestrator_id),
        on_open_change=State.show_limits,
        actions=rx.fragment(
            rx.button("Close", variant="surface", color_scheme="gray", on_click=State.show_limits(False)),
            rx.button("Save", on_click=State.save_limits, id="save-limits"),
        ),
    )
