"""Running what is on the canvas, and watching it there: pushed by the hub, read from the rows."""

import asyncio
import time
from typing import Any

import reflex as rx

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import BadRequest, Conflict, NotFound, OrchestratorError, OutdatedVersion
from orchestrator_app.security.json_input import read_json
from orchestrator_app.services.views import RunLive, RunSummary
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.canvas.shapes import status_shapes
from orchestrator_app.ui.components.node_intervention_state import NodeInterventions
from orchestrator_app.ui.components.node_run_state import NodeRunTexts, pretty
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.session import application, show_error, workspace_of

# Ten updates a second are more than an eye can follow, and keep a tab's traffic small.
PAUSE_SECONDS = 0.1
# A lost notification is healed by looking anyway; it also keeps the tab's state from expiring.
LOOK_AGAIN_SECONDS = 5.0
# A run that ended longer ago is not shown when the editor opens: it would look like something new.
RECENT_MS = 15 * 60_000


class LiveState(NodeRunTexts, NodeInterventions, EditorState):
    """The run that is shown on the canvas, and the dialog that starts one."""

    run_id: str = ""
    run_state: str = ""
    run_trigger: str = ""
    run_version: int = 0
    run_started: int = 0
    run_ended: int = 0
    run_failure: str = ""
    run_hint: str = ""
    statuses: dict[str, dict[str, Any]] = {}
    edge_states: dict[str, str] = {}

    is_asking: bool = False
    run_input: str = "{}"
    input_problem: str = ""
    is_starting: bool = False

    tab: str = "settings"

    _seq: int = -1
    _dismissed: str = ""
    _watcher: int = 0
    _input_of: str = ""

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Follow this orchestrator until the tab leaves the page."""
        async with self:
            orchestrator_id, workspace_id = self._address(), workspace_of(self)
            watcher = self._watcher = time.monotonic_ns()
            self._forget_run()
            if orchestrator_id != self._input_of:
                # What was entered for another orchestrator would only puzzle here.
                self._input_of, self.run_input, self.is_asking = orchestrator_id, "{}", False
        async with application().hub.subscribe(workspace_id, orchestrator_id=orchestrator_id) as changes:
            kinds = {"run", "orchestrator"}
            while True:
                live = await self._newest(workspace_id, orchestrator_id) if "run" in kinds else None
                version = await self._version(workspace_id, orchestrator_id) if "orchestrator" in kinds else 0
                async with self:
                    if self._watcher != watcher:
                        return
                    self._show_version(version)
                    self._show_live(live)
                    must_load = version > 0 and not self.is_loaded
                    needs_detail = bool(self.selected_id and self.run_id and live)
                    run_id = self.run_id
                if must_load:
                    # The page could not be filled when it was opened; now it can.
                    yield EditorState.load
                if needs_detail:
                    await self._refresh_detail(workspace_id, run_id)
                await asyncio.sleep(PAUSE_SECONDS)
                news = await changes.take(LOOK_AGAIN_SECONDS)
                kinds = {change.kind for change in news} or {"run", "orchestrator"}

    async def _newest(self, workspace_id: str, orchestrator_id: str) -> RunLive | None:
        try:
            newest = await application().runs.latest(workspace_id, orchestrator_id)
            if newest is None:
                return None
            return await application().runs.live(workspace_id, newest.id)
        except OrchestratorError:
            # Shown by the pages that ask for it; the watcher tries again at the next change.
            return None

    async def _version(self, workspace_id: str, orchestrator_id: str) -> int:
        try:
            return (await application().orchestrators.get(workspace_id, orchestrator_id)).version
        except NotFound:
            return -1
        except OrchestratorError:
            return 0

    def _show_version(self, version: int) -> None:
        if version < 0:
            self.is_deleted = True
        elif version > self.version and version != self.newer_version and not self.is_saving:
            self.newer_version = version

    def _show_live(self, live: RunLive | None) -> None:
        if live is None or live.summary.id == self._dismissed:
            return
        summary = live.summary
        is_new = summary.id != self.run_id
        if is_new and RunState(summary.state).is_end and not self._is_recent(summary):
            return
        if not is_new and summary.seq == self._seq:
            return
        self._seq = summary.seq
        self._show_summary(summary)
        self.statuses = {node_id: dict(shape) for node_id, shape in status_shapes(live.statuses).items()}
        self.edge_states = live.edges

    def _is_recent(self, summary: RunSummary) -> bool:
        return (summary.ended_date or 0) > time.time() * 1000 - RECENT_MS

    def _show_summary(self, summary: RunSummary) -> None:
        failure = summary.failure or {}
        self.run_id, self.run_state, self.run_trigger = summary.id, summary.state, summary.trigger
        self.run_version = summary.version
        self.run_started = summary.started_date or summary.created_date
        self.run_ended = summary.ended_date or 0
        self.run_failure, self.run_hint = str(failure.get("message", "")), str(failure.get("hint", ""))

    def _forget_run(self) -> None:
        self.run_id, self.run_state, self._seq = "", "", -1
        self.run_failure = self.run_hint = ""
        self.statuses, self.edge_states = {}, {}
        self.tab = "settings"
        self._forget_node_run()

    @rx.event
    @reads
    def dismiss_run(self):
        """Take the run's states off the canvas."""
        self._dismissed = self.run_id
        self._forget_run()

    # --- starting ---

    @rx.event
    @reads
    async def ask_for_input(self):
        """Open the dialog with the input of the last run."""
        if self.blocking:
            return
        if self.run_input in {"", "{}"}:
            last = await application().runs.last_input(workspace_of(self), self._document.orchestrator_id)
            self.run_input = pretty(last)
        self.input_problem, self.is_asking = "", True

    @rx.event
    @reads
    def show_dialog(self, is_open: bool):
        """Open or close the dialog."""
        self.is_asking = is_open

    @rx.event
    @reads
    def change_input(self, text: str):
        """Take over what stands in the editor, and say at once when it is not JSON."""
        self.run_input = text
        _, self.input_problem = self._read_input()

    def _read_input(self) -> tuple[JsonValue, str]:
        """The JSON of the dialog, and a sentence when it is none. Nothing entered means an empty object."""
        text = self.run_input if self.run_input.strip() else "{}"
        try:
            return read_json(text.encode(), max_bytes=application().settings.max_body_bytes), ""
        except BadRequest as error:
            return None, f"{error.message} {error.hint}".strip()

    @rx.event
    @writes
    async def start_run(self):
        """Save what is not saved, then run it."""
        data, problem = self._read_input()
        if problem:
            self.input_problem = problem
            return
        self.is_starting = True
        yield
        try:
            if self._document.has_changes:
                document = self._document
                definition = document.definition
                detail = await application().orchestrators.save(
                    workspace_of(self),
                    document.orchestrator_id,
                    expected_version=self.version,
                    definition=definition.as_json(),
                )
                document.saved(detail.version, definition)
                self.version = detail.version
            summary, _ = await application().runs.start(
                workspace_of(self), self._document.orchestrator_id, data, trigger="ui"
            )
            self._dismissed = ""
            self._forget_run()
            self._show_summary(summary)
            self.is_asking = False
        except OutdatedVersion as error:
            self.newer_version, self.is_outdated, self.is_asking = (
                int(error.context.get("version", 0)),
                True,
                False,
            )
        except OrchestratorError as error:
            yield show_error(error)
        finally:
            self.is_starting = False
            self._refresh()

    @rx.event
    @writes
    async def cancel_run(self):
        """End the run that is shown."""
        if not self.run_id:
            return
        try:
            await application().runs.cancel(workspace_of(self), self.run_id)
        except Conflict as error:
            yield rx.toast.info(error.message)

    # --- one node of the run ---

    @rx.event
    @reads
    async def show_tab(self, tab: str):
        """Switch the drawer between settings and what happened in the run."""
        self.tab = tab if tab in {"settings", "run"} else "settings"
        await self._load_node()

    @rx.event
    @reads
    async def select_in_run(self, node_id: str):
        """Open a node: its settings, or what happened to it."""
        if node_id != self.selected_id:
            self._select(node_id)
            self._forget_what_was_given()
        await self._load_node()

    def _shown_node(self) -> tuple[str, str]:
        return self.run_id, self.selected_id

    async def _load_node(self) -> None:
        if self.selected_id and self.run_id:
            self._show_node_run(
                await application().runs.get(workspace_of(self), self.run_id), self.selected_id
            )

    async def _refresh_detail(self, workspace_id: str, run_id: str) -> None:
        try:
            detail = await application().runs.get(workspace_id, run_id)
        except OrchestratorError:
            return
        async with self:
            if self.run_id == run_id:
                self._show_node_run(detail, self.selected_id)
