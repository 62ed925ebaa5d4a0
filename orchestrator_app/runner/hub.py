"""Live events inside this process: only who changed travels, readers fetch the rows themselves."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

EventKind = Literal["run", "orchestrator", "connection", "workflows"]
PENDING_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """Something has a newer state on disk.

    A run (``seq``), an orchestrator (``seq`` is its version), a connection, or the workflows seen through a connection
    (then ``id`` is that of the connection). ``is_end`` tells of a run that it has ended.
    """

    kind: EventKind
    workspace_id: str
    id: str
    seq: int = 0
    orchestrator_id: str = ""
    is_end: bool = False


class Subscription:
    """The changes that one reader has not taken yet; a newer change of the same thing replaces an older one."""

    def __init__(
        self, workspace_id: str, *, run_id: str, orchestrator_id: str, only_ends: bool = False
    ) -> None:
        self._workspace_id = workspace_id
        self._run_id = run_id
        self._orchestrator_id = orchestrator_id
        self._only_ends = only_ends
        self._pending: dict[tuple[str, str], Change] = {}
        self._event = asyncio.Event()

    @property
    def is_for_all(self) -> bool:
        """Whether it is for the changes of all workspaces."""
        return not self._workspace_id

    def offer(self, change: Change) -> None:
        """Keep the change if this reader cares for it."""
        if self._only_ends and change.kind == "run" and not change.is_end:
            return
        if not self.is_for_all and change.workspace_id != self._workspace_id:
            return
        if self._run_id and change.id != self._run_id:
            return
        if self._orchestrator_id and self._orchestrator_id not in {change.orchestrator_id, change.id}:
            return
        key = (change.kind, change.id)
        earlier = self._pending.get(key)
        if earlier is not None and earlier.is_end:
            # What is still noted about a run that has ended must not hide its end.
            change = replace(change, is_end=True)
        if earlier is not None or len(self._pending) < PENDING_LIMIT:
            self._pending[key] = change
        self._event.set()

    async def take(self, timeout_seconds: float) -> list[Change]:
        """Wait for changes and take all of them; empty after the timeout (time to look for lost ones)."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return []
        self._event.clear()
        changes = list(self._pending.values())
        self._pending.clear()
        return changes


class Hub:
    """In-process fan-out. Several processes need one over PostgreSQL NOTIFY with the same three methods."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @property
    def subscribers(self) -> int:
        """How many readers listen to a workspace; who listens to all of them is a part of the program itself."""
        return sum(not subscription.is_for_all for subscription in self._subscriptions)

    def publish(self, change: Change) -> None:
        """Tell every reader; must be called on the event loop's thread."""
        for subscription in self._subscriptions:
            subscription.offer(change)

    @asynccontextmanager
    async def subscribe(
        self, workspace_id: str, *, run_id: str = "", orchestrator_id: str = "", only_ends: bool = False
    ) -> AsyncGenerator[Subscription]:
        """Listen to a workspace's changes, or only to those of one run or of one orchestrator and its runs.

        An empty workspace stands for all of them. With ``only_ends``, a run is heard of when it ends, not before.
        """
        subscription = Subscription(
            workspace_id, run_id=run_id, orchestrator_id=orchestrator_id, only_ends=only_ends
        )
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
