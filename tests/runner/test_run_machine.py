"""Whatever happens in whatever order to several runs at once, the promises hold.

Hypothesis draws the order: starts, callbacks (right, wrong, repeated), cancels, crashes at once or at some write or
call to come, a clock that is moved both ways, platforms that are down or leave an answer unclear. When a promise is
broken it prints that story, and the line that repeats it.
"""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test

from orchestrator_app.domain.definition import Definition
from orchestrator_app.domain.reconciliation import SEARCH_INTERVAL_MS
from orchestrator_app.errors import Conflict, NotFound
from orchestrator_app.services.views import NodeRunView, RunDetail
from orchestrator_app.storage import callbacks as callback_rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.engines import sqlite_url
from tests.crashes import MortalWorld
from tests.running import (
    ENDS,
    WORKSPACE,
    World,
    driven,
    failure_of,
    graph,
    nodes_of,
    states_of,
    wait,
    webhook,
)
from tests.weather import Outside

Result = TypeVar("Result")

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
INTERVAL_MS = 10_000
END_STATES = {"COMPLETED", "FAILED", "SKIPPED", "CANCELLED"}
# Calls that may be repeated; whether the others arrived must never be tried out.
IDEMPOTENT = {"ask", "last"}


def an_order() -> Definition:
    """Ask, wait for the answer, pay."""
    nodes = [
        webhook("ask", idempotent=True, retryAttempts=3, retryDelay=60_000),
        wait("answer", timeout=HOUR_MS, onTimeout="continue"),
        webhook("pay", retryAttempts=2, retryDelay=60_000),
    ]
    return graph(nodes, "ask answer, answer pay")


def a_job() -> Definition:
    """Something is paid, then a job outside is begun and polled."""
    job = webhook("job", completion="poll", pollingInterval=INTERVAL_MS, pollingTimeout=HOUR_MS)
    return graph([webhook("pay"), job], "pay job")


def a_workflow() -> Definition:
    """A workflow calls back, while something is paid beside it."""
    own = webhook("own", completion="callback", callbackTimeout=HOUR_MS, retryAttempts=1, retryDelay=60_000)
    last = webhook("last", idempotent=True, retryAttempts=3, retryDelay=60_000)
    return graph([own, webhook("pay"), last], "own last, pay last")


class RunMachine(RuleBasedStateMachine):
    """Several runs, what was done to them, and what was seen of them."""

    runs = Bundle("runs")

    def __init__(self, database_file: Callable[[], Path]) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.database = Database(sqlite_url(database_file()))
        self.run_ids: list[str] = []
        self.told: defaultdict[str, list[int]] = defaultdict(list)
        self.accepted: dict[str, int] = {}
        self.ended_runs: dict[str, RunDetail] = {}
        self.ended_nodes: dict[tuple[str, str], tuple[NodeRunView, int]] = {}
        # Nodes whose call was under way in a crash: its execution is looked for, which is more often than polled.
        self.cut: set[tuple[str, str]] = set()
        self.is_broken = False
        self.loop.run(self._open())

    async def _open(self) -> None:
        self.world = World(self.database)
        self.outside = Outside(self.world)
        await self.world.crash()
        self.mortal = MortalWorld(self.world)
        await self.mortal.begin()
        self.orchestrators = [await self.world.keep(kind()) for kind in (an_order, a_job, a_workflow)]

    # --- the process ---

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """What comes of it; None when the process died over it. Then all that follows has happened, and all is checked."""
        try:
            return self.loop.run(self._done(work))
        except BaseException:
            self.is_broken = True
            raise

    async def _done(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        result = await self.mortal.lived_through(work)
        while await self.mortal.lived_through(self._rest()) is None:
            await self._restart()
        await self._check()
        return result

    async def _rest(self) -> bool:
        await self.world.at_rest()
        return True

    async def _restart(self) -> None:
        await self.mortal.crash()
        for summary in (await self.mortal.witness.page(WORKSPACE, limit=200)).items:
            run = await self.mortal.witness.get(WORKSPACE, summary.id)
            self.cut |= {(summary.id, view.node_id) for view in run.nodes if view.state == "RUNNING"}
        await self.mortal.begin()

    async def _nothing(self) -> None:
        return

    # --- what happens ---

    @rule(target=runs, kind=st.integers(0, 2))
    def start(self, kind: int) -> str:
        key = f"start {len(self.run_ids)}"
        started = None
        while started is None:  # whoever got no answer asks again with the same key
            orchestrator_id = self.orchestrators[kind]
            runs = self.world.runs
            started = self._do(
                runs.start(WORKSPACE, orchestrator_id, {"n": 1}, trigger="api", idempotency_key=key)
            )
        self.run_ids.append(started[0].id)
        return started[0].id

    @rule(run_id=runs, which=st.integers(0, 3), copies=st.integers(1, 3))
    def call_back(self, run_id: str, which: int, copies: int) -> None:
        self._do(self._call_back(run_id, which, copies))

    async def _call_back(self, run_id: str, which: int, copies: int) -> None:
        tokens = [(node_id, token) for node_id, own in (await self._tokens(run_id)).items() for token in own]
        if not tokens:
            return
        node_id, token = tokens[which % len(tokens)]
        before = await self.mortal.witness.get(WORKSPACE, run_id)
        was_told = bool(self.told[token])
        numbers = [sum(map(len, self.told.values())) + copy for copy in range(copies)]
        self.told[token] += numbers
        for outcome in await asyncio.gather(*(self._outcome(run_id, token, number) for number in numbers)):
            state = nodes_of(before)[node_id].state if node_id in nodes_of(before) else "PENDING"
            match outcome:
                case "accepted":
                    assert not before.summary.ended_date
                case "duplicate":
                    assert was_told or copies > 1
                case _:
                    assert before.summary.state in ENDS or state in END_STATES

    async def _outcome(self, run_id: str, token: str, number: int) -> str:
        try:
            outcome = await self.world.call_back(run_id, token, {"told": number})
        except NotFound:
            return "unknown"
        if outcome == "accepted":
            assert token not in self.accepted, "a callback was accepted twice"
            self.accepted[token] = number
        return outcome

    @rule(run_id=runs, other=runs, how=st.sampled_from(["another's", "longer", "empty", "made up"]))
    def call_back_wrongly(self, run_id: str, other: str, how: str) -> None:
        self._do(self._call_back_wrongly(run_id, other, how))

    async def _call_back_wrongly(self, run_id: str, other: str, how: str) -> None:
        tokens = [token for own in (await self._tokens(other)).values() for token in own] or ["cb_none"]
        wrong = {"another's": tokens[0], "longer": f"{tokens[0]}x", "empty": "", "made up": "cb_made-up"}[how]
        if how == "another's" and other == run_id:
            return
        with pytest.raises(NotFound):
            await self.world.call_back(run_id, wrong, {"told": -1})

    @rule(run_id=runs)
    def cancel(self, run_id: str) -> None:
        self._do(self._cancel(run_id))

    async def _cancel(self, run_id: str) -> None:
        before = (await self.mortal.witness.get(WORKSPACE, run_id)).summary.state
        try:
            summary = await self.world.runs.cancel(WORKSPACE, run_id)
        except Conflict:
            assert before in ENDS
        else:
            assert (summary.state, before in ENDS) == ("CANCELLED", False)

    @rule()
    def cancel_under_way(self) -> None:
        """The next call that arrives is cut by a cancel of its run."""
        self.outside.cancels_next_call = True

    @rule(milliseconds=st.sampled_from([1_000, 20_000, 61_000, HOUR_MS, DAY_MS, -20_000, -HOUR_MS, -DAY_MS]))
    def move_the_clock(self, milliseconds: int) -> None:
        self.loop.run(asyncio.sleep(0))
        self.world.clock.ms += milliseconds
        self._do(self._wake())

    async def _wake(self) -> None:
        self.world.advance(0)

    @rule(weather=st.sampled_from(["fair", "down", "unclear"]))
    def change_the_weather(self, weather: str) -> None:
        self.outside.weather = weather

    @rule()
    def crash(self) -> None:
        self.loop.run(self._restart())
        self._do(self._nothing())

    @rule(
        when=st.sampled_from(["before", "after"]),
        what=st.sampled_from(["a write", "a call", "a look"]),
        more=st.integers(0, 2),
    )
    def crash_soon(self, when: str, what: str, more: int) -> None:
        """The process dies at one of the next writes, calls or looks, before or after it."""
        self.mortal.life.end_at(f"{when} {what}", more)

    # --- what must hold ---

    async def _tokens(self, run_id: str) -> dict[str, list[str]]:
        kept, self.world.database = self.world.database, self.database
        try:
            return await self.world.tokens_of(run_id)
        finally:
            self.world.database = kept

    async def _check(self) -> None:
        for key, keys in self.outside.keys.items():
            assert len(keys) == 1, f"{key} sent several idempotency keys"
            assert key[1] in IDEMPOTENT or self.outside.arrived[key] <= 1, f"{key} was called again"
        for key, times in self.outside.looked.items():
            for before, after in pairwise(times):
                # The last look is at the deadline, however soon that is.
                is_last = after >= self.outside.called_at.get(key, after) + HOUR_MS
                least = SEARCH_INTERVAL_MS if self._is_searched(key) else INTERVAL_MS
                assert is_last or after - before >= least * 0.9, f"{key} was looked at early"
        for run_id in self.run_ids:
            await self._check_run(await self.mortal.witness.get(WORKSPACE, run_id))

    def _is_searched(self, key: tuple[str, str]) -> bool:
        """Whether the platform was asked what became of its call, which has an interval and a limit of its own."""
        return key in self.cut or key in self.outside.unclear

    async def _check_run(self, run: RunDetail) -> None:
        run_id = run.summary.id
        assert run.summary.state in ENDS | {"PENDING", "RUNNING", "WAITING"}
        tokens = await self._tokens(run_id)
        for view in run.nodes:
            key = (run_id, view.node_id)
            for before, after in pairwise(view.attempts):
                assert after.started_date >= (before.next_try_at or 0), f"{key} was tried again early"
            if view.state in END_STATES:
                assert self.ended_nodes.setdefault(key, (view, self.outside.calls[key])) == (
                    view,
                    self.outside.calls[key],
                )
                self._check_end(key, view, tokens.get(view.node_id, []))
        if run.summary.state in ENDS:
            frozen = replace(run, logs=())  # what the platforms say of a stop is still told
            assert self.ended_runs.setdefault(run_id, frozen) == frozen
            # Nodes that a cancelled run never came to have no end of their own.
            not_begun = {"PENDING"} if run.summary.state == "CANCELLED" else set[str]()
            assert set(states_of(run).values()) <= END_STATES | not_begun
        waits = await self.database.read(lambda connection: callback_rows.waits(connection, run_id))
        received = sum(wait.received_date is not None for wait in waits)
        assert [line.message for line in run.logs].count("A callback arrived.") == received

    def _check_end(self, key: tuple[str, str], view: NodeRunView, tokens: list[str]) -> None:
        if view.node_id not in {"answer", "own"} or view.state != "COMPLETED":
            is_late = view.state == "FAILED" and failure_of(view)["code"] == "poll_timeout"
            if is_late and not self._is_searched(key):
                assert (view.ended_date or 0) >= (view.started_date or 0) + HOUR_MS, f"{key} timed out early"
            return
        said = view.output.get("told") if isinstance(view.output, dict) else None
        if said is None:
            assert view.node_id == "answer"
            assert (view.ended_date or 0) >= (view.started_date or 0) + HOUR_MS, f"{key} ended early"
        else:
            assert any(said in ([self.accepted[t]] if t in self.accepted else self.told[t]) for t in tokens)

    def teardown(self) -> None:
        try:
            if not self.is_broken:
                self.outside.weather, self.outside.cancels_next_call = "fair", False
                for run_id in self.run_ids:
                    self._do(self._end(run_id))
        finally:
            self.loop.run(self.mortal.crash())
            self.outside.check_cancels()
            self.database.close()
            self.loop.close()

    async def _end(self, run_id: str) -> None:
        run = await driven(self.world, run_id, body={"told": -2}, answered=())
        assert run is not None, "a run has no end"


def test_whatever_happens_in_whatever_order_the_promises_hold(
    migrated_sqlite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Chance is Hypothesis' own, and nobody waits for real time to pass.
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    monkeypatch.setattr("orchestrator_app.runner.poller.uniform", lambda _, most: most)
    monkeypatch.setattr("orchestrator_app.runner.segment.LINGER_MS", -1)

    def database_file() -> Path:
        file = tmp_path / "orchestrator.db"
        shutil.copyfile(migrated_sqlite_file, file)
        return file

    class Story(RunMachine):
        def __init__(self) -> None:
            super().__init__(database_file)

    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            # To make a story shorter takes minutes: whoever has one to look into adds Phase.shrink.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
