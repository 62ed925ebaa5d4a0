"""One segment of a run: from a claim until the run has ended or nothing but waits is left."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.node_kinds import WAIT_FOR_CALLBACK
from orchestrator_app.domain.open_calls import open_call
from orchestrator_app.domain.planning import Graph, Progress, Step, next_step, node_input, run_output
from orchestrator_app.domain.ports import ClaimedRun, NodeRecord, WaitRecord
from orchestrator_app.domain.runs import (
    AttemptEnded,
    Fact,
    Failure,
    Logged,
    NodeEnded,
    NodeState,
    RunEnded,
    RunState,
    WaitOpened,
)
from orchestrator_app.domain.scope import Scope
from orchestrator_app.errors import OrchestratorError
from orchestrator_app.runner.bell import Bell
from orchestrator_app.runner.limits import OutputRoom, too_late
from orchestrator_app.runner.node_work import NodeWork
from orchestrator_app.runner.notes import Notes, Superseded
from orchestrator_app.runner.sight import Sight

if TYPE_CHECKING:
    from orchestrator_app.runner.engine import Engine

log = logging.getLogger(__name__)

# A wait shorter than this is spent in memory: parking and claiming would cost more than it saves.
LINGER_MS = 2_000
# What nothing outside depends on yet is written with whatever is written next, at the latest after this.
NOTED_SECONDS = 0.002


class Segment:
    """Holds what is known about a claimed run.

    What happens is noted at once and committed before anything outside can follow from it: before the next call
    leaves, before a token is handed out, before the run waits or ends. So nodes that only compute share the commit of
    what comes after them.
    """

    def __init__(self, engine: "Engine", run: ClaimedRun) -> None:
        self.engine = engine
        self.parts = engine.parts
        self.run = run
        self.graph = Graph(run.definition)
        self.progress: dict[str, Progress] = {}
        self.records: dict[str, NodeRecord] = run.nodes
        self.room = OutputRoom(self.records)
        self.tasks: dict[asyncio.Task[None], str] = {}
        self._nudge = self.parts.dispatcher.nudge(run.run_id)
        self._bell = Bell()
        self._nudge.bell = self._bell
        if self._nudge.is_set():
            self._bell.ring()
        self._notes = Notes(self)
        self._sight = Sight(self)
        for node_id, record in run.nodes.items():
            self._learn(node_id, record)

    def _learn(self, node_id: str, record: NodeRecord) -> None:
        self.records[node_id] = record
        self.progress[node_id] = Progress(record.state, record.handles, record.output)
        self._sight.learn(node_id)

    async def proceed(self) -> None:
        """Work until the end or until only waits are left."""
        self._open_waits()
        try:
            while not await self._turn():
                pass
        finally:
            await self._abandon_tasks()

    def _open_waits(self) -> None:
        """Mint the token of every WaitForCallback, so that any earlier node can hand it out."""
        known = {wait.node_id for wait in self.run.waits if wait.number == 0}
        facts: list[Fact] = []
        waits: list[WaitRecord] = []
        now = self.parts.clock.now()
        for node_id in self.graph.order:
            node = self.graph.nodes[node_id]
            if node.kind == WAIT_FOR_CALLBACK.name and not node.disabled and node_id not in known:
                wait = WaitRecord(self.parts.new_id(), node_id, 0, self.parts.new_token())
                waits.append(wait)
                facts.append(WaitOpened(wait.wait_id, node_id, 0, wait.token, now))
        if self.run.is_new:
            facts.append(Logged("The run started.", now))
        self._notes.add(facts)
        if waits:
            self.run.waits.extend(waits)
            self._sight.look_anew()

    async def _turn(self) -> bool:
        """One round: start what may start, then wait for something. True when the segment is over."""
        step = next_step(self.graph, self.progress)
        if step.skipped:
            self._skip(step.skipped)
            return False
        if self._is_late(step):
            await self._end_late()
            return True
        if step.is_failing:
            await self._cancel_waiting_nodes()
        is_stopping = self.parts.dispatcher.is_stopping
        if not is_stopping:
            self._start_due(step.ready)
        if self.tasks:
            await self._wait_for_tasks()
            return False
        if is_stopping:
            await self._notes.commit()
            return True
        if step.is_failing or all(known.state.is_end for known in self.progress.values()):
            return await self._end(is_failing=step.is_failing)
        return await self._pause()

    def _is_late(self, step: Step) -> bool:
        """Whether the run is past its deadline with something left to do."""
        deadline = self.run.deadline_at
        if deadline is None or deadline > self.parts.clock.now():
            return False
        return any(not known.state.is_end for known in self.progress.values()) or (
            bool(step.ready) and not step.is_failing
        )

    async def _end_late(self) -> None:
        if self.tasks:
            # Calls are under way. They are cut first; what they have written by then is read by the next claim.
            await self._notes.commit()
            self.parts.dispatcher.enqueue(self.run.run_id)
            return
        await self.give_up(too_late(self.run))

    def _skip(self, node_ids: tuple[str, ...]) -> None:
        now = self.parts.clock.now()
        for node_id in node_ids:
            ended = NodeEnded(node_id, NodeState.SKIPPED, now, has_waits=self.has_waits(node_id))
            self._notes.add([ended], node_id)
        for node_id in node_ids:
            self._learn(node_id, NodeRecord(node_id, NodeState.SKIPPED, ended_at=now))

    async def _cancel_waiting_nodes(self) -> None:
        """After a failure nobody handles, nothing is waited for any more."""
        waiting = [
            record
            for node_id, record in self.records.items()
            if record.state is NodeState.WAITING and node_id not in self.tasks.values()
        ]
        if not waiting:
            return
        now = self.parts.clock.now()
        for record in waiting:
            self._notes.add([NodeEnded(record.node_id, NodeState.CANCELLED, now)], record.node_id)
            self._learn(record.node_id, NodeRecord(record.node_id, NodeState.CANCELLED, ended_at=now))
        await self._notes.commit()
        # Not those that were taken back.
        self._stop_outside([record for record in waiting if record.node_id in self.records])

    def _stop_outside(self, records: list[NodeRecord]) -> None:
        """Tell the platforms that nobody waits any more for what these nodes have begun there."""
        calls = [
            open_call(
                self.run.run_id,
                self.graph.nodes[record.node_id],
                record.memo,
                callback_token=next((wait.token for wait in self.waits_of(record.node_id)), ""),
                started_at=record.started_at or 0,
            )
            for record in records
            if record.attempt_is_open or record.memo
        ]
        self.parts.stops.begin(
            self.run.workspace_id, self.run.run_id, [call for call in calls if call is not None]
        )

    def _start_due(self, ready: tuple[str, ...]) -> None:
        busy = set(self.tasks.values())
        now = self.parts.clock.now()
        # Nodes interrupted by a crash and waits whose time has come go before new ones.
        due = [
            node_id
            for node_id, record in self.records.items()
            if node_id not in busy
            and (
                record.state is NodeState.RUNNING
                or (record.state is NodeState.WAITING and self._is_due(record, now))
            )
        ]
        for node_id in [*due, *(node_id for node_id in ready if node_id not in busy)]:
            if len(self.tasks) >= self.parts.node_concurrency:
                return
            data = self._input_of(node_id)
            work = NodeWork(self, self.graph.nodes[node_id], self.records.get(node_id), data)
            task = asyncio.create_task(work.proceed(), name=f"{self.run.run_id} {node_id}")
            task.add_done_callback(self._bell.ring)
            self.tasks[task] = node_id

    def _input_of(self, node_id: str) -> JsonValue:
        """What the node works on; after a failed parent the error and that parent's input."""
        record = self.records.get(node_id)
        if record is not None and record.state is not NodeState.PENDING:
            return record.input
        failed = [
            edge.source
            for edge in self.graph.incoming[node_id]
            if edge.source_handle == "error" and self.progress[edge.source].state is NodeState.FAILED
        ]
        progress = self.progress
        if failed:
            progress = dict(progress)
            for source in failed:
                parent = self.records[source]
                error = parent.failure.as_json() if parent.failure else {}
                output: JsonObject = {
                    "error": error | {"node": self.graph.nodes[source].label},
                    "input": parent.input,
                }
                progress[source] = Progress(NodeState.FAILED, (), output)
        return node_input(self.graph, node_id, self.run.input, progress)

    def _is_due(self, record: NodeRecord, now: int) -> bool:
        if record.wake_at is not None and record.wake_at <= now:
            return True
        # While a platform cannot be asked what a callback means, only the time tells when to try again.
        return (
            record.wait_reason == "callback"
            and "asksAgain" not in record.memo
            and any(wait.has_arrived for wait in self.waits_of(record.node_id))
        )

    def waits_of(self, node_id: str) -> list[WaitRecord]:
        """The waits that count for a node: its own token, or that of its newest attempt."""
        waits = [wait for wait in self.run.waits if wait.node_id == node_id]
        newest = max((wait.number for wait in waits), default=0)
        return [wait for wait in waits if wait.number == newest]

    def has_waits(self, node_id: str) -> bool:
        """Whether a callback was ever awaited for this node."""
        return any(wait.node_id == node_id for wait in self.run.waits)

    async def _wait_for_tasks(self) -> None:
        wakes = [
            record.wake_at
            for node_id, record in self.records.items()
            if record.state is NodeState.WAITING
            and record.wake_at is not None
            and node_id not in self.tasks.values()
        ]
        # While nothing may start, a due wait would only make this loop spin.
        has_room = len(self.tasks) < self.parts.node_concurrency
        times = wakes if has_room else []
        if self.run.deadline_at is not None:
            times = [*times, self.run.deadline_at]
        pause = max(0.0, (min(times) - self.parts.clock.now()) / 1000) if times else None
        has_rung = False
        if self._notes.are_unwritten:
            await asyncio.sleep(0)  # the next node may be about to write
        if self._notes.are_unwritten and (pause is None or pause > NOTED_SECONDS):
            has_rung = await self._bell.heard(NOTED_SECONDS)
        if not has_rung and not self._notes.are_unwritten:
            has_rung = await self._bell.heard(pause)
        if not has_rung:
            await self._notes.commit()
        for task in [task for task in self.tasks if task.done()]:
            del self.tasks[task]
            task.result()
        if self._nudge.is_set() and not self.parts.dispatcher.is_stopping:
            await self._take_arrivals()

    async def _take_arrivals(self) -> None:
        self.parts.dispatcher.seen(self.run.run_id)
        self.run.waits = await self.engine.arrivals(self.run)

    async def _pause(self) -> bool:
        """Nothing runs and something waits: linger for a short wait, else park the run. True when parked."""
        if not await self._notes.commit():
            return False
        wakes = [record.wake_at for record in self.records.values() if record.state is NodeState.WAITING]
        wakes.append(self.run.deadline_at)
        times = [wake_at for wake_at in wakes if wake_at is not None]
        wake_at = min(times) if times else None
        now = self.parts.clock.now()
        # Who lingers keeps others from their turn: when some wait for theirs, the run is parked all the same.
        may_linger = not self.parts.dispatcher.is_crowded
        if wake_at is not None and wake_at - now <= LINGER_MS and may_linger:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, (wake_at - now) / 1000)):
                    await self._nudge.wait()
            if self._nudge.is_set() and not self.parts.dispatcher.is_stopping:
                await self._take_arrivals()
            return False
        if await self.engine.park(self.run, wake_at):
            if wake_at is not None:
                self.parts.dispatcher.wake_at(self.run.run_id, wake_at)
            return True
        await self._take_arrivals()
        return False

    async def _end(self, *, is_failing: bool) -> bool:
        """End the run. False when what it was to end with never reached the disk."""
        now = self.parts.clock.now()
        facts: list[Fact] = []
        if is_failing:
            facts = self._node_ends(now)
            node_id, failure = self._first_failure()
            label = self.graph.nodes[node_id].label
            detail: JsonObject = {"nodeId": node_id, "node": label}
            whole = Failure(failure.code, f"“{label}” failed: {failure.message}", failure.hint, detail)
            facts.append(Logged("The run failed.", now, level="error"))
            facts.append(RunEnded(RunState.FAILED, now, failure=whole))
        else:
            output = run_output(self.graph, self.progress)
            facts.append(Logged("The run completed.", now))
            facts.append(RunEnded(RunState.COMPLETED, now, output=output, has_waits=bool(self.run.waits)))
        try:
            await self._notes.commit(facts)
        except Superseded:
            return False
        return True

    def _node_ends(self, now: int) -> list[Fact]:
        """The ends of all nodes that have none: those that began are cancelled, the others skipped."""
        pending = Progress(NodeState.PENDING)
        states = {node_id: self.progress.get(node_id, pending).state for node_id in self.graph.order}
        return [
            NodeEnded(node_id, NodeState.SKIPPED if state is NodeState.PENDING else NodeState.CANCELLED, now)
            for node_id, state in states.items()
            if not state.is_end
        ]

    def _first_failure(self) -> tuple[str, Failure]:
        """Id and failure of the node that failed the run."""
        failed = [
            (record.ended_at or 0, node_id, record.failure)
            for node_id, record in self.records.items()
            if record.failure is not None and not self.graph.handles_errors(node_id)
        ]
        _, node_id, failure = min(failed, key=lambda item: item[0])
        return node_id, failure

    async def give_up(self, failure: Failure) -> None:
        """End the run although its nodes have not."""
        now = self.parts.clock.now()
        facts: list[Fact] = [
            AttemptEnded(record.node_id, record.attempt, now, failure=failure)
            for record in self.records.values()
            if record.attempt_is_open
        ]
        facts += self._node_ends(now)
        facts.append(Logged(failure.message, now, level="error"))
        facts.append(RunEnded(RunState.FAILED, now, failure=failure))
        open_nodes = [record for record in self.records.values() if not record.state.is_end]
        await self._notes.commit(facts)
        self._stop_outside(open_nodes)

    async def _abandon_tasks(self) -> None:
        """Stop what still works: the run was cancelled or taken, or the process ends. What it did stays journaled."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def note(self, facts: Sequence[Fact], node_id: str, refused: Callable[[OrchestratorError], None]) -> None:
        """See ``Notes.add``."""
        self._notes.add(facts, node_id, refused)

    async def commit(self, facts: Sequence[Fact], node_id: str) -> None:
        """See ``Notes.commit``."""
        await self._notes.commit(facts, node_id)

    def forget(self, node_ids: Iterable[str]) -> None:
        """What was believed of these nodes never reached the disk: they have not begun."""
        for node_id in node_ids:
            self.records.pop(node_id, None)
            self.progress.pop(node_id, None)
        self.room.count_anew()
        self._sight.look_anew()

    def learn(self, record: NodeRecord) -> None:
        """A node's new state, after it was committed."""
        self._learn(record.node_id, record)

    def scope(self, data: JsonValue) -> Scope:
        """What the node's expressions see."""
        return self._sight.scope(data)

    def callback_url(self, token: str) -> str:
        """The complete callback address for a token of this run."""
        return self.parts.callback_url(self.run.run_id, token)
