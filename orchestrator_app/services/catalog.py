"""The workflows that exist on the platforms: browsed from the cache, looked at, and made into nodes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import InvalidInput
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.remote_workflow import RemoteWorkflow
from orchestrator_app.runner.hub import Hub
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.platforms import Platforms
from orchestrator_app.services.views import ConnectionView
from orchestrator_app.services.workflow_marks import WorkflowMarks
from orchestrator_app.services.workflow_nodes import node_from
from orchestrator_app.services.workflow_previews import WorkflowPreviews
from orchestrator_app.services.workflow_rows import workflow_of
from orchestrator_app.services.workflow_sync import WorkflowSync, lists_workflows
from orchestrator_app.services.workflow_views import (
    NewNode,
    PreviewView,
    WorkflowChange,
    WorkflowList,
    WorkflowMark,
    WorkflowQuery,
    WorkflowRow,
)
from orchestrator_app.storage import workflows as rows
from orchestrator_app.storage.database import Database

MOST_ROWS = 500
FIRST_LIST_SECONDS = 20.0
_MOST_DIRECT_PAGES = 50


class Catalog:
    """Use cases around remote workflows."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[str, Provider],
        connections: Connections,
        hub: Hub,
        *,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._connections = connections
        self._platforms = Platforms(providers, connections)
        self._sync = WorkflowSync(database, self._platforms, hub, now=now, sleep=sleep)
        self._previews = WorkflowPreviews(database, self._platforms, hub, now=now)
        self._marks = WorkflowMarks(database, self._platforms, self._previews, self._sync)

    async def browse(
        self,
        workspace_id: str,
        provider_key: str,
        query: WorkflowQuery,
        *,
        offset: int = 0,
        limit: int = 100,
    ) -> WorkflowList:
        """A stretch of the platform's workflows as they were listed last; an old list is read anew meanwhile.

        Raises:
            NotFound: No such provider or connection here.
            InvalidInput: The named connection is another provider's.
            NotSupported: The platform has no list.
        """
        offset, limit = max(0, offset), max(1, min(limit, MOST_ROWS))
        provider = self._platforms.provider(provider_key)
        if Capability.LIST not in provider.capabilities:
            raise provider.refusal(Capability.LIST)
        if not provider.credential_fields:
            return await _browse_directly(provider, query, offset, limit)
        views = await self._views(workspace_id, provider, query.connection_id)
        found = await self._database.read(
            lambda database: rows.browse(
                database, [view.id for view in views], _filter(query), offset=offset, limit=limit
            )
        )
        names = {view.id: view.name for view in views}
        syncs = tuple(
            replace(view.sync, is_syncing=self._sync.begin_if_stale(workspace_id, view))
            for view in views
            if view.sync is not None
        )
        listed = tuple(
            WorkflowRow(row.connection_id, names[row.connection_id], workflow_of(row))
            for row in found.workflows
        )
        return WorkflowList(listed, found.total, offset, syncs, found.tags, found.folders, found.teams)

    async def browse_fully(
        self,
        workspace_id: str,
        provider_key: str,
        query: WorkflowQuery,
        *,
        offset: int = 0,
        limit: int = 100,
        refresh: bool = False,
    ) -> WorkflowList:
        """As ``browse``, for callers that ask once: a list that was never read is waited for, within a bound.

        With ``refresh`` it is read anew and waited for in any case.

        Raises:
            InvalidInput: Also when the platform has no connection yet.
            ProviderError: The list could not be read, and none is known from earlier.
        """
        provider = self._platforms.provider(provider_key)
        if Capability.LIST not in provider.capabilities or not provider.credential_fields:
            return await self.browse(workspace_id, provider_key, query, offset=offset, limit=limit)
        views = await self._views(workspace_id, provider, query.connection_id)
        if not views:
            raise InvalidInput(
                f"{provider.title} has no connection yet.",
                hint="Make one: POST …/providers/{provider}/connect.",
            )
        unread = [
            view
            for view in views
            if lists_workflows(view) and (refresh or view.sync is None or view.sync.synced_date is None)
        ]
        await self._wait(workspace_id, unread)
        return await self.browse(workspace_id, provider_key, query, offset=offset, limit=limit)

    async def refresh(self, workspace_id: str, provider_key: str, connection_id: str = "") -> None:
        """Begin to read the lists of the platform's connections, or of one, anew.

        Raises:
            NotFound: No such provider or connection here.
            InvalidInput: The named connection is another provider's.
        """
        provider = self._platforms.provider(provider_key)
        for view in await self._views(workspace_id, provider, connection_id):
            if lists_workflows(view):
                self._sync.begin(workspace_id, view.id)

    async def counts(self, workspace_id: str) -> dict[str, int]:
        """How many workflows are known, by provider. Lists that were never read are begun."""
        for view in await self._connections.list(workspace_id):
            if view.sync is not None and view.sync.synced_date is None:
                self._sync.begin_if_stale(workspace_id, view)
        counts = await self._database.read(lambda database: rows.counts(database, workspace_id))
        for provider in self._platforms.without_connection():
            counts[provider.key] = len(await _list_directly(provider))
        return counts

    async def look(
        self,
        workspace_id: str,
        provider_key: str,
        workflow_id: str,
        *,
        connection_id: str = "",
        fresh: bool = False,
    ) -> PreviewView:
        """The workflow as a graph; see ``WorkflowPreviews.look``."""
        return await self._previews.look(
            workspace_id, provider_key, workflow_id, connection_id=connection_id, fresh=fresh
        )

    async def node_for(
        self, workspace_id: str, provider_key: str, workflow_id: str, *, connection_id: str = ""
    ) -> NewNode:
        """A node that runs the workflow in the best way. Raises as ``look`` does."""
        view = await self.look(workspace_id, provider_key, workflow_id, connection_id=connection_id)
        can: frozenset[Capability] = frozenset()
        if view.connection_id:
            digest = view.preview.workflow.content_hash
            await self._previews.keep(view.connection_id, workflow_id, digest)
            connection = await self._connections.open(workspace_id, view.connection_id)
            can = self._platforms.provider(provider_key).capabilities_of(connection)
        return node_from(provider_key, view, workflow_id, is_polled_as_fallback=Capability.POLL in can)

    async def marks(self, workspace_id: str, definition: Definition) -> dict[str, WorkflowMark]:
        """What became of the remote workflows of nodes since the nodes were made, by node."""
        return await self._marks.marks(workspace_id, definition)

    async def change(self, workspace_id: str, definition: Definition, node_id: str) -> WorkflowChange:
        """What changed in the remote workflow of a node since the node was made; see ``WorkflowMarks.change``."""
        return await self._marks.change(workspace_id, definition, node_id)

    async def keep(self, workspace_id: str, connection_id: str, workflow_id: str, content_hash: str) -> None:
        """A node stands for this content of a workflow from now on, so its graph is kept for later comparisons.

        Raises:
            NotFound: The connection is gone.
        """
        view = await self._connections.get(workspace_id, connection_id)
        await self._previews.keep(view.id, workflow_id, content_hash)

    async def change_since(
        self, workspace_id: str, provider_key: str, workflow_id: str, since: str, *, connection_id: str = ""
    ) -> WorkflowChange:
        """What changed in a remote workflow since it had that content; see ``WorkflowMarks.change_since``."""
        return await self._marks.change_since(
            workspace_id, provider_key, workflow_id, since, connection_id=connection_id
        )

    async def close(self) -> None:
        """Stop what is read in the background."""
        await self._marks.close()
        await self._sync.close()

    async def _views(
        self, workspace_id: str, provider: Provider, connection_id: str
    ) -> tuple[ConnectionView, ...]:
        if connection_id:
            view = await self._connections.get(workspace_id, connection_id)
            if view.provider != provider.key:
                raise InvalidInput(f"The connection “{view.name}” is for another platform.")
            return (view,)
        stored = await self._connections.list(workspace_id)
        return tuple(view for view in stored if view.provider == provider.key)

    async def _wait(self, workspace_id: str, views: Iterable[ConnectionView]) -> None:
        """Let the lists be read to their ends; if nothing came of any of them, raise the reason."""
        tasks = [self._sync.begin(workspace_id, view.id) for view in views]
        if not tasks:
            return
        done, pending = await asyncio.wait(tasks, timeout=FIRST_LIST_SECONDS)
        failures = [failure for task in done if not task.cancelled() and (failure := task.result())]
        has_list = any(view.sync and view.sync.synced_date is not None for view in views)
        if failures and len(failures) == len(tasks) and not pending and not has_list:
            raise failures[0]


async def _browse_directly(provider: Provider, query: WorkflowQuery, offset: int, limit: int) -> WorkflowList:
    """The workflows of a platform that needs no connection: few, and always there."""
    listed = await _list_directly(provider)
    wanted = rows.folded(query.text.strip())
    found = [
        workflow
        for workflow in listed
        if wanted in rows.folded(workflow.name)
        and query.activity in {"", "active" if workflow.is_active else "inactive"}
        and query.tag in {"", *workflow.tags}
        and query.folder in {"", workflow.folder}
        and query.team in {"", workflow.team}
    ]
    if query.sort.endswith("name"):
        found.sort(key=lambda workflow: (rows.folded(workflow.name), workflow.id))
    else:
        found.sort(key=lambda workflow: (workflow.updated_at or 0, workflow.id))
    if query.sort.startswith("-"):
        found.reverse()
    return WorkflowList(
        tuple(WorkflowRow("", "", workflow) for workflow in found[offset : offset + limit]),
        len(found),
        offset,
        (),
        tags=_values(tag for workflow in listed for tag in workflow.tags),
        folders=_values(workflow.folder for workflow in listed),
        teams=_values(workflow.team for workflow in listed),
    )


async def _list_directly(provider: Provider) -> list[RemoteWorkflow]:
    connection = Connection(provider.key, provider.key, provider.title)
    listed: list[RemoteWorkflow] = []
    cursor = ""
    for _ in range(_MOST_DIRECT_PAGES):
        page = await provider.workflows(connection, cursor=cursor)
        listed += [workflow for workflow in page.workflows if not workflow.is_archived]
        cursor = page.cursor
        if not cursor:
            break
    return listed


def _values(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found) - {""}, key=lambda value: (rows.folded(value), value)))


def _filter(query: WorkflowQuery) -> rows.WorkflowFilter:
    return rows.WorkflowFilter(
        text=query.text,
        is_active=None if not query.activity else query.activity == "active",
        tag=query.tag,
        folder=query.folder,
        team=query.team,
        sort=query.sort,
    )
