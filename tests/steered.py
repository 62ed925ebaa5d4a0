"""What a test steers around the run engine instead of waiting for it: time, platforms, and crashes of the process."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.looks import Seen
from orchestrator_app.domain.ports import (
    CheckpointStore,
    ClaimedRun,
    DueLook,
    LookStore,
    OpenRun,
    WaitRecord,
)
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.domain.runs import Fact, Logged
from orchestrator_app.errors import NotSupported, ProviderError

# Nothing takes this long: who waits so long waits in vain, and the test says for what.
PATIENCE_SECONDS = 20.0
BEGINNING = 1_700_000_000_000

Step: TypeAlias = Any
"""What a platform does with a call: an answer (RemoteAnswer, RemoteLook or the mere output), an error to raise, or a
coroutine function of the call that gives one of them."""


class SteeredClock:
    """Stands still until a test moves it. Pauses are noted, and over at once; ``asked`` counts the looks at it."""

    def __init__(self) -> None:
        self.ms = BEGINNING
        self.asked = 0
        self.pauses: list[float] = []
        self._news = asyncio.Event()

    def now(self) -> int:
        self.asked += 1
        return self.ms

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._news.set()
        await asyncio.sleep(0)

    async def paused(self, times: int) -> None:
        """Return as soon as there were so many pauses."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.pauses) < times:
                self._news.clear()
                await self._news.wait()


class Held:
    """A call that stays under way until the test gives its answer."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[Step] = asyncio.get_running_loop().create_future()

    async def __call__(self, call: RemoteCall) -> Step:
        return await asyncio.shield(self._answer)

    def answer(self, step: Step = None) -> None:
        self._answer.set_result(step)


class Platform:
    """The world outside, in memory: a gateway that notes every call and look, and does what the test says.

    Calls are told apart by their workflow id, which ``tests.running.webhook`` sets to the node's id. Without a script
    a call is answered with its own body, and a look finds what was answered going on.
    """

    def __init__(self) -> None:
        self.calls: list[RemoteCall] = []
        self.looks: list[tuple[RemoteCall, JsonObject]] = []
        self.callbacks: list[tuple[RemoteCall, JsonObject, JsonValue]] = []
        self.stops: list[tuple[RemoteCall, JsonObject]] = []
        self.can: frozenset[str] = frozenset({"execute", "response", "poll", "callback", "cancel"})
        self.rate = 60_000
        self.cut: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self._scripts: dict[tuple[str, str], Sequence[Step]] = {}
        self._played: Counter[tuple[str, str]] = Counter()
        self._answered: set[str] = set()
        self._news = asyncio.Event()

    def on_call(self, workflow_id: str, *steps: Step) -> None:
        """What becomes of the first, second … call; the last step counts for all further ones."""
        self._scripts["execute", workflow_id] = steps

    def on_look(self, workflow_id: str, *steps: Step) -> None:
        """What the first, second … look sees; the last step counts for all further ones."""
        self._scripts["poll", workflow_id] = steps

    def on_callback(self, workflow_id: str, *steps: Step) -> None:
        """What the first, second … callback means; without it, its body is the result."""
        self._scripts["called_back", workflow_id] = steps

    def on_cancel(self, workflow_id: str, *steps: Step) -> None:
        """What becomes of the first, second … wish to stop an execution."""
        self._scripts["cancel", workflow_id] = steps

    def hold(self, workflow_id: str) -> Held:
        """Keep the next calls under way."""
        held = Held()
        self.on_call(workflow_id, held)
        return held

    def calls_of(self, workflow_id: str) -> list[RemoteCall]:
        return [call for call in self.calls if call.workflow_id == workflow_id]

    def looks_at(self, workflow_id: str) -> int:
        return sum(call.workflow_id == workflow_id for call, _ in self.looks)

    async def called(self, workflow_id: str, count: int = 1) -> list[RemoteCall]:
        """The calls, as soon as there are so many."""
        await self._until(lambda: len(self.calls_of(workflow_id)) >= count)
        return self.calls_of(workflow_id)

    async def looked_at(self, workflow_id: str, count: int) -> None:
        """Return as soon as somebody has looked so often."""
        await self._until(lambda: self.looks_at(workflow_id) >= count)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    # --- the port ---

    async def execute(self, workspace_id: str, call: RemoteCall) -> RemoteAnswer:
        self.calls.append(call)
        self._news.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            given = await self._play("execute", call, call.body)
        except asyncio.CancelledError:
            self.cut.append(call.workflow_id)
            raise
        finally:
            self.at_once -= 1
        self._answered.add(call.correlation_id)
        return given if isinstance(given, RemoteAnswer) else RemoteAnswer("completed", given)

    async def poll(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        self.looks.append((call, memo))
        self._news.set()
        is_known = call.correlation_id in self._answered
        otherwise = RemoteLook("running") if is_known else RemoteLook("unknown", is_certain=False)
        given = await self._play("poll", call, otherwise)
        return given if isinstance(given, RemoteLook) else RemoteLook("completed", given)

    async def called_back(
        self, workspace_id: str, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        self.callbacks.append((call, memo, body))
        self._news.set()
        given = await self._play("called_back", call, body)
        return given if isinstance(given, RemoteLook) else RemoteLook("completed", given)

    async def cancel(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> str:
        self.stops.append((call, memo))
        self._news.set()
        return await self._play("cancel", call, "The execution was stopped.")

    async def redact(self, workspace_id: str, call: RemoteCall, value: JsonValue) -> JsonValue:
        return value

    def sealed_address(self, call: RemoteCall, url: str) -> str:
        return url

    async def capabilities(self, workspace_id: str, call: RemoteCall) -> frozenset[str]:
        return self.can

    async def refusal(self, workspace_id: str, call: RemoteCall, capability: str) -> ProviderError:
        return NotSupported(f"The platform has no {capability}.", provider=call.provider)

    def looks_per_minute(self, provider: str) -> int:
        return self.rate

    async def _play(self, operation: str, call: RemoteCall, otherwise: Step) -> Step:
        key = (operation, call.workflow_id)
        script = self._scripts.get(key, (otherwise,))
        step = script[min(self._played[key], len(script) - 1)]
        self._played[key] += 1
        if callable(step):
            script_of_its_own: Any = step
            step = await script_of_its_own(call)
        if isinstance(step, BaseException):
            raise step
        return step


class BreakableStore:
    """A store whose process can die, and which can be told to do something before a method does its work.

    Writes (``record`` and ``park``) are counted from 0.
    """

    def __init__(self, inner: CheckpointStore) -> None:
        self._inner = inner
        self.writes = 0
        self.has_died = asyncio.Event()
        self._death: tuple[int, str] | None = None
        self._before: dict[str, list[Callable[[], Awaitable[Any]]]] = {}

    def die_at(self, write: int, moment: str) -> None:
        """The process dies ``before`` or ``after`` this write is on disk."""
        self._death = (write, moment)

    def die(self) -> None:
        """From now on nothing is read or written any more, and nobody gets an answer."""
        self.has_died.set()

    def before(self, method: str, *actions: Callable[[], Awaitable[Any]]) -> None:
        """Do this before the next call of a method, the second before the call after that, and so on."""
        self._before.setdefault(method, []).extend(actions)

    def failing(self, method: str, *errors: Exception) -> None:
        """Let the next calls of a method fail."""
        for error in errors:
            self.before(method, lambda error=error: _raise(error))

    # --- the port ---

    async def claim(self, run_id: str, owner: str) -> ClaimedRun | None:
        await self._begin("claim")
        return await self._alive(await self._inner.claim(run_id, owner))

    async def record(self, run: ClaimedRun, facts: Sequence[Fact]) -> None:
        await self._write("record", lambda: self._inner.record(run, facts))

    async def park(self, run: ClaimedRun, wake_at: int | None, at: int) -> bool:
        return await self._write("park", lambda: self._inner.park(run, wake_at, at))

    async def arrivals(self, run: ClaimedRun) -> list[WaitRecord]:
        await self._begin("arrivals")
        return await self._alive(await self._inner.arrivals(run))

    async def note(self, run_id: str, line: Logged) -> None:
        await self._begin("note")
        await self._inner.note(run_id, line)

    async def open_runs(self) -> list[OpenRun]:
        await self._begin("open_runs")
        return await self._inner.open_runs()

    async def due_runs(self, now: int) -> list[str]:
        await self._begin("due_runs")
        return await self._inner.due_runs(now)

    # --- inside ---

    async def _begin(self, method: str) -> None:
        await self._alive(None)
        if actions := self._before.get(method):
            action = actions.pop(0)
            await action()

    async def _alive(self, value: Any) -> Any:
        if self.has_died.is_set():
            await asyncio.Event().wait()
        return value

    async def _write(self, method: str, work: Callable[[], Awaitable[Any]]) -> Any:
        await self._begin(method)
        number, self.writes = self.writes, self.writes + 1
        if self._death == (number, "before"):
            self.die()
        await self._alive(None)
        result = await work()
        if self._death == (number, "after"):
            self.die()
        return await self._alive(result)


class BreakableLooks:
    """The looks of a process that dies with its ``BreakableStore``, and that can be told to do something before."""

    def __init__(self, inner: LookStore, store: BreakableStore) -> None:
        self._inner = inner
        self._store = store

    async def take(self, now: int, *, lease: int, limit: int) -> tuple[list[DueLook], int | None]:
        await self._store._begin("take")
        return await self._store._alive(await self._inner.take(now, lease=lease, limit=limit))

    async def put_off(self, looks: Sequence[tuple[DueLook, int]]) -> None:
        await self._store._begin("put_off")
        await self._inner.put_off(looks)

    async def keep(self, seen: Sequence[tuple[DueLook, Seen]], now: int) -> list[str]:
        await self._store._begin("keep")
        return await self._store._alive(await self._inner.keep(seen, now))


async def _raise(error: Exception) -> None:
    raise error
