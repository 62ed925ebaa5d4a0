"""What the list of orchestrators shows, and what can be done with one of them."""

import asyncio
import time
from dataclasses import dataclass

import reflex as rx

from orchestrator_app.errors import InvalidDefinition, InvalidInput, NotFound, OrchestratorError
from orchestrator_app.security.json_input import read_json
from orchestrator_app.services.views import OrchestratorSummary
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.addresses import address_script
from orchestrator_app.ui.routes import ORCHESTRATORS, canvas_path
from orchestrator_app.ui.session import application, show, show_error, workspace_of

PAGE_SIZE = 50
LOOK_AGAIN_SECONDS = 10.0
PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class OrchestratorRow:
    """A row of the list; empty texts and zeros stand for nothing."""

    id: str
    name: str
    description: str
    node_count: int
    updated_date: int
    last_run_id: str
    last_run_state: str
    last_run_date: int


class OrchestratorsState(rx.State):
    """The list of one tab."""

    rows: list[OrchestratorRow] = []
    query: str = ""
    is_loaded: bool = False
    has_next: bool = False
    has_previous: bool = False
    load_error: str = ""
    new_name: str = ""
    is_naming: bool = False
    name_problem: str = ""
    is_importing: bool = False
    import_text: str = ""
    import_problems: list[str] = []
    deleting_id: str = ""
    deleting_name: str = ""
    is_deleting: bool = False

    _cursors: list[str] = [""]
    _next_cursor: str = ""
    _watcher: int = 0

    @rx.event
    @reads
    async def load(self):
        """Open the list as the address says."""
        self.query = str(self.router.url.query_parameters.get("q", ""))
        self._cursors = [""]
        await self._read()

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Keep the list true while the page is open."""
        async with self:
            watcher, workspace_id = time.monotonic_ns(), workspace_of(self)
            self._watcher = watcher
        async with application().hub.subscribe(workspace_id) as changes:
            while True:
                await changes.take(LOOK_AGAIN_SECONDS)
                async with self:
                    if self._watcher != watcher:
                        return
                    await self._read()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        try:
            page = await application().orchestrators.page(
                workspace_of(self), query=self.query, cursor=self._cursors[-1], limit=PAGE_SIZE
            )
        except OrchestratorError as error:
            self.load_error = f"{error.message} {error.hint}".strip()
        else:
            show(self, load_error="")
            self._next_cursor = page.cursor
            show(
                self,
                rows=[_row(item) for item in page.items],
                has_next=bool(page.cursor),
                has_previous=len(self._cursors) > 1,
            )
        show(self, is_loaded=True)

    @rx.event
    @reads
    async def search(self, query: str):
        """Narrow the list; the address keeps the words, so that a link shows the same."""
        self.query, self._cursors = query.strip(), [""]
        await self._read()
        yield rx.call_script(address_script(ORCHESTRATORS, {"q": self.query}))

    @rx.event
    @reads
    async def next_page(self):
        """Turn the page."""
        if self._next_cursor:
            self._cursors = [*self._cursors, self._next_cursor]
            await self._read()

    @rx.event
    @reads
    async def previous_page(self):
        """Turn back."""
        self._cursors = self._cursors[:-1] or [""]
        await self._read()

    # --- making one ---

    @rx.event
    @reads
    def ask_name(self, is_open: bool):
        """Open or close the dialog for a new one."""
        self.is_naming, self.new_name, self.name_problem = is_open, "", ""

    @rx.event
    @reads
    def change_name(self, name: str):
        """Take over what is typed."""
        self.new_name, self.name_problem = name, ""

    @rx.event
    @writes
    async def create(self):
        """Make it and open the editor."""
        try:
            detail = await application().orchestrators.create(
                workspace_of(self), name=self.new_name or "Untitled orchestrator"
            )
        except InvalidInput as error:
            self.name_problem = error.message
        else:
            self.is_naming = False
            yield rx.redirect(canvas_path(detail.id))

    @rx.event
    @writes
    async def duplicate(self, orchestrator_id: str):
        """Make a copy."""
        detail = await application().orchestrators.duplicate(workspace_of(self), orchestrator_id)
        await self._read()
        yield rx.toast.success(f"Made “{detail.name}”")

    @rx.event
    @reads
    def ask_import(self, is_open: bool):
        """Open or close the import dialog."""
        self.is_importing, self.import_text, self.import_problems = is_open, "", []

    @rx.event
    @reads
    def change_import(self, text: str):
        """Take over what is pasted."""
        self.import_text, self.import_problems = text, []

    @rx.event
    @writes
    async def import_document(self):
        """Create one from the pasted JSON, or say everything that is wrong with it."""
        app = application()
        try:
            document = read_json(self.import_text.encode(), max_bytes=app.settings.max_body_bytes)
            detail = await app.orchestrators.import_document(workspace_of(self), document)
        except InvalidDefinition as error:
            self.import_problems = [str(item["message"]) for item in error.errors]
        except OrchestratorError as error:
            self.import_problems = [f"{error.message} {error.hint}".strip()]
        else:
            self.is_importing = False
            yield rx.redirect(canvas_path(detail.id))

    # --- the rest ---

    @rx.event
    @writes
    async def run(self, orchestrator_id: str):
        """Start a run with the input of the last one."""
        runs = application().runs
        data = await runs.last_input(workspace_of(self), orchestrator_id)
        try:
            summary, _ = await runs.start(workspace_of(self), orchestrator_id, data, trigger="ui")
        except InvalidDefinition as error:
            yield show_error(error)
        else:
            await self._read()
            yield rx.toast.info(
                f"“{summary.orchestrator_name}” runs", description="With the input of its last run."
            )

    @rx.event
    @reads
    def ask_delete(self, orchestrator_id: str, name: str):
        """Ask before deleting."""
        self.deleting_id, self.deleting_name, self.is_deleting = orchestrator_id, name, True

    @rx.event
    @reads
    def show_delete(self, is_open: bool):
        """Open or close the question."""
        self.is_deleting = is_open

    @rx.event
    @writes
    async def delete(self):
        """Delete the one that was asked about."""
        self.is_deleting = False
        try:
            still_open = await application().orchestrators.delete(workspace_of(self), self.deleting_id)
        except NotFound:
            still_open = 0  # somebody else was quicker
        await self._read()
        note = (
            f"{still_open} of its runs go on to their end." if still_open else "Its runs stay in the history."
        )
        yield rx.toast.success(f"Deleted “{self.deleting_name}”", description=note)


def _row(item: OrchestratorSummary) -> OrchestratorRow:
    return OrchestratorRow(
        id=item.id,
        name=item.name,
        description=item.description,
        node_count=item.node_count,
        updated_date=item.updated_date,
        last_run_id=item.last_run_id or "",
        last_run_state=item.last_run_state or "",
        last_run_date=item.last_run_date or 0,
    )
