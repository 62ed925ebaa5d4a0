"""What a person can do about a node of a run: decide an unknown outcome, and end a wait for a callback."""

from typing import Any

import reflex as rx

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, OrchestratorError
from orchestrator_app.security.json_input import read_json
from orchestrator_app.services.interventions import Decision
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.feedback import warning_callout
from orchestrator_app.ui.components.panels import form_field
from orchestrator_app.ui.session import application, show_error, workspace_of


class NodeInterventions(rx.State, mixin=True):
    """The vars and events behind ``decision_form`` and ``resume_form``, for the state of a page that shows them."""

    given_text: str = ""
    given_problem: str = ""

    def _shown_node(self) -> tuple[str, str]:
        """The ids of the run and of its node that the page shows."""
        raise NotImplementedError

    def _forget_what_was_given(self) -> None:
        """Another node is shown: nothing was given for that one."""
        self.given_text = self.given_problem = ""

    @rx.event
    @reads
    def change_given(self, text: str):
        """Take over what stands in the editor, and say at once when it is not JSON."""
        self.given_text = text
        _, self.given_problem = self._read_given()

    def _read_given(self) -> tuple[JsonValue, str]:
        """The JSON that was entered, and a sentence when it is none. Nothing entered means null."""
        if not self.given_text.strip():
            return None, ""
        try:
            most = application().settings.max_body_bytes
            return read_json(self.given_text.encode(), max_bytes=most), ""
        except BadRequest as error:
            return None, f"{error.message} {error.hint}".strip()

    @rx.event
    @writes
    async def decide(self, decision: Decision):
        """Say what became of the call of the node that is shown."""
        output, self.given_problem = self._read_given() if decision == "done" else (None, "")
        if self.given_problem:
            return
        run_id, node_id = self._shown_node()
        try:
            await application().interventions.decide(
                workspace_of(self), run_id, node_id, decision, output=output, trigger="ui"
            )
        except OrchestratorError as error:
            yield show_error(error)
            return
        self._forget_what_was_given()

    @rx.event
    @writes
    async def resume(self):
        """End the wait of the node that is shown."""
        body, self.given_problem = self._read_given()
        if self.given_problem:
            return
        run_id, node_id = self._shown_node()
        try:
            await application().callbacks.resume(workspace_of(self), run_id, node_id, body, trigger="ui")
        except OrchestratorError as error:
            yield show_error(error)
        else:
            self._forget_what_was_given()


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
