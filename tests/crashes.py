"""Crashes at chosen moments: every write to the database and every call outside can be the last thing a process does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.ports import ProviderGateway
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import ProviderError
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection
from tests.running import Life, World

Result = TypeVar("Result")


class Lifetime:
    """How long a process lives. The moments of it at which it can die are counted from 0.

    Args:
        dies_at: The moment that is its last; None for a process that dies of nothing by itself.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self._dies_at = dies_at
        self._named_end: tuple[str, int] | None = None
        self.moments: list[str] = []
        self.is_over = asyncio.Event()
        self._left_behind: list[asyncio.Future[None]] = []

    def end_at(self, name: str, more: int = 0) -> None:
        """Let the process die at the next moment of this name, or when so many more of them have passed."""
        self._named_end = (name, self.moments.count(name) + more)

    async def around(self, what: str, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Do something that leaves a trace in the world; the process can die before it, and after it."""
        await self._moment(f"before {what}")
        result = await work()
        await self._moment(f"after {what}")
        return result

    async def _moment(self, name: str) -> None:
        await self.alive()
        if len(self.moments) == self._dies_at or (name, self.moments.count(name)) == self._named_end:
            self.is_over.set()
        self.moments.append(name)
        await self.alive()

    async def alive(self) -> None:
        """Nobody comes past here once the process is dead."""
        if self.is_over.is_set():
            waiting = asyncio.get_running_loop().create_future()
            self._left_behind.append(waiting)
            await waiting

    def bury(self) -> None:
        """Let go of what was under way in the dead process."""
        for waiting in self._left_behind:
            waiting.cancel()


class MortalDatabase(Database):
    """A database as a process sees it that can die: what it holds outlives the process."""

    def __init__(self, kept: Database, life: Lifetime) -> None:
        self._kept = kept
        self._life = life
        self.url = kept.url
        self.is_sqlite = kept.is_sqlite

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        return await self._life.around("a write", lambda: self._kept.write(work))

    async def jot(self, work: Callable[[Connection], Result]) -> Result:
        return await self._life.around("a write", lambda: self._kept.jot(work))

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        return await self._while_alive(self._kept.read, work)

    async def glance(self, work: Callable[[Connection], Result]) -> Result:
        return await self._while_alive(self._kept.glance, work)

    async def _while_alive(
        self,
        read: Callable[[Callable[[Connection], Result]], Awaitable[Result]],
        work: Callable[[Connection], Result],
    ) -> Result:
        await self._life.alive()
        result = await read(work)
        await self._life.alive()
        return result


class MortalGateway:
    """The world outside, as a process sees it that can die."""

    def __init__(self, outside: ProviderGateway, life: Lifetime) -> None:
        self._outside = outside
        self._life = life

    async def execute(self, workspace_id: str, call: RemoteCall) -> RemoteAnswer:
        return await self._life.around("a call", lambda: self._outside.execute(workspace_id, call))

    async def poll(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        return await self._life.around("a look", lambda: self._outside.poll(workspace_id, call, memo))

    async def called_back(
        self, workspace_id: str, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        return await self._life.around(
            "what a callback means", lambda: self._outside.called_back(workspace_id, call, memo, body)
        )

    async def cancel(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> str:
        return await self._life.around("a stop", lambda: self._outside.cancel(workspace_id, call, memo))

    async def redact(self, workspace_id: str, call: RemoteCall, value: JsonValue) -> JsonValue:
        return await self._outside.redact(workspace_id, call, value)

    def sealed_address(self, call: RemoteCall, url: str) -> str:
        return self._outside.sealed_address(call, url)

    async def capabilities(self, workspace_id: str, call: RemoteCall) -> frozenset[str]:
        return await self._outside.capabilities(workspace_id, call)

    async def refusal(self, workspace_id: str, call: RemoteCall, capability: str) -> ProviderError:
        return await self._outside.refusal(workspace_id, call, capability)

    def looks_per_minute(self, provider: str) -> int:
        return self._outside.looks_per_minute(provider)


class MortalWorld:
    """A world whose process can be told when to die.

    Args:
        world: Its surroundings; the process in it gives way to mortal ones.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._database, self._gateway = world.database, world.gateway
        self.life = Lifetime()
        # Reads what is on disk, whoever lives.
        self.witness = Life(world, world.gateway).runs

    async def begin(self, dies_at: int | None = None) -> None:
        """The process starts."""
        self.life = Lifetime(dies_at)
        self.world.database = MortalDatabase(self._database, self.life)
        self.world.gateway = MortalGateway(self._gateway, self.life)
        await self.world.begin()

    async def crash(self) -> None:
        """The process is gone, by itself or now; what it had handed to the disk is there."""
        self.life.is_over.set()
        await self.world.crash()
        self.life.bury()
        await self._database.write(lambda _: None)

    async def lived_through(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The result of the work, or None when the process died before it was done."""
        working = asyncio.create_task(work)
        dying = asyncio.create_task(self.life.is_over.wait())
        await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if self.life.is_over.is_set():
            working.cancel()
            await asyncio.wait({working})
            return None
        return await working
