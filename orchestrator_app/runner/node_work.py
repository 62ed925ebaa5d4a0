"""The work on one node within a segment: input, attempts, waits and end, each committed before the next."""

import logging
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.node_kinds import is_idempotent, setting
from orchestrator_app.domain.ports import NodeRecord, WaitRecord
from orchestrator_app.domain.runs import (
    AttemptEnded,
    AttemptStarted,
    Fact,
    Failure,
    Logged,
    LogLevel,
    NodeEnded,
    NodeParked,
    NodeStarted,
    NodeState,
    WaitOpened,
    WaitReopened,
)
from orchestrator_app.errors import LeaseLost, OrchestratorError, OutcomeUnknown
from orchestrator_app.runner.failures import failure_of, may_retry, retry_delay_seconds, unexpected
from orchestrator_app.runner.handlers.registry import handler_for
from orchestrator_app.runner.limits import check_attempts
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome, Parked
from orchestrator_app.runner.notes import Superseded
from orchestrator_app.runner.reconciliation import search_for
from orchestrator_app.runner.sizes import check_output

if TYPE_CHECKING:
    from orchestrator_app.runner.segment import Segment

log = logging.getLogger(__name__)

# Shorter than the silence after which a process is taken for dead.
HELD_SECONDS = 5.0


class NodeWork:
    """Takes a node from where its record says it stands to its end or its next wait.

    Args:
        segment: The claimed run.
        node: The node.
        record: What is on disk about it; None when it starts now.
        data: Its input.
    """

    def __init__(self, segment: "Segment", node: Node, record: NodeRecord | None, data: JsonValue) -> None:
        self._segment = segment
        self._run = segment.run
        self._engine = segment.engine
        self._clock = segment.parts.clock
        self._node = node
        self._data = data
        self._record = record or NodeRecord(node.id, NodeState.PENDING, input=data)
        # What begins anew has a row as well, but nothing is in it yet.
        self._is_on_disk = self._record.state is not NodeState.PENDING
        self._has_open_attempt = self._record.attempt_is_open
        self._facts: list[Fact] = []
        self._status_code: int | None = None
        self._response: JsonObject | None = None
        self._unclear: Failure | None = None

    async def proceed(self) -> None:
        """Work; whatever happens to the node is committed, and only what happens to the run is raised."""
        try:
            self._settle(await self._outcome())
        except LeaseLost:
            raise
        except Superseded:
            return
        except OrchestratorError as error:
            self._fail_or_retry(error)
        except Exception:
            reference = uuid4().hex[:8]
            log.exception("node %s of run %s broke (%s)", self._node.id, self._run.run_id, reference)
            self._fail_or_retry(unexpected(reference))

    async def _outcome(self) -> Outcome:
        try:
            if self._has_open_attempt:
                called_back = await self._called_back()
                if called_back is not None:
                    return called_back
                self._take_up_interrupted_attempt()
            was_parked = self._record.state is NodeState.WAITING and self._record.wait_reason != "retry"
            return await self._work(is_resumed=was_parked)
        except OutcomeUnknown as error:
            outcome = await self._called_back() or await self._search(error)
            if outcome is None:
                raise
            return outcome

    async def _search(self, error: OutcomeUnknown) -> Outcome | None:
        """Let the platform tell what became of a call that must not be made again, where it can."""
        if is_idempotent(self._node) or not self._has_open_attempt:
            return None
        self._unclear = failure_of(error)
        return await search_for(
            self._context(is_resumed=False),
            self._unclear,
            attempt=self._record.attempt,
            began_at=self._record.attempt_began_at,
        )

    async def _called_back(self) -> Outcome | None:
        """The outcome of a call without an answer whose workflow has called back: so the call did arrive."""
        token = (self._node.id, self._record.attempt)
        if token not in {(wait.node_id, wait.number) for wait in self._run.waits}:
            return None
        self._run.waits = await self._engine.arrivals(self._run)
        if not any(wait.has_arrived for wait in self._segment.waits_of(self._node.id)):
            return None
        return await self._work(is_resumed=True)

    def _take_up_interrupted_attempt(self) -> None:
        """Decide about a call that was under way when the process ended.

        Raises:
            OutcomeUnknown: It must not be sent again.
        """
        error = OutcomeUnknown(
            "Orchestrator stopped while this call was under way, so its outcome is not known.",
            hint="Find out on the other side whether it happened, before you run this again.",
        )
        if not is_idempotent(self._node):
            raise error
        now = self._clock.now()
        number = self._record.attempt
        self._facts.append(
            AttemptEnded(self._node.id, number, now, failure=failure_of(error), next_try_at=now)
        )
        self._has_open_attempt = False

    async def _work(self, *, is_resumed: bool) -> Outcome:
        return await handler_for(self._node).work(self._context(is_resumed=is_resumed))

    def _context(self, *, is_resumed: bool) -> NodeContext:
        segment = self._segment
        return NodeContext(
            run=self._run,
            graph=segment.graph,
            node=self._node,
            input=self._data,
            scope=segment.scope(self._data),
            renderer=segment.parts.renderer,
            gateway=segment.parts.gateway,
            clock=self._clock,
            callback_url=segment.callback_url,
            attempt=self._record.attempt + 1,
            is_resumed=is_resumed,
            memo=self._record.memo,
            waits=segment.waits_of(self._node.id),
            begin_attempt=self._begin_attempt,
            note_answer=self._note_answer,
            open_wait=self._open_wait,
            reopen_wait=self._reopen_wait,
            say=self._say,
        )

    def _say(self, message: str, level: LogLevel) -> None:
        self._facts.append(Logged(message, self._clock.now(), self._node.id, level))

    def _take_facts(self) -> list[Fact]:
        facts, self._facts = self._facts, []
        return facts

    def _start_facts(self, now: int) -> list[Fact]:
        """The fact that the node began, unless it is on disk already."""
        if self._is_on_disk:
            return []
        self._record.started_at = now
        return [NodeStarted(self._node.id, self._data, now)]

    async def _commit(self, facts: list[Fact]) -> None:
        """What is on disk when this returns: something outside is about to follow from it."""
        await self._segment.commit(facts, self._node.id)
        self._keep_in_mind(facts)

    def _note(self, facts: list[Fact]) -> None:
        """What is written before anything outside follows from it."""
        state = self._is_on_disk, self._has_open_attempt

        def refused(error: OrchestratorError) -> None:
            self._is_on_disk, self._has_open_attempt = state
            self._fail_or_retry(error)

        self._segment.note(facts, self._node.id, refused)
        self._keep_in_mind(facts)

    def _keep_in_mind(self, facts: list[Fact]) -> None:
        self._is_on_disk = self._is_on_disk or any(isinstance(fact, NodeStarted) for fact in facts)
        if any(isinstance(fact, AttemptEnded) for fact in facts):
            self._has_open_attempt = False

    async def _begin_attempt(self, request: JsonObject) -> None:
        check_attempts(self._segment.records)
        now = self._clock.now()
        number = self._record.attempt + 1
        facts = [
            *self._start_facts(now),
            *self._take_facts(),
            AttemptStarted(self._node.id, number, request, now),
        ]
        since = monotonic()
        await self._commit(facts)
        while monotonic() - since > HELD_SECONDS:
            # This process was held in between, perhaps for so long that another one has taken up the run.
            since = monotonic()
            self._run.waits = await self._engine.arrivals(self._run)
        self._record.attempt, self._record.attempt_began_at = number, now
        self._record.state = NodeState.RUNNING
        self._record.wait_reason, self._record.wake_at = None, None
        self._has_open_attempt = True
        self._keep(NodeState.RUNNING, now)

    def _note_answer(self, status_code: int, response: JsonObject) -> None:
        self._status_code, self._response = status_code, response

    async def _open_wait(self) -> WaitRecord:
        number = self._record.attempt + 1
        parts = self._segment.parts
        wait = WaitRecord(parts.new_id(), self._node.id, number, parts.new_token())
        now = self._clock.now()
        opened = WaitOpened(wait.wait_id, self._node.id, number, wait.token, now)
        await self._commit([*self._start_facts(now), opened])
        self._run.waits.append(wait)
        return wait

    def _reopen_wait(self, wait: WaitRecord) -> None:
        self._facts.append(WaitReopened(wait.wait_id, wait.received_at, self._clock.now()))
        wait.has_arrived, wait.body, wait.received_at = False, None, None

    def _settle(self, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._segment.room.take(check_output(outcome.output))
        now = self._clock.now()
        facts = [*self._take_facts(), *self._attempt_end(now, self._unclear)]
        if isinstance(outcome, Parked):
            facts = [*self._start_facts(now), *facts]
            facts.append(
                NodeParked(self._node.id, outcome.reason, outcome.wake_at, outcome.memo, now, outcome.look_at)
            )
            if outcome.log:
                facts.append(Logged(outcome.log, now, self._node.id))
            self._note(facts)
            self._keep(NodeState.WAITING, now, wait=outcome)
            if outcome.look_at is not None:
                self._segment.parts.poller.expect(outcome.look_at)
            return
        ended = NodeEnded(
            self._node.id,
            NodeState.COMPLETED,
            now,
            output=outcome.output,
            handles=outcome.handles,
            input=self._data,
            has_input=not self._is_on_disk,
        )
        self._note([*facts, ended])
        self._keep(NodeState.COMPLETED, now, done=outcome)

    def _attempt_end(
        self, now: int, failure: Failure | None = None, next_try_at: int | None = None
    ) -> list[Fact]:
        """The fact that the call under way has an outcome, if there is one under way."""
        if not self._has_open_attempt:
            return []
        status = failure.detail.get("remoteStatus") if failure else None
        status_code = status if isinstance(status, int) else self._status_code
        number = self._record.attempt
        return [AttemptEnded(self._node.id, number, now, status_code, self._response, failure, next_try_at)]

    def _fail_or_retry(self, error: OrchestratorError) -> None:
        now = self._clock.now()
        facts = self._take_facts()
        failure = failure_of(error)
        most = setting(self._node, "retryAttempts")
        retries = int(most) if isinstance(most, int) else 0
        attempt = self._record.attempt
        will_retry = (
            self._has_open_attempt
            and attempt <= retries
            and may_retry(error, is_idempotent=is_idempotent(self._node))
        )
        next_try_at: int | None = None
        if will_retry:
            base = setting(self._node, "retryDelay")
            base_seconds = (base if isinstance(base, int) else 1_000) / 1000
            delay = retry_delay_seconds(error, attempt=attempt, base_seconds=base_seconds)
            next_try_at = now + int(delay * 1000)
        facts += self._attempt_end(now, failure, next_try_at)
        if next_try_at is not None:
            pause = (next_try_at - now) / 1000
            said = f"Attempt {attempt} failed: {failure.message} Next try in {pause:.1f} s."
            facts.append(NodeParked(self._node.id, "retry", next_try_at, {}, now))
            facts.append(Logged(said, now, self._node.id, "warning"))
            self._note(facts)
            self._keep(NodeState.WAITING, now, wait=Parked("retry", next_try_at))
            return
        ended = NodeEnded(
            self._node.id,
            NodeState.FAILED,
            now,
            failure=failure,
            input=self._data,
            has_input=not self._is_on_disk,
        )
        facts += [ended, Logged(failure.message, now, self._node.id, "error")]
        self._note(facts)
        self._keep(NodeState.FAILED, now, failure=failure)

    def _keep(
        self,
        state: NodeState,
        now: int,
        *,
        done: Done | None = None,
        wait: Parked | None = None,
        failure: Failure | None = None,
    ) -> None:
        """Tell the segment what is now on disk."""
        record = self._record
        self._segment.learn(
            NodeRecord(
                self._node.id,
                state,
                attempt=record.attempt,
                attempt_is_open=self._has_open_attempt,
                input=self._data,
                output=done.output if done else None,
                handles=done.handles if done else (),
                failure=failure,
                wait_reason=wait.reason if wait else None,
                wake_at=wait.wake_at if wait else None,
                memo=wait.memo if wait else {},
                started_at=record.started_at,
                ended_at=now if state.is_end else None,
            )
        )
