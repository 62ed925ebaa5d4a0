"""Drafts: what a browser tab has drawn and not saved is kept, so that no reload and no restart loses it."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import Unavailable
from orchestrator_app.storage import drafts as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.payloads import dumps, loads
from orchestrator_app.storage.sql import Connection

log = logging.getLogger(__name__)

# Quick edits in a row are one write; this much may be lost to a power cut.
PAUSE_SECONDS = 0.3
RETRY_SECONDS = 5.0
KEPT_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class Draft:
    """An unsaved graph and the saved version it builds on."""

    version: int
    definition: dict[str, Any]


class Drafts:
    """Keeps the newest unsaved graph of each tab; writing happens a moment later, in one go."""

    def __init__(self, database: Database, *, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now
        self._pending: dict[tuple[str, str], tuple[str, int, Definition | None]] = {}
        self._writer: asyncio.Task[None] | None = None

    def keep(
        self, workspace_id: str, tab: str, orchestrator_id: str, version: int, definition: Definition
    ) -> None:
        """Remember the tab's unsaved graph."""
        self._change(workspace_id, tab, orchestrator_id, version, definition)

    def forget(self, workspace_id: str, tab: str, orchestrator_id: str) -> None:
        """The tab has nothing unsaved any more."""
        self._change(workspace_id, tab, orchestrator_id, 0, None)

    def _change(
        self, workspace_id: str, tab: str, orchestrator_id: str, version: int, definition: Definition | None
    ) -> None:
        self._pending[_hash(tab), orchestrator_id] = (workspace_id, version, definition)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="drafts")

    async def find(self, workspace_id: str, tab: str, orchestrator_id: str) -> Draft | None:
        """What the tab had not saved, or None."""
        await self.flush()
        key = _hash(tab)
        row = await self._database.read(
            lambda connection: rows.get(connection, workspace_id, tab=key, orchestrator_id=orchestrator_id)
        )
        return Draft(row.version, loads(row.definition)) if row else None

    async def flush(self) -> None:
        """Write what is pending now.

        Raises:
            Unavailable: The database cannot take it; it stays pending.
        """
        pending, now = dict(self._pending), self._now()
        if not pending:
            return

        def work(connection: Connection) -> None:
            for (tab, orchestrator_id), (workspace_id, version, definition) in pending.items():
                if definition is None:
                    rows.delete(connection, tab=tab, orchestrator_id=orchestrator_id)
                else:
                    rows.put(
                        connection,
                        workspace_id,
                        tab=tab,
                        orchestrator_id=orchestrator_id,
                        version=version,
                        definition=dumps(definition.as_json()),
                        now=now,
                    )
            rows.prune(connection, now - KEPT_MS)

        await self._database.write(work)
        for key, value in pending.items():
            if self._pending.get(key) is value:
                del self._pending[key]

    async def _write_soon(self) -> None:
        pause = PAUSE_SECONDS
        while self._pending:
            await asyncio.sleep(pause)
            try:
                await self.flush()
            except Unavailable as error:
                log.warning("unsaved edits wait for the database: %s", error.message)
                pause = RETRY_SECONDS
            else:
                pause = PAUSE_SECONDS

    async def close(self) -> None:
        """Write what is pending and end."""
        if self._writer is not None:
            self._writer.cancel()
        await self.flush()


def _hash(tab: str) -> str:
    """A tab's token names its session, so only its hash is stored."""
    return hashlib.sha256(tab.encode()).hexdigest()
