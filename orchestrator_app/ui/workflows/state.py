"""What one tab browses: the platform, the filters, the stretch of the list that it looks at, and one preview."""

import asyncio
import json
import time
from typing import Any, get_args

import reflex as rx

from orchestrator_app.errors import OrchestratorError, Unavailable
from orchestrator_app.services.workflow_views import Activity, WorkflowList, WorkflowQuery, WorkflowSort
from orchestrator_app.ui.access import reads
from orchestrator_app.ui.addresses import address_script
from orchestrator_app.ui.routes import WORKFLOWS
from orchestrator_app.ui.session import application, show, workspace_of
from orchestrator_app.ui.workflows.preview_state import PreviewParts
from orchestrator_app.ui.workflows.shapes import (
    ConnectionOption,
    PlatformTab,
    SyncFailure,
    can_list,
    platform_tab,
    row_shape,
    sync_failures,
    why_no_list,
)

# So many rows travel at once; the list in the browser asks for the stretch that somebody scrolls to.
STRETCH_ROWS = 100
LOOK_AGAIN_SECONDS = 10.0
PAUSE_SECONDS = 0.25
MAX_FILTER_LENGTH = 200
# Filters by their name in the address. All of them are vars of the state.
ADDRESS_NAMES = {
    "search_text": "q",
    "activity": "active",
    "tag": "tag",
    "folder": "folder",
    "team": "team",
    "connection_id": "connection",
    "sort": "sort",
}
_ALLOWED = {"activity": frozenset(get_args(Activity)), "sort": frozenset(get_args(WorkflowSort))}
_DEFAULT_SORT = "name"


class BrowserState(PreviewParts, rx.State):
    """The browser of workflows of one tab."""

    platforms: list[PlatformTab] = []
    provider_title: str = ""
    search_text: str = ""
    activity: str = ""
    tag: str = ""
    folder: str = ""
    team: str = ""
    connection_id: str = ""
    sort: str = _DEFAULT_SORT
    tags: list[str] = []
    folders: list[str] = []
    teams: list[str] = []
    connections: list[ConnectionOption] = []

    stretch: dict[str, Any] = {}
    total: int = 0
    is_loaded: bool = False
    is_unconnected: bool = False
    why_no_list: str = ""
    load_error: str = ""
    is_syncing: bool = False
    synced_date: int = 0
    synced_count: int = 0
    failures: list[SyncFailure] = []

    # Beside the canvas: whether the panel is open, and the node for which a workflow is chosen, if there is one.
    is_docked: bool = False
    is_open: bool = False
    for_node: str = ""
    for_label: str = ""

    _offset: int = 0
    _revision: int = 0
    _contents: str = ""
    _watcher: int = 0

    # --- opening ---

    @rx.event
    @reads
    async def load(self):
        """Open the page as the address says."""
        parameters = self.router.url.query_parameters
        self.is_docked = self.is_open = False
        self.for_node = self.for_label = ""
        for field, name in ADDRESS_NAMES.items():
            self._narrow(field, str(parameters.get(name, "")))
        await self._turn_to(str(parameters.get("provider", "")))
        workflow_id = str(parameters.get("workflow", ""))
        if workflow_id and not self.why_no_list:
            return self._opened(str(parameters.get("in", "")), workflow_id)
        self._forget_preview()
        return None

    @rx.event
    @reads
    def stand_beside_canvas(self):
        """Become the panel of an editor that was opened; it is closed at first, and stays open after a reload."""
        if not self.is_docked:
            self.is_docked, self.is_open = True, False
        self.for_node = self.for_label = ""

    @rx.event
    @reads
    async def open_panel(self):
        """Open the browser beside the canvas, or close it; it shows what it showed last."""
        if self.is_docked and self.is_open and not self.for_node:
            self.is_open = False
            return
        await self._dock("", "", self.provider)

    @rx.event
    @reads
    async def choose_for(self, node_id: str, label: str, provider: str, connection_id: str):
        """Open the browser beside the canvas, to choose the workflow of a node."""
        if provider != self.provider:
            self._forget_filters()
        self.connection_id = connection_id
        await self._dock(node_id, label, provider)

    async def _dock(self, node_id: str, label: str, provider: str) -> None:
        self.is_docked = self.is_open = True
        self.for_node, self.for_label = node_id, label
        self._forget_preview()
        await self._turn_to(provider)

    @rx.event
    @reads
    def close_panel(self):
        """Close the browser beside the canvas."""
        self.is_open = False

    @rx.event
    @reads
    def give_way(self, node_id: str):
        """Close the panel when a node's settings are to be seen in its place."""
        if node_id:
            self.is_open = False

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Keep what is shown true while the page is open."""
        async with self:
            watcher, workspace_id = time.monotonic_ns(), workspace_of(self)
            self._watcher = watcher
        async with application().hub.subscribe(workspace_id) as changes:
            while True:
                news = await changes.take(LOOK_AGAIN_SECONDS)
                kinds = {change.kind for change in news} or {"connection", "workflows"}
                async with self:
                    if self._watcher != watcher:
                        return
                    if (self.is_open or not self.is_docked) and kinds & {"connection", "workflows"}:
                        await self._look_again()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _look_again(self) -> None:
        try:
            await self._read_platforms(self.provider)
        except Unavailable:
            return  # what is shown stays; the watcher looks again soon
        await self._read(self._offset)

    # --- choosing ---

    @rx.event
    @reads
    async def choose_platform(self, provider: str):
        """Show the workflows of another platform; what only fits the present one is forgotten."""
        kept = (self.search_text, self.activity, self.sort)
        self._forget_filters()
        self.search_text, self.activity, self.sort = kept
        self._forget_preview()
        await self._turn_to(provider)
        return self._address()

    @rx.event
    @reads
    async def search(self, text: str):
        """Narrow the list by a part of the name."""
        return await self._narrowed("search_text", text.strip())

    @rx.event
    @reads
    async def narrow(self, field: str, value: str):
        """Set one filter, or the order; an empty value lifts it."""
        return await self._narrowed(field, value)

    async def _narrowed(self, field: str, value: str) -> rx.event.EventSpec | None:
        self._narrow(field, value)
        await self._read(0)
        return self._address()

    @rx.event
    @reads
    async def clear_filters(self):
        """Show everything again."""
        sort = self.sort
        self._forget_filters()
        self.sort = sort
        await self._read(0)
        return self._address()

    def _narrow(self, field: str, value: str) -> None:
        if field not in ADDRESS_NAMES:
            return
        if value not in _ALLOWED.get(field, {value}):
            value = ""
        setattr(self, field, value[:MAX_FILTER_LENGTH] or (_DEFAULT_SORT if field == "sort" else ""))

    def _forget_filters(self) -> None:
        for field in ADDRESS_NAMES:
            self._narrow(field, "")

    def _address(self) -> rx.event.EventSpec | None:
        """What puts the choice into the address; beside the canvas the address is that of the editor."""
        if self.is_docked:
            return None
        filters = {name: str(getattr(self, field)) for field, name in ADDRESS_NAMES.items()}
        connection_id, workflow_id = self._chosen
        return rx.call_script(
            address_script(
                WORKFLOWS,
                {"provider": self.provider}
                | filters
                | {"sort": "" if self.sort == _DEFAULT_SORT else self.sort}
                | {"workflow": workflow_id, "in": connection_id},
            )
        )

    # --- the list ---

    @rx.event
    @reads
    async def bring(self, key: str, offset: int):
        """Send the stretch of rows that the list has been scrolled to."""
        if key == self._key():
            await self._read(max(0, offset), is_asked=True)

    @rx.event
    @reads
    async def refresh(self):
        """Read the lists of the platform anew."""
        if self.is_unconnected or self.why_no_list:
            return
        await application().catalog.refresh(
            workspace_of(self), self.provider, connection_id=self.connection_id
        )
        await self._look_again()

    async def _turn_to(self, provider: str) -> None:
        """Show a platform; one that does not exist, or none, means the first that has something to show."""
        try:
            await self._read_platforms(provider)
        except Unavailable as error:
            self.load_error, self.is_loaded = f"{error.message} {error.hint}".strip(), True
            return
        await self._read(0)

    async def _read_platforms(self, provider: str) -> None:
        views = await application().connections.providers(workspace_of(self))
        counts = await application().catalog.counts(workspace_of(self))
        view = next((view for view in views if view.key == provider), None)
        if view is None:
            listed = [view for view in views if can_list(view)]
            view = next((view for view in listed if view.fields), next(iter(listed), views[0]))
        if view.key != self.provider:
            # Nothing of one platform may stand under the tab of another.
            self.stretch, self.total, self.failures, self.is_loaded = {}, 0, [], False
            self.tags, self.folders, self.teams = [], [], []
        show(
            self,
            platforms=[platform_tab(view, counts) for view in views],
            provider=view.key,
            provider_title=view.title,
            connections=[ConnectionOption(stored.id, stored.name) for stored in view.connections],
            is_unconnected=bool(view.fields) and not view.connections and not why_no_list(view),
            why_no_list=why_no_list(view),
        )
        if self.connection_id not in {stored.id for stored in view.connections}:
            self.connection_id = ""

    def _query(self) -> WorkflowQuery:
        values: dict[str, Any] = {
            "text" if field == "search_text" else field: getattr(self, field) for field in ADDRESS_NAMES
        }
        return WorkflowQuery(**values)

    def _key(self) -> str:
        """Differs whenever the list is another one."""
        return json.dumps([self.provider, *(getattr(self, field) for field in ADDRESS_NAMES)])

    async def _read(self, offset: int, *, is_asked: bool = False) -> None:
        """Read a stretch of the list. ``is_asked``: the list waits for it, so it is sent though it is the same."""
        if self.is_unconnected or self.why_no_list:
            show(self, stretch={}, total=0, failures=[], is_syncing=False, is_loaded=True, load_error="")
            return
        offset -= offset % STRETCH_ROWS
        try:
            found = await application().catalog.browse(
                workspace_of(self), self.provider, self._query(), offset=offset, limit=STRETCH_ROWS
            )
        except OrchestratorError as error:
            show(self, load_error=f"{error.message} {error.hint}".strip(), is_loaded=True)
            return
        self._show_list(found, is_asked=is_asked)

    def _show_list(self, found: WorkflowList, *, is_asked: bool) -> None:
        names = {option.id: option.name for option in self.connections}
        contents = repr(
            (self._key(), found.total, [(sync.synced_date, sync.workflows) for sync in found.syncs])
        )
        if contents != self._contents:
            self._contents, self._revision = contents, self._revision + 1
        self._offset = found.offset
        stretch = {
            "key": self._key(),
            "revision": self._revision,
            "offset": found.offset,
            "total": found.total,
            "rows": [row_shape(row) for row in found.rows],
        }
        if is_asked or stretch != self.stretch:
            self.stretch = stretch
        dates = [sync.synced_date for sync in found.syncs]
        show(
            self,
            total=found.total,
            tags=_with(found.tags, self.tag),
            folders=_with(found.folders, self.folder),
            teams=_with(found.teams, self.team),
            is_syncing=any(sync.is_syncing for sync in found.syncs),
            # The age of the list is that of its oldest part.
            synced_date=min((date or 0 for date in dates), default=0),
            synced_count=sum(sync.workflows for sync in found.syncs),
            failures=sync_failures(found.syncs, names),
            load_error="",
            is_loaded=True,
        )


def _with(options: tuple[str, ...], chosen: str) -> list[str]:
    """The options of a filter; what is chosen is one of them, also when nothing has it any more."""
    return [*options, *([chosen] if chosen and chosen not in options else [])]
