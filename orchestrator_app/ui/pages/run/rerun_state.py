"""The dialog that runs again: with the same input or an edited one, on the same version or the newest."""

import reflex as rx

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, OrchestratorError
from orchestrator_app.security.json_input import read_json
from orchestrator_app.services.run_starts import WhichDefinition
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.pages.run.state import RunPageState
from orchestrator_app.ui.routes import run_path
from orchestrator_app.ui.session import application, show_error, workspace_of


class RerunState(RunPageState):
    """What stands in the dialog."""

    is_asking: bool = False
    rerun_input: str = ""
    rerun_problem: str = ""
    rerun_definition: str = "newest"

    @rx.event
    @reads
    def ask_how_to_rerun(self):
        """Open the dialog with the input of this run."""
        self.rerun_input, self.rerun_problem, self.is_asking = self.input_text, "", True

    @rx.event
    @reads
    def show_rerun_dialog(self, is_open: bool):
        """Open or close the dialog."""
        self.is_asking = is_open

    @rx.event
    @reads
    def change_rerun_input(self, text: str):
        """Take over what stands in the editor, and say at once when it is not JSON."""
        self.rerun_input = text
        _, self.rerun_problem = self._read_rerun_input()

    @rx.event
    @reads
    def choose_definition(self, definition: str):
        """Choose the version that runs."""
        self.rerun_definition = "same" if definition == "same" else "newest"

    def _read_rerun_input(self) -> tuple[JsonValue, str]:
        """The JSON of the dialog, and a sentence when it cannot be used."""
        try:
            data = read_json(self.rerun_input.encode(), max_bytes=application().settings.max_body_bytes)
        except BadRequest as error:
            return None, f"{error.message} {error.hint}".strip()
        if data is None and self.input_text != "null":
            return None, "Something else than null is needed: null stands for the input of before."
        return data, ""

    @rx.event
    @writes
    async def rerun(self):
        """Start a new run with the input of the dialog."""
        data, self.rerun_problem = self._read_rerun_input()
        if self.rerun_problem:
            return
        chosen: WhichDefinition = "same" if self.rerun_definition == "same" else "newest"
        try:
            summary = await application().runs.rerun(
                workspace_of(self), self.id, data=data, trigger="ui", definition=chosen
            )
        except OrchestratorError as error:
            yield show_error(error)
        else:
            self.is_asking = False
            yield rx.redirect(run_path(summary.id))
