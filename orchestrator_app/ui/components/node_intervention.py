"""What a person can do about a node of a run: decide an unknown outcome, and end a wait for a callback."""

from typing import Any

import reflex as rx

from orchestrator_app.services.interventions import Decision
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.feedback import warning_callout
from orchestrator_app.ui.components.panels import form_field


def _given(state: Any, label: str, help_text: str) -> rx.Component:
    return form_field(
        label,
        code_editor(
            value=state.given_text,
            language="json",
            label=label,
            placeholder="null",
            min_height="64px",
            invalid=state.given_problem != "",
            on_change=state.change_given,
        ),
        help=help_text,
        error=state.given_problem,
    )


def decision_form(state: Any) -> rx.Component:
    """Asks what became of a call whose outcome is not known; nothing while there is nothing to decide."""

    def button(text: str, decision: Decision, **look: Any) -> rx.Component:
        return rx.button(text, type="button", size="1", on_click=state.decide(decision), **look)

    return rx.cond(
        state.node_needs_decision,
        rx.el.div(
            warning_callout(
                "Did this call happen?",
                "It left, and no answer came. Look on the other side, then say what became of it: it is not made "
                "again by itself.",
            ),
            _given(state, "Output of the call", "JSON that the next nodes get, if the call has happened."),
            rx.el.div(
                button("It happened: go on", "done"),
                button("It did not: call again", "retry", variant="surface"),
                button("Leave it failed", "fail", variant="surface", color_scheme="red"),
                class_name="o-dialog-actions",
            ),
            class_name="o-form-section",
            role="group",
            aria_label="Decide what became of the call",
        ),
    )


def resume_form(state: Any) -> rx.Component:
    """Ends a wait for a callback; nothing while none is awaited."""
    return rx.cond(
        state.node_callback_url != "",
        rx.el.details(
            rx.el.summary("Go on without the callback"),
            _given(state, "Body", "JSON that stands for what the callback would have said."),
            rx.el.div(
                rx.button("Go on with this body", type="button", size="1", on_click=state.resume),
                class_name="o-dialog-actions",
            ),
            class_name="o-attempt",
        ),
    )
