"""What people do about runs that do not go on by themselves: decide what an unknown outcome was, and retry."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator_app.domain.definition import from_stored
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.planning import Graph
from orchestrator_app.domain.ports import Dispatcher
from orchestrator_app.domain.reopening import (
    DECIDED,
    EndedNode,
    failed_nodes,
    kept_results,
    nodes_to_begin_anew,
    undecided_nodes,
)
from orchestrator_app.domain.runs import NodeState, RunState
from orchestrator_app.errors import Conflict, InvalidInput, NodeFailed, NotFound, OutcomeUndecided
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.runner.sizes import check_output
from orchestrator_app.security.json_input import check_json
from orchestrator_app.services.run_starts import NewRun, WhichDefinition, store_start
from orchestrator_app.services.run_views import by_whom, ended_nodes, run_summary
from orchestrator_app.services.views import RunSummary
from orchestrator_app.storage import payloads, reopening, run_parts
from orchestrator_app.storage import runs as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.reopening import Line
from orchestrator_app.storage.sql import Connection

Decision = Literal["done", "retry", "fail"]


@dataclass(frozen=True, slots=True)
class _Stopped:
    """A run that has failed, as its row, its graph and its nodes stand."""

    row: rows.RunRow
    graph: Graph
    nodes: dict[str, EndedNode]

    def labels(self, node_ids: Sequence[str]) -> str:
        return ", ".join(f"“{self.graph.nodes[node_id].label}”" for node_id in node_ids)


class Interventions:
    """Use cases for runs that need a person. Every call takes the workspace; a run of another one is not found.

    ``trigger`` says who asks (``ui`` or ``api``); it stands in the run's log.
    """

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        hub: Hub,
        *,
        now: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._hub = hub
        self._now = now
        self._new_id = new_id

    async def decide(
        self,
        workspace_id: str,
        run_id: str,
        node_id: str,
        decision: Decision,
        *,
        output: JsonValue = None,
        trigger: str,
    ) -> RunSummary:
        """Say what became of a call whose outcome is not known. Unless it failed, the run goes on.

        Args:
            workspace_id: Whose run.
            run_id: The run.
            node_id: The node that made the call.
            decision: ``done``: it had its effect; ``retry``: it had none, so it is made again; ``fail``: the node
                stays failed.
            output: What the node gives on when it is done.
            trigger: Who decides.

        Raises:
            NotFound: There is no such run or node.
            Conflict: The run has not failed, or there is nothing to decide about the node.
            InvalidInput: The output is too large.
            BadRequest: It is no JSON.
        """
        check_json(output)
        try:
            check_output(output)
        except NodeFailed as error:
            raise InvalidInput(error.message, hint="Give less, for instance a link to the data.") from error
        now, by = self._now(), by_whom(trigger)

        def work(connection: Connection) -> rows.RunRow:
            run = _stopped(connection, workspace_id, run_id)
            node = run.graph.nodes.get(node_id)
            if node is None:
                raise NotFound("The run has no such node.", hint="Look its id up in the run.")
            if node_id not in undecided_nodes(run.graph, run.nodes):
                raise Conflict(
                    f"There is nothing to decide about “{node.label}”.",
                    hint="Only a call whose outcome is unknown, and that failed its run, waits for a decision; it is "
                    "decided once.",
                )
            if decision == "fail":
                failure = _decided(run.nodes[node_id].failure, trigger, now)
                line = Line(f"It was decided {by} that this call has failed.", node_id, "warning")
                reopening.note_failure(connection, run_id, node_id, failure, line=line, now=now)
                return _row(connection, workspace_id, run_id)
            words = "had its effect; its output was given" if decision == "done" else "is made again"
            anew = [
                other
                for other in nodes_to_begin_anew(run.graph, run.nodes)
                # Other failed nodes wait for a decision or a retry of their own.
                if run.nodes[other].state is not NodeState.FAILED
                or (other == node_id and decision == "retry")
            ]
            line = Line(f"It was decided {by} that this call {words}.", node_id)
            seq = reopening.reopen(connection, run_id, anew=anew, lines=[line], now=now)
            if decision == "done" and seq is not None:
                reopening.complete_node(connection, run_id, node_id, output, seq=seq, now=now)
            return _row(connection, workspace_id, run_id)

        return await asyncio.shield(self._carried_out(work))

    async def retry(
        self, workspace_id: str, run_id: str, *, definition: WhichDefinition = "same", trigger: str
    ) -> RunSummary:
        """Go on from the failed nodes; what has a result keeps it.

        On the ``same`` definition it is the same run that goes on. On the ``newest`` one a new run begins, with the
        results that still hold for it.

        Raises:
            NotFound: There is no such run, or no such orchestrator any more.
            Conflict: The run has not failed.
            OutcomeUndecided: A call may have had its effect, so it must be decided first whether it is made again.
            InvalidDefinition: The newest graph has problems that block a run.
        """
        now, by = self._now(), by_whom(trigger)

        def work(connection: Connection) -> rows.RunRow:
            run = _stopped(connection, workspace_id, run_id)
            undecided = undecided_nodes(run.graph, run.nodes)
            if undecided:
                raise OutcomeUndecided(
                    f"It is not known whether the call of {run.labels(undecided)} had its effect.",
                    hint="Decide it first: done with its output, made again, or failed.",
                    context={"nodeIds": list(undecided)},
                )
            if definition == "newest":
                return self._begin_with_results(connection, run, trigger, now)
            failed = failed_nodes(run.graph, run.nodes)
            anew = nodes_to_begin_anew(run.graph, run.nodes)
            what = run.labels(failed) or "what was not done yet"
            lines = [Line(f"The run was retried {by}, beginning with {what}.")]
            reopening.reopen(connection, run_id, anew=anew, lines=lines, now=now)
            return _row(connection, workspace_id, run_id)

        return await asyncio.shield(self._carried_out(work))

    def _begin_with_results(
        self, connection: Connection, run: _Stopped, trigger: str, now: int
    ) -> rows.RunRow:
        """A new run of the newest version that has the results of this one as far as they hold for it."""
        old, workspace_id = run.row, run.row.workspace_id
        new = NewRun(
            self._new_id(),
            old.orchestrator_id,
            rows.input_of(connection, old.id),
            trigger,
            parent_run_id=old.id,
        )
        # It waits for its turn: a run that is stored as claimed is believed to have no results yet.
        start = store_start(connection, workspace_id, new, owner="", now=now)
        graph = Graph(from_stored(payloads.loads(rows.definition_of(connection, start.row.version_id))))
        kept = kept_results(run.graph, graph, run.nodes)
        reopening.copy_results(connection, old.id, new.run_id, kept)
        return start.row

    async def _carried_out(self, work: Callable[[Connection], rows.RunRow]) -> RunSummary:
        """Commit, then let the run go on; what is on disk must be carried out, also when the caller has left."""
        row = await self._database.write(work)
        is_end = RunState(row.state).is_end
        self._hub.publish(Change("run", row.workspace_id, row.id, row.seq, row.orchestrator_id, is_end))
        if not is_end:
            self._dispatcher.enqueue(row.id)
        return run_summary(row)


def _stopped(connection: Connection, workspace_id: str, run_id: str) -> _Stopped:
    """The run, locked until the end of the transaction.

    Raises:
        NotFound: There is none by that id here.
        Conflict: It has not failed.
    """
    reopening.lock(connection, run_id)
    row = _row(connection, workspace_id, run_id)
    if row.state != RunState.FAILED:
        is_end = RunState(row.state).is_end
        raise Conflict(
            f"The run has not failed: it is {row.state}.",
            hint="Run it again instead." if is_end else "Wait until it has ended.",
        )
    graph = Graph(from_stored(payloads.loads(rows.definition_of(connection, row.version_id))))
    nodes = ended_nodes(run_parts.nodes(connection, run_id))
    return _Stopped(row, graph, nodes)


def _row(connection: Connection, workspace_id: str, run_id: str) -> rows.RunRow:
    row = rows.get(connection, workspace_id, run_id)
    if row is None:
        raise NotFound("There is no such run.", hint="Look it up in the run history.")
    return row


def _decided(failure: JsonObject, trigger: str, now: int) -> JsonObject:
    detail = failure.get("detail")
    decision: JsonObject = {DECIDED: "fail", "decidedBy": trigger, "decidedDate": now}
    whole: JsonObject = (detail if isinstance(detail, dict) else {}) | decision
    return {**failure, "detail": whole}
