"""The graphs of remote workflows: fetched, kept, and shown as they were when the platform does not answer."""

from collections.abc import Callable
from http import HTTPStatus

from orchestrator_app.errors import NotFound, ProviderError, ProviderRefused
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.remote_workflow import WorkflowPreview
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.services.platforms import Platforms
from orchestrator_app.services.workflow_rows import preview_of, preview_text, row_of, with_content_hash
from orchestrator_app.services.workflow_views import PreviewView
from orchestrator_app.storage import snapshots
from orchestrator_app.storage import workflows as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection as DatabaseConnection

FRESH_MS = 30_000


class WorkflowPreviews:
    """Looks at single workflows."""

    def __init__(self, database: Database, platforms: Platforms, hub: Hub, *, now: Callable[[], int]) -> None:
        self._database = database
        self._platforms = platforms
        self._hub = hub
        self._now = now
        # Their last graphs are still stored, but are no answer any more.
        self._gone: set[tuple[str, str]] = set()

    async def look(
        self,
        workspace_id: str,
        provider_key: str,
        workflow_id: str,
        *,
        connection_id: str = "",
        fresh: bool = False,
    ) -> PreviewView:
        """The workflow as a graph, as fresh as can be had.

        Raises:
            NotFound: No such provider or connection here, or no such workflow there (any more).
            InvalidInput: No connection or several, and none was named.
            NotSupported: The platform does not show its workflows.
            ProviderError: What the platform says, when nothing is known from earlier.
        """
        provider, connection = await self._platforms.open(
            workspace_id, provider_key, connection_id, Capability.PREVIEW
        )
        if len(workflow_id) > rows.LONGEST_ID:
            raise _gone(provider, workflow_id)
        if not provider.credential_fields:
            preview = await self._fetch(workspace_id, provider, connection, workflow_id)
            return PreviewView("", with_content_hash(preview), self._now())
        stored, listed, has_list = await self._database.read(
            lambda database: _known(database, workspace_id, connection, workflow_id)
        )
        known = preview_of(stored.preview) if stored else None
        is_fresh = (
            stored is not None
            and not fresh
            and (connection.id, workflow_id) not in self._gone
            and self._now() - stored.fetched_date < FRESH_MS
            and (listed.content_hash in {"", stored.content_hash} if listed else not has_list)
        )
        if stored and known and is_fresh:
            return PreviewView(connection.id, known, stored.fetched_date)
        try:
            preview = with_content_hash(await self._fetch(workspace_id, provider, connection, workflow_id))
        except NotFound:
            if stored is not None:
                self._gone.add((connection.id, workflow_id))
            await self._forget(workspace_id, connection, workflow_id)
            raise
        except ProviderError as error:
            reason = self._platforms.sentence(connection, error)
            await self._platforms.connections.mark_refusal(workspace_id, connection, error, reason)
            if stored is None or known is None:
                raise
            return PreviewView(connection.id, known, stored.fetched_date, failure=reason)
        now = self._now()
        self._gone.discard((connection.id, workflow_id))
        await self._database.write(
            lambda database: _keep_newest(database, connection, workflow_id, preview, now)
        )
        if _is_news(preview, stored, listed):
            self._hub.publish(Change("workflows", workspace_id, connection.id, now))
        return PreviewView(connection.id, preview, now)

    async def keep(self, connection_id: str, workflow_id: str, content_hash: str) -> None:
        """A node stands for this graph, so it is needed to tell later what changed."""
        await self._database.write(
            lambda database: snapshots.keep(database, connection_id, workflow_id, content_hash)
        )

    async def at(self, connection_id: str, workflow_id: str, content_hash: str) -> WorkflowPreview | None:
        """The graph at one content, if it is known."""
        stored = await self._database.read(
            lambda database: snapshots.get(database, connection_id, workflow_id, content_hash)
        )
        return preview_of(stored.preview) if stored else None

    async def _fetch(
        self, workspace_id: str, provider: Provider, connection: Connection, workflow_id: str
    ) -> WorkflowPreview:
        try:
            return await provider.preview(connection, workflow_id)
        except ProviderRefused as error:
            if error.remote_status != HTTPStatus.NOT_FOUND:
                raise
            # So answers a platform whose API was switched off or has moved, too: that says nothing of a workflow.
            outcome = await self._platforms.connections.check(workspace_id, connection.id)
            if outcome.status == "connected":
                raise _gone(provider, workflow_id) from error
            raise ProviderRefused(
                outcome.detail,
                provider=provider.key,
                operation=Capability.PREVIEW.value,
                remote_status=error.remote_status,
            ) from error

    async def _forget(self, workspace_id: str, connection: Connection, workflow_id: str) -> None:
        was_known = await self._database.write(
            lambda database: rows.delete(database, connection.id, workflow_id)
        )
        if was_known:
            self._hub.publish(Change("workflows", workspace_id, connection.id, self._now()))


def _known(
    database: DatabaseConnection, workspace_id: str, connection: Connection, workflow_id: str
) -> tuple[snapshots.Snapshot | None, rows.CachedWorkflow | None, bool]:
    """The newest graph, the row of the list, and whether the list was read: one that is missing there may be gone."""
    newest = snapshots.newest(database, [connection.id], [workflow_id])
    listed = rows.find(database, [connection.id], [workflow_id])
    sync = rows.syncs(database, workspace_id).get(connection.id)
    has_list = sync is not None and sync.synced_date is not None
    return newest.get((connection.id, workflow_id)), listed[0] if listed else None, has_list


def _keep_newest(
    database: DatabaseConnection, connection: Connection, workflow_id: str, preview: WorkflowPreview, now: int
) -> None:
    snapshots.put(
        database,
        connection.id,
        workflow_id,
        content_hash=preview.workflow.content_hash,
        preview=preview_text(preview),
        now=now,
    )
    if preview.workflow.id == workflow_id and not preview.workflow.is_archived:
        rows.put_seen(database, row_of(connection.id, preview.workflow))


def _is_news(
    preview: WorkflowPreview, stored: snapshots.Snapshot | None, listed: rows.CachedWorkflow | None
) -> bool:
    """Whether the workflow is another one than what was known of it."""
    workflow = preview.workflow
    known = {stored.content_hash} if stored else set[str]()
    if listed is not None and listed.content_hash:
        known.add(listed.content_hash)
    is_listed_so = listed is None or (listed.name, listed.is_active) == (workflow.name, workflow.is_active)
    return not is_listed_so or bool(known - {workflow.content_hash})


def _gone(provider: Provider, workflow_id: str) -> NotFound:
    return NotFound(
        f"There is no workflow {workflow_id[:60]} on {provider.title} (any more).",
        hint="It may have been deleted there. Choose another one.",
        context={"provider": provider.key},
    )
