"""What became of the remote workflows that nodes run, since the nodes were made."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.json_values import quoted
from orchestrator_app.domain.node_kinds import LOCAL_FLOW, REMOTE_WEBHOOK, setting
from orchestrator_app.errors import InvalidInput, NotFound, OrchestratorError
from orchestrator_app.services.platforms import Platforms
from orchestrator_app.services.views import ConnectionView
from orchestrator_app.services.workflow_changes import compare
from orchestrator_app.services.workflow_nodes import FLOW_PROVIDER
from orchestrator_app.services.workflow_previews import WorkflowPreviews
from orchestrator_app.services.workflow_rows import preview_of
from orchestrator_app.services.workflow_sync import WorkflowSync
from orchestrator_app.services.workflow_views import WorkflowChange, WorkflowMark
from orchestrator_app.storage import snapshots
from orchestrator_app.storage import workflows as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection as DatabaseConnection

log = logging.getLogger(__name__)

LOOKS_AT_ONCE = 2
MOST_LOOKS = 50


@dataclass(frozen=True, slots=True)
class UsedWorkflow:
    """The remote workflow that a node runs; ``since`` is the digest of what it was when the node was made."""

    node_id: str
    provider: str
    connection_id: str
    workflow_id: str
    since: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells workflows apart."""
        return self.connection_id, self.workflow_id


@dataclass(frozen=True, slots=True)
class _Known:
    listed: Mapping[tuple[str, str], rows.CachedWorkflow]
    newest: Mapping[tuple[str, str], snapshots.Snapshot]


class WorkflowMarks:
    """Compares nodes with the workflows as they are known now."""

    def __init__(
        self,
        database: Database,
        platforms: Platforms,
        previews: WorkflowPreviews,
        sync: WorkflowSync,
    ) -> None:
        self._database = database
        self._platforms = platforms
        self._previews = previews
        self._sync = sync
        self._places = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._looks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._looked: dict[tuple[str, str], int] = {}

    async def marks(self, workspace_id: str, definition: Definition) -> dict[str, WorkflowMark]:
        """A mark for each node whose workflow was deleted, switched off or changed.

        Old lists are read anew in the background; open pages learn it by the change ``workflows``.
        """
        used = [found for node in definition.nodes if (found := used_workflow(node))]
        if not used:
            return {}
        views = {view.id: view for view in await self._platforms.connections.list(workspace_id)}
        used = [one for one in used if _can_be_told(one, views.get(one.connection_id))]
        if not used:
            return {}
        for connection_id in {one.connection_id for one in used}:
            self._sync.begin_if_stale(workspace_id, views[connection_id])
        known = await self._database.read(lambda database: _known(database, used))
        marks: dict[str, WorkflowMark] = {}
        for one in used:
            if mark := self._mark(workspace_id, one, views[one.connection_id], known):
                marks[one.node_id] = mark
        return marks

    async def change(self, workspace_id: str, definition: Definition, node_id: str) -> WorkflowChange:
        """What changed in the workflow of a node since the node was made.

        Raises:
            NotFound: There is no such node, or its connection is gone.
            InvalidInput: The node runs no workflow of a connection.
            ProviderError: What the platform says, when nothing is known from earlier.
        """
        node = next((node for node in definition.nodes if node.id == node_id), None)
        if node is None:
            raise NotFound("There is no such node.", hint="It may have been removed. Load the graph again.")
        used = used_workflow(node)
        if used is None:
            raise InvalidInput(f"The node {quoted(node.label)} runs no workflow of a connection.")
        return await self.change_since(
            workspace_id, used.provider, used.workflow_id, used.since, connection_id=used.connection_id
        )

    async def change_since(
        self, workspace_id: str, provider_key: str, workflow_id: str, since: str, *, connection_id: str = ""
    ) -> WorkflowChange:
        """What changed in a workflow since it had that content.

        Raises:
            NotFound: No such provider or connection here, or a workflow that was never known.
            ProviderError: What the platform says, when nothing is known from earlier.
        """
        title = self._platforms.provider(provider_key).title
        connection_id = await self._platforms.connection_id(workspace_id, provider_key, connection_id)
        if connection_id:
            # A connection that is gone must not be taken for a workflow that is.
            await self._platforms.connections.open(workspace_id, connection_id)
        before = await self._previews.at(connection_id, workflow_id, since)
        try:
            view = await self._previews.look(
                workspace_id, provider_key, workflow_id, connection_id=connection_id
            )
        except NotFound:
            if before is None and not since:
                raise
            return compare(before, None, since=since, platform=title)
        return compare(before, view.preview, since=since, platform=title)

    async def close(self) -> None:
        """Give up the looks that are under way."""
        tasks = list(self._looks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _mark(
        self, workspace_id: str, used: UsedWorkflow, view: ConnectionView, known: _Known
    ) -> WorkflowMark | None:
        title = self._platforms.provider(used.provider).title
        listed, newest = known.listed.get(used.key), known.newest.get(used.key)
        if listed is None:
            if view.sync is None or view.sync.synced_date is None:
                return None
            preview = preview_of(newest.preview) if newest else None
            name = f"The workflow {quoted(preview.workflow.name if preview else used.workflow_id)}"
            message = (
                f"{name} is not on {title} any more: it was deleted or put away there. Choose another one."
            )
            return WorkflowMark(used.node_id, "deleted", message)
        name = quoted(listed.name)
        if not listed.is_active:
            why = listed.note or f"Switch it on in {title} before you run this."
            return WorkflowMark(used.node_id, "inactive", f"{name} is switched off on {title}. {why}")
        if used.since and self._content(workspace_id, used, listed, newest) not in {"", used.since}:
            message = f"{name} was changed on {title} since this node was made. Look at what changed."
            return WorkflowMark(used.node_id, "changed", message)
        return None

    def _content(
        self,
        workspace_id: str,
        used: UsedWorkflow,
        listed: rows.CachedWorkflow,
        newest: snapshots.Snapshot | None,
    ) -> str:
        """Digest of the workflow as far as it is known now. Where the list tells none, the workflow is looked at."""
        if listed.content_hash:
            return listed.content_hash
        preview = preview_of(newest.preview) if newest else None
        seen_at = preview.workflow.updated_at or 0 if preview else -1
        if (listed.updated_at or 0) > max(seen_at, self._looked.get(used.key, -1)):
            self._look_soon(workspace_id, used, listed.updated_at or 0)
        return newest.content_hash if newest else ""

    def _look_soon(self, workspace_id: str, used: UsedWorkflow, updated_at: int) -> None:
        if used.key in self._looks or len(self._looks) >= MOST_LOOKS:
            return
        # Each change is looked at once: a platform that does not date its workflows would be asked for ever.
        self._looked[used.key] = updated_at
        task = asyncio.create_task(self._look(workspace_id, used), name=f"look at {used.workflow_id}")
        self._looks[used.key] = task
        task.add_done_callback(lambda _: self._looks.pop(used.key, None))

    async def _look(self, workspace_id: str, used: UsedWorkflow) -> None:
        async with self._places:
            try:
                view = await self._previews.look(
                    workspace_id,
                    used.provider,
                    used.workflow_id,
                    connection_id=used.connection_id,
                    fresh=True,
                )
            except OrchestratorError as error:
                log.info("a workflow could not be looked at: %s", error.message)
                return
        if view.failure:
            self._looked.pop(used.key, None)


def used_workflow(node: Node) -> UsedWorkflow | None:
    """The workflow of a connection that a node runs, or None."""
    if node.kind not in {REMOTE_WEBHOOK.name, LOCAL_FLOW.name}:
        return None
    is_flow = node.kind == LOCAL_FLOW.name
    provider = FLOW_PROVIDER if is_flow else _text(setting(node, "provider"))
    connection_id = _text(node.config.get("connectionId"))
    workflow_id = _text(node.config.get("flowId" if is_flow else "workflowId"))
    if not connection_id or not workflow_id:
        return None
    return UsedWorkflow(node.id, provider, connection_id, workflow_id, _text(node.config.get("workflowHash")))


def _can_be_told(used: UsedWorkflow, view: ConnectionView | None) -> bool:
    """Whether the connection is there, is one of the node's platform, and lists workflows."""
    return view is not None and view.provider == used.provider and view.sync is not None


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _known(database: DatabaseConnection, used: list[UsedWorkflow]) -> _Known:
    connection_ids = sorted({one.connection_id for one in used})
    workflow_ids = sorted({one.workflow_id for one in used})
    listed = rows.find(database, connection_ids, workflow_ids)
    newest = snapshots.newest(database, connection_ids, workflow_ids)
    return _Known({(row.connection_id, row.workflow_id): row for row in listed}, newest)
