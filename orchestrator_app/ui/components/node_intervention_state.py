"""How the state of a page does what a person decides about a node of a run."""

import reflex as rx

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, OrchestratorError
from orchestrator_app.security.json_input import read_json
from orchestrator_app.services.interventions import Decision
from orchestrator_app.ui.access import reads, writes
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
