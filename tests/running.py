"""Runs in tests: graphs in a few words, and a ``World`` with a real engine on a real database to run them in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Edge, Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.ports import ProviderGateway
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.runner.dispatcher import LocalDispatcher
from orchestrator_app.runner.engine import Engine, EngineParts
from orchestrator_app.runner.evaluator import Evaluator
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.runner.poller import Poller
from orchestrator_app.runner.queue import RunQueue
from orchestrator_app.runner.rendering import Renderer
from orchestrator_app.runner.stopping import OutsideStops
from orchestrator_app.security import tokens
from orchestrator_app.security.signatures import UNSIGNED, Message
from orchestrator_app.services.callbacks import Callbacks
from orchestrator_app.services.interventions import Interventions
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.services.runs import Runs
from orchestrator_app.services.views import AttemptView, NodeRunView, RunDetail, RunSummary
from orchestrator_app.storage import callbacks as callback_rows
from orchestrator_app.storage.checkpoints import SqlCheckpointStore
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.looks import SqlLookStore
from orchestrator_app.storage.queue import SqlRunQueueStore
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE as WORKSPACE
from tests.steered import PATIENCE_SECONDS, BreakableLooks, BreakableStore, Platform, SteeredClock
from tests.storage.jobs import busy
from tests.storage.journal import seal, unseal

ENDS = {"COMPLETED", "FAILED", "CANCELLED"}


def node(node_id: str, kind: str, *, disabled: bool = False, label: str = "", **config: Any) -> Node:
    return Node(node_id, kind, label or node_id, config, disabled=disabled)


def webhook(node_id: str, **config: Any) -> Node:
    """A call that the test's ``Platform`` knows by the node's id."""
    return Node(node_id, "RemoteWebhook", node_id, {"provider": "simulated", "workflowId": node_id, **config})


def mapper(node_id: str, *, label: str = "", mode: str = "replace", **mappings: str) -> Node:
    """A DataMapper: ``total="data.price"`` puts the price at ``total``."""
    pairs = [{"from": source, "to": target} for target, source in mappings.items()]
    return node(node_id, "DataMapper", label=label, mappings=pairs, mode=mode)


def condition(node_id: str, **cases: str) -> Node:
    """A Condition: ``yes="data.ok"`` leads to the branch ``yes`` when ok is true."""
    listed = [{"expression": expression, "handle": handle} for handle, expression in cases.items()]
    return node(node_id, "Condition", cases=listed)


def wait(node_id: str, **config: Any) -> Node:
    return node(node_id, "WaitForCallback", **config)


def graph(nodes: list[Node], edges: str = "") -> Definition:
    """Nodes and their edges: ``"a b, b:error c"`` leads from a to b, and from b's error handle to c."""
    wired: list[Edge] = []
    for entry in filter(None, (part.strip() for part in edges.split(","))):
        origin, target = entry.split()
        source, _, handle = origin.partition(":")
        wired.append(Edge(entry.replace(" ", "-"), source, target, handle))
    return Definition(tuple(nodes), tuple(wired))


def nodes_of(run: RunDetail) -> dict[str, NodeRunView]:
    return {view.node_id: view for view in run.nodes}


def states_of(run: RunDetail) -> dict[str, str]:
    return {view.node_id: view.state for view in run.nodes}


def messages_of(run: RunDetail) -> list[str]:
    return [line.message for line in run.logs]


def failure_of(failed: RunSummary | NodeRunView | AttemptView) -> dict[str, Any]:
    """Why it failed."""
    assert failed.failure is not None
    return failed.failure


def body_of(call: RemoteCall) -> dict[str, Any]:
    """The body of a call, which is an object."""
    assert isinstance(call.body, dict)
    return call.body


def token_in(url: str) -> str:
    return url.partition("?token=")[2]


def callback_url(run_id: str, token: str) -> str:
    return f"https://orchestrator.example/callback/{run_id}?token={token}"


class Life:
    """One life of the process, from its start to its stop or crash."""

    def __init__(self, world: "World", gateway: ProviderGateway) -> None:
        clock = world.clock
        self.store = BreakableStore(
            SqlCheckpointStore(
                world.database,
                seal=seal,
                unseal=unseal,
                token_hash=tokens.token_hash,
                changed=world.changed,
                now=clock.now,
            )
        )
        self.dispatcher = LocalDispatcher(self.store, clock, concurrency=world.run_concurrency)
        renderer = Renderer(world.evaluator)
        looks = BreakableLooks(SqlLookStore(world.database, unseal=unseal, changed=world.changed), self.store)
        self.poller = Poller(looks, gateway, self.dispatcher, renderer, clock, tick_seconds=0)
        self.stops = OutsideStops(gateway, self.store, clock)
        self.queue = RunQueue(SqlRunQueueStore(world.database), self.dispatcher, world.hub)
        self.engine = Engine(
            EngineParts(
                store=self.store,
                dispatcher=self.dispatcher,
                gateway=gateway,
                poller=self.poller,
                stops=self.stops,
                renderer=renderer,
                clock=clock,
                callback_url=callback_url,
                new_token=tokens.new_callback_token,
                new_id=tokens.new_id,
                node_concurrency=world.node_concurrency,
            )
        )
        self.runs = Runs(
            world.database,
            self.dispatcher,
            world.hub,
            callback_url=callback_url,
            unseal=unseal,
            stops=self.stops,
            now=clock.now,
            new_id=tokens.new_id,
        )
        self.interventions = Interventions(
            world.database, self.dispatcher, world.hub, now=clock.now, new_id=tokens.new_id
        )
        self.callbacks = Callbacks(
            world.database,
            self.dispatcher,
            world.hub,
            token_hash=tokens.token_hash,
            unseal_secret=unseal,
            now=clock.now,
        )


class World:
    """A database with the process that works on it. What the process is made of is real but its surroundings.

    Args:
        database: Where all is kept, from one life of the process to the next.
        gateway: The world outside, if it is not ``platform``.
    """

    def __init__(self, database: Database, gateway: ProviderGateway | None = None) -> None:
        self.database = database
        self.clock = SteeredClock()
        self.platform = Platform()
        self.hub = Hub()
        self.evaluator = Evaluator(workers=1)
        self.gateway: ProviderGateway = gateway or self.platform
        self.node_concurrency = 10
        self.run_concurrency = 16
        self.changes: list[Change] = []
        self.orchestrators = Orchestrators(database, self.hub, now=self.clock.now, new_id=tokens.new_id)
        self.life = Life(self, self.gateway)

    def changed(
        self, workspace_id: str, orchestrator_id: str, run_id: str, seq: int, *, is_end: bool = False
    ) -> None:
        change = Change("run", workspace_id, run_id, seq, orchestrator_id, is_end)
        self.changes.append(change)
        self.hub.publish(change)

    @property
    def runs(self) -> Runs:
        return self.life.runs

    @property
    def interventions(self) -> Interventions:
        return self.life.interventions

    @property
    def store(self) -> BreakableStore:
        return self.life.store

    @property
    def dispatcher(self) -> LocalDispatcher:
        return self.life.dispatcher

    # --- lives of the process ---

    async def begin(self) -> None:
        """The process starts."""
        self.life = Life(self, self.gateway)
        await self.life.engine.start()
        self.life.queue.start()

    async def crash(self) -> None:
        """The process is gone at once: nothing more is written, and its calls are cut."""
        self.life.store.die()
        await self.life.queue.stop()
        await self.life.engine.stop(0)

    async def restart(self) -> None:
        """The process crashes, and another one starts on the same database."""
        await self.crash()
        await self.begin()

    # --- runs ---

    async def keep(self, definition: Definition) -> str:
        """The id of a new orchestrator."""
        detail = await self.orchestrators.create(WORKSPACE, name="Nightly", definition=definition.as_json())
        return detail.id

    async def start(self, definition: Definition, data: JsonValue = None) -> str:
        """The id of a run that has begun."""
        summary, _ = await self.runs.start(WORKSPACE, await self.keep(definition), data, trigger="api")
        return summary.id

    async def run(self, definition: Definition, data: JsonValue = None) -> RunDetail:
        """A run that has ended by itself."""
        return await self.ended(await self.start(definition, data))

    async def until(self, run_id: str, is_so: Callable[[RunDetail], bool]) -> RunDetail:
        """The run as soon as something holds of it."""
        run = await self.runs.get(WORKSPACE, run_id)
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self.hub.subscribe(WORKSPACE, run_id=run_id) as changes,
            ):
                while not is_so(run := await self.runs.get(WORKSPACE, run_id)):
                    await changes.take(PATIENCE_SECONDS)
        except TimeoutError as error:
            raise AssertionError(f"It never came to that: {run.summary}, {states_of(run)}") from error
        return run

    async def ended(self, run_id: str) -> RunDetail:
        return await self.until(run_id, lambda run: run.summary.state in ENDS)

    async def at_rest(self) -> None:
        """Return when nobody works on any run, looks at an execution outside or stops one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (tasks := self.dispatcher._tasks) or not self.life.poller._is_at_rest.is_set():
                await (asyncio.wait(tasks) if tasks else self.life.poller._is_at_rest.wait())
            await self.stopped()

    async def stopped(self) -> None:
        """Return when every platform was told to stop what it was to stop, or was given up."""
        if tasks := self.life.stops._tasks:
            await asyncio.wait(tasks)

    async def parked(self, run_id: str) -> RunDetail:
        """The run once only waits are left of it, and nobody works on any run."""
        await self.until(run_id, lambda run: run.summary.state == "WAITING")
        await self.at_rest()
        return await self.until(run_id, lambda run: run.summary.state == "WAITING")

    async def waiting_at(self, run_id: str, node_id: str) -> RunDetail:
        """The run once this node of it waits; others may still work."""
        return await self.until(run_id, lambda run: nodes_of(run)[node_id].state == "WAITING")

    async def tokens_of(self, run_id: str) -> dict[str, list[str]]:
        """The callback tokens of a run's nodes, oldest first."""
        waits = await self.database.read(lambda connection: callback_rows.waits(connection, run_id))
        found: dict[str, list[str]] = {}
        for row in waits:
            found.setdefault(row.node_id, []).append(unseal(row.token_sealed, row.id))
        return found

    async def call_back(
        self, run_id: str | None, token: str, body: JsonValue = None, message: Message = UNSIGNED
    ) -> str:
        return await self.life.callbacks.receive(run_id, token, body, message)

    def advance(self, milliseconds: int) -> None:
        """Time passes, and whoever waits for it looks at the clock again."""
        self.clock.ms += milliseconds
        for run_id in list(self.dispatcher._active):
            self.dispatcher.enqueue(run_id)
        self.dispatcher._timer_changed.set()
        self.life.poller._is_at_rest.clear()
        self.life.poller._changed.set()


async def driven(
    world: World, run_id: str, *, answered: Collection[str] | None = None, body: JsonValue = None
) -> RunDetail | None:
    """The run after whatever it waits for has come; None when the process died before its end.

    Args:
        world: Where it runs.
        run_id: The run.
        answered: Nodes that are called back; None for all. The others wait until their time is over.
        body: What they are told; an object with a number unless given.
    """
    said: JsonValue = body if body is not None else {"n": 1}
    while True:
        resting = asyncio.create_task(world.at_rest())
        dying = asyncio.create_task(world.store.has_died.wait())
        try:
            await asyncio.wait({resting, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not resting.done():
                return None
            await resting
        finally:
            resting.cancel()
            dying.cancel()
        run = await world.runs.get(WORKSPACE, run_id)
        if run.summary.state in ENDS:
            return run
        called = [view for view in run.nodes if view.callback_url]
        chosen = [view for view in called if answered is None or view.node_id in answered]
        for view in chosen:
            await world.call_back(run_id, token_in(view.callback_url), said)
        if not chosen:
            due = [view.wake_at for view in run.nodes if view.wake_at is not None]
            assert due, f"nothing will ever wake it: {states_of(run)}"
            world.advance(max(1, min(due) - world.clock.ms))


async def abandoned(database: Database, request: Coroutine[Any, Any, Any]) -> None:
    """Ask for something, and be gone before the database has written it."""
    is_asked = asyncio.Event()

    def watched(write: Any) -> Any:
        async def written(work: Any) -> Any:
            is_asked.set()
            return await write(work)

        return written

    with pytest.MonkeyPatch.context() as patch:
        async with busy(database):
            for name in ("write", "jot"):
                patch.setattr(database, name, watched(getattr(database, name)))
            asking = asyncio.create_task(request)
            await is_asked.wait()
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait({asking})
    assert asking.cancelled()


@asynccontextmanager
async def open_world(database: Database, gateway: ProviderGateway | None = None) -> AsyncIterator[World]:
    """A world whose process has started; it is gone at the end of the block."""
    world = World(database, gateway)
    await world.evaluator.start()
    try:
        await world.begin()
        yield world
    finally:
        await world.crash()
        await world.evaluator.stop()
