"""Reads the lists of the workflows on the platforms into the cache, in the background, page by page."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from orchestrator_app.errors import (
    NotFound,
    OrchestratorError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    Unavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.remote_workflow import RemoteWorkflow, WorkflowPage
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.services.platforms import Platforms
from orchestrator_app.services.views import ConnectionView
from orchestrator_app.services.workflow_rows import row_of
from orchestrator_app.storage import workflows as rows
from orchestrator_app.storage.database import Database

log = logging.getLogger(__name__)

FRESH_MS = 5 * 60_000
# A platform that is down is not asked again by every page that somebody opens.
PAUSE_AFTER_FAILURE_MS = 60_000
AT_ONCE = 4
MOST_PAGES = 2_000
PUBLISH_PAUSE_SECONDS = 0.25
RETRY_PAUSES_SECONDS = (1.0, 4.0, 15.0)
LONGEST_RETRY_AFTER_SECONDS = 90.0

_BROKEN = "The workflows could not be read because of a defect."
_BROKEN_HINT = "The log of Orchestrator says more."
_Outcome = Literal["read", "changed"]


class WorkflowSync:
    """One task per connection while its list is read; nothing of it is needed after a restart."""

    def __init__(
        self,
        database: Database,
        platforms: Platforms,
        hub: Hub,
        *,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._database = database
        self._platforms = platforms
        self._connections = platforms.connections
        self._hub = hub
        self._now = now
        self._sleep = sleep
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[OrchestratorError | None]] = {}
        self._is_closed = False

    def begin(self, workspace_id: str, connection_id: str) -> asyncio.Task[OrchestratorError | None]:
        """Begin to read the list of a connection, unless it is being read; the task gives what went wrong."""
        if task := self._tasks.get(connection_id):
            return task
        self._connections.syncing.add(connection_id)
        task = asyncio.create_task(
            self._run(workspace_id, connection_id), name=f"workflows of {connection_id}"
        )
        self._tasks[connection_id] = task
        task.add_done_callback(lambda _: self._ended(workspace_id, connection_id))
        if self._is_closed:
            task.cancel()
        return task

    def begin_if_stale(self, workspace_id: str, view: ConnectionView) -> bool:
        """Begin to read the list if it is old; returns whether it is being read now."""
        if view.id not in self._tasks and self._is_stale(view):
            self.begin(workspace_id, view.id)
        return view.id in self._tasks

    async def close(self) -> None:
        """Stop reading; what was read stays."""
        self._is_closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_stale(self, view: ConnectionView) -> bool:
        sync = view.sync
        if sync is None or not lists_workflows(view):
            return False
        now = self._now()
        if sync.failed_date is not None and sync.failed_date >= view.updated_date:
            return now - sync.failed_date >= PAUSE_AFTER_FAILURE_MS
        # A connection that was changed since may lead to other workflows.
        return (
            sync.synced_date is None
            or now - sync.synced_date >= FRESH_MS
            or sync.synced_date < view.updated_date
        )

    async def _run(self, workspace_id: str, connection_id: str) -> OrchestratorError | None:
        failure: OrchestratorError | None = None
        try:
            async with self._places:
                while await self._read(workspace_id, connection_id) == "changed":
                    log.info("the connection %s was changed; its workflows are read anew", connection_id)
        except OrchestratorError as error:
            # What the platform said is on disk. What else there is: the connection or the database is gone.
            log.info("the workflows of %s could not be read: %s", connection_id, error.message)
            failure = error
        return failure

    def _ended(self, workspace_id: str, connection_id: str) -> None:
        self._tasks.pop(connection_id, None)
        self._connections.syncing.discard(connection_id)
        self._publish(workspace_id, connection_id)

    async def _read(self, workspace_id: str, connection_id: str) -> _Outcome:
        view = await self._connections.get(workspace_id, connection_id)
        number = await self._database.write(
            lambda database: rows.begin_sync(
                database, connection_id, updated_date=view.updated_date, now=self._now()
            )
        )
        if number is None:
            return "changed"
        connection: Connection | None = None
        try:
            provider, connection = await self._platforms.open(
                workspace_id, view.provider, connection_id, Capability.LIST
            )
            if not await self._read_pages(workspace_id, provider, connection, view.updated_date, number):
                return "changed"
        except (NotFound, Unavailable):
            raise
        except OrchestratorError as error:
            await self._failed(workspace_id, view, connection, error)
            raise
        except Exception as error:
            log.exception("reading the workflows of %s broke", connection_id)
            failure = ProviderError(_BROKEN, hint=_BROKEN_HINT, provider=view.provider)
            await self._failed(workspace_id, view, connection, failure)
            raise failure from error
        is_same = await self._database.write(
            lambda database: rows.finish_sync(
                database, connection_id, updated_date=view.updated_date, now=self._now()
            )
        )
        if not is_same:
            return "changed"
        if view.status != "connected":
            # The platform answered, so what was seen of the connection before is over.
            await self._connections.check(workspace_id, connection_id)
        return "read"

    async def _read_pages(
        self,
        workspace_id: str,
        provider: Provider,
        connection: Connection,
        updated_date: int,
        number: int,
    ) -> bool:
        """Keep page after page; False when the connection was changed in the meantime."""
        cursor, seen = "", {""}
        published_at = -PUBLISH_PAUSE_SECONDS
        for _ in range(MOST_PAGES):
            page = await self._page(provider, connection, cursor)
            workflows = tuple(
                row_of(connection.id, workflow) for workflow in page.workflows if _belongs(workflow)
            )
            if not await self._database.write(
                lambda database, workflows=workflows: rows.put_page(
                    database, workflows, updated_date=updated_date, number=number
                )
            ):
                return False
            if not page.cursor:
                return True
            if page.cursor in seen:
                break
            seen.add(page.cursor)
            cursor = page.cursor
            if time.monotonic() - published_at >= PUBLISH_PAUSE_SECONDS:
                published_at = time.monotonic()
                self._publish(workspace_id, connection.id)
        raise UnreadableAnswer(
            f"The list of workflows on {provider.title} has no end: its pages lead in a circle.",
            hint="What was listed before is kept. Try again later.",
            provider=provider.key,
            operation=Capability.LIST.value,
        )

    async def _page(self, provider: Provider, connection: Connection, cursor: str) -> WorkflowPage:
        """One page. In the middle of a list a short outage or a rate limit is waited for."""
        for pause in RETRY_PAUSES_SECONDS if cursor else ():
            try:
                return await provider.workflows(connection, cursor=cursor)
            except ProviderUnavailable:
                await self._sleep(pause)
            except ProviderBusy as error:
                asked = error.retry_after_seconds or 0.0
                if asked > LONGEST_RETRY_AFTER_SECONDS:
                    raise
                await self._sleep(max(pause, asked))
        return await provider.workflows(connection, cursor=cursor)

    async def _failed(
        self,
        workspace_id: str,
        view: ConnectionView,
        connection: Connection | None,
        error: OrchestratorError,
    ) -> None:
        reason = f"{error.message} {error.hint}".strip()
        if connection is not None:
            reason = self._platforms.sentence(connection, error)
            await self._connections.mark_refusal(workspace_id, connection, error, reason)
        now = self._now()
        await self._database.write(
            lambda database: rows.fail_sync(database, view.id, failure=reason, now=now)
        )

    def _publish(self, workspace_id: str, connection_id: str) -> None:
        self._hub.publish(Change("workflows", workspace_id, connection_id, self._now()))


def lists_workflows(view: ConnectionView) -> bool:
    """Whether workflows can be listed through this connection."""
    return Capability.LIST.value in view.capabilities


def _belongs(workflow: RemoteWorkflow) -> bool:
    return not workflow.is_archived and 0 < len(workflow.id) <= rows.LONGEST_ID and "\0" not in workflow.id
