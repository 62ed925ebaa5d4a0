"""What the page of one run shows, live."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import reflex as rx

from orchestrator_app.domain.definition import from_stored
from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import Conflict, NotFound, OrchestratorError
from orchestrator_app.services.run_starts import WhichDefinition
from orchestrator_app.services.views import NodeRunView, NodeStatus, RunDetail
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.canvas.shapes import graph_shape, status_shapes
from orchestrator_app.ui.components.node_intervention_state import NodeInterventions
from orchestrator_app.ui.components.node_run_state import NodeRunTexts, pretty
from orchestrator_app.ui.routes import run_path
from orchestrator_app.ui.session import application, show, show_error, workspace_of

LOOK_AGAIN_SECONDS = 5.0
# Only a person lets a run go on that has ended, and that is told.
LOOK_AT_ENDED_SECONDS = 60.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class NodeRow:
    """A node in the list of steps."""

    id: str
    label: str
    kind: str
    state: str
    started_date: int
    duration_ms: int
    is_open: bool
    attempt: int
    note: str


class RunPageState(NodeRunTexts, NodeInterventions, rx.State):
    """One run in one tab."""

    is_loaded: bool = False
    is_missing: bool = False
    id: str = ""
    orchestrator_name: str = ""
    orchestrator_id: str = ""
    version: int = 0
    state: str = ""
    trigger: str = ""
    created_date: int = 0
    started_date: int = 0
    ended_date: int = 0
    failure: dict[str, str] = dict.fromkeys(("code", "message", "hint"), "")
    parent_id: str = ""
    input_text: str = ""
    output_text: str = ""
    nodes: list[NodeRow] = []
    logs: list[dict[str, Any]] = []
    graph: dict[str, Any] = {}
    statuses: dict[str, dict[str, Any]] = {}
    edge_states: dict[str, str] = {}

    selected_id: str = ""
    selected_label: str = ""

    _watcher: int = 0

    def _address(self) -> str:
        return str(self.router.url.path).rstrip("/").rpartition("/")[2]

    @rx.event
    @reads
    async def load(self):
        """Open the run named in the address."""
        run_id = self._address()
        if run_id != self.id:
            # The watcher has begun already: what goes on in the background does not wait for its turn.
            watcher = self._watcher
            self.reset()
            self._watcher = watcher
        try:
            detail = await application().runs.get(workspace_of(self), run_id)
        except NotFound:
            self.is_missing = True
        else:
            self.is_missing = False
            self._show(detail)
        self.is_loaded = True

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Follow the run until the tab leaves: one that has ended may go on again."""
        async with self:
            watcher, workspace_id, run_id = time.monotonic_ns(), workspace_of(self), self._address()
            self._watcher = watcher
        async with application().hub.subscribe(workspace_id, run_id=run_id) as changes:
            while True:
                try:
                    detail = await application().runs.get(workspace_id, run_id)
                except NotFound:
                    return
                except OrchestratorError:
                    detail = None
                async with self:
                    if self._watcher != watcher:
                        return
                    if detail is not None:
                        self._show(detail)
                has_ended = detail is not None and RunState(detail.summary.state).is_end
                await asyncio.sleep(PAUSE_SECONDS)
                await changes.take(LOOK_AT_ENDED_SECONDS if has_ended else LOOK_AGAIN_SECONDS)

    def _show(self, detail: RunDetail) -> None:
        summary = detail.summary
        failure = summary.failure or {}
        # Live updates come many times a second: what stays the same, however large, is sent once.
        show(
            self,
            id=summary.id,
            orchestrator_id=summary.orchestrator_id,
            orchestrator_name=summary.orchestrator_name,
            version=summary.version,
            state=summary.state,
            trigger=summary.trigger,
            created_date=summary.created_date,
            started_date=summary.started_date or summary.created_date,
            ended_date=summary.ended_date or 0,
            parent_id=summary.parent_run_id or "",
            failure={key: str(failure.get(key, "")) for key in ("code", "message", "hint")},
            input_text=pretty(detail.input),
            output_text=pretty(detail.output) if summary.state == RunState.COMPLETED else "",
            nodes=[_node_row(node) for node in detail.nodes],
            logs=[
                {"at": line.at, "level": line.level, "message": line.message, "node": line.node_label}
                for line in detail.logs
            ],
            statuses={node_id: dict(shape) for node_id, shape in status_shapes(_statuses(detail)).items()},
            edge_states=detail.edges,
            is_loaded=True,
        )
        if self.graph.get("rev") != summary.id:
            self.graph = graph_shape(from_stored(detail.definition), 1, fit=True) | {"rev": summary.id}
        self._show_node(detail)

    def _show_node(self, detail: RunDetail) -> None:
        node = self._show_node_run(detail, self.selected_id)
        show(self, selected_id=node.node_id if node else "", selected_label=node.label if node else "")

    @rx.event
    @reads
    async def select(self, node_id: str):
        """Open a node; an empty id closes it."""
        if node_id != self.selected_id:
            self._forget_what_was_given()
        self.selected_id = node_id
        if self.id:
            self._show_node(await application().runs.get(workspace_of(self), self.id))

    @rx.event
    @writes
    async def cancel(self):
        """End the run."""
        try:
            await application().runs.cancel(workspace_of(self), self.id)
        except Conflict as error:
            yield rx.toast.info(error.message)

    def _shown_node(self) -> tuple[str, str]:
        return self.id, self.selected_id

    @rx.event
    @writes
    async def retry(self, definition: WhichDefinition):
        """Go on from the failed nodes: in this run, or in a new one on the newest definition."""
        try:
            summary = await application().interventions.retry(
                workspace_of(self), self.id, definition=definition, trigger="ui"
            )
        except OrchestratorError as error:
            yield show_error(error)
            return
        if summary.id != self.id:
            yield rx.redirect(run_path(summary.id))


def _statuses(detail: RunDetail) -> list[NodeStatus]:
    return [
        NodeStatus(
            node_id=node.node_id,
            state=node.state,
            attempt=node.attempt,
            started_date=node.started_date,
            ended_date=node.ended_date,
            wait_reason=node.wait_reason,
            message=str((node.failure or {}).get("message", "")),
        )
        for node in detail.nodes
    ]


def _node_row(node: NodeRunView) -> NodeRow:
    started = node.started_date or 0
    return NodeRow(
        id=node.node_id,
        label=node.label,
        kind=node.kind,
        state=node.state,
        started_date=started,
        duration_ms=node.ended_date - started if node.ended_date and started else -1,
        is_open=bool(started) and node.ended_date is None,
        attempt=node.attempt,
        note=str((node.failure or {}).get("message", "")),
    )
