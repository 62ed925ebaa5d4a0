"""What the history shows: filters live in the address, so that a link shows the same."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import reflex as rx

from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import Conflict, NotFound, OrchestratorError
from orchestrator_app.services.orchestrator_settings import QueueEntry, QueueView
from orchestrator_app.services.views import RunSummary
from orchestrator_app.services.waiting import WaitView
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.addresses import address_script
from orchestrator_app.ui.routes import RUNS
from orchestrator_app.ui.session import application, show, workspace_of

PAGE_SIZE = 50
LOOK_AGAIN_SECONDS = 10.0
PAUSE_SECONDS = 0.25
MOST_NAMED = 3


@dataclass(frozen=True)
class RunRow:
    """A row of the history; empty texts and zeros stand for nothing."""

    id: str
    orchestrator_id: str
    orchestrator_name: str
    version: int
    state: str
    trigger: str
    created_date: int
    started_date: int
    duration_ms: int
    is_open: bool
    failure: str
    waits: str


class RunsState(rx.State):
    """The history of one tab."""

    rows: list[RunRow] = []
    state_filter: str = ""
    query: str = ""
    orchestrator_id: str = ""
    orchestrator_name: str = ""
    counts: dict[str, int] = dict.fromkeys(("", *RunState), 0)
    is_loaded: bool = False
    has_next: bool = False
    has_previous: bool = False
    load_error: str = ""
    queue_text: str = ""

    _cursors: list[str] = [""]
    _next_cursor: str = ""
    _watcher: int = 0

    @rx.event
    @reads
    async def load(self):
        """Open the history as the address says."""
        parameters = self.router.url.query_parameters
        wanted = str(parameters.get("status", ""))
        self.state_filter = wanted if wanted in RunState.__members__ else ""
        self.query = str(parameters.get("q", ""))
        self.orchestrator_id = str(parameters.get("orchestrator", ""))
        self.orchestrator_name, self._cursors = "", [""]
        await self._read()

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Keep the history true while the page is open."""
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
        runs = application().runs
        try:
            page = await runs.page(
                workspace_of(self),
                states=[self.state_filter] if self.state_filter else [],
                orchestrator_id=self.orchestrator_id,
                query=self.query,
                cursor=self._cursors[-1],
                limit=PAGE_SIZE,
            )
            counts = await runs.counts(workspace_of(self))
            queue_text = queue_sentence(await application().orchestrator_settings.queue(workspace_of(self)))
            waiting = [item.id for item in page.items if item.state == RunState.WAITING]
            waits = await application().waiting.of(workspace_of(self), waiting)
            if self.orchestrator_id and not self.orchestrator_name:
                self.orchestrator_name = await self._name_of(self.orchestrator_id, page.items)
        except OrchestratorError as error:
            self.load_error = f"{error.message} {error.hint}".strip()
        else:
            self._next_cursor = page.cursor
            by_state = {state.value: counts.get(state.value, 0) for state in RunState}
            show(
                self,
                load_error="",
                queue_text=queue_text,
                rows=[run_row(item, waits.get(item.id, ())) for item in page.items],
                counts={"": sum(counts.values())} | by_state,
                has_next=bool(page.cursor),
                has_previous=len(self._cursors) > 1,
            )
        show(self, is_loaded=True)

    async def _name_of(self, orchestrator_id: str, runs: Sequence[RunSummary]) -> str:
        try:
            return (await application().orchestrators.get(workspace_of(self), orchestrator_id)).name
        except NotFound:
            # A deleted one has history all the same; its runs carry its name.
            return next((run.orchestrator_name for run in runs), "a deleted orchestrator")

    @rx.event
    @reads
    async def choose_state(self, state: str):
        """Show only runs in this state; empty shows all."""
        self.state_filter = state if state in RunState.__members__ else ""
        await self._filtered()
        yield self._address()

    @rx.event
    @reads
    async def search(self, query: str):
        """Narrow by a part of the orchestrator's name or the beginning of a run's id."""
        self.query = query.strip()
        await self._filtered()
        yield self._address()

    @rx.event
    @reads
    async def show_all_orchestrators(self):
        """Lift the filter to one orchestrator."""
        self.orchestrator_id = self.orchestrator_name = ""
        await self._filtered()
        yield self._address()

    @rx.event
    @reads
    async def show_everything(self):
        """Lift all filters."""
        self.orchestrator_id = self.orchestrator_name = self.query = self.state_filter = ""
        await self._filtered()
        yield self._address()

    async def _filtered(self) -> None:
        self._cursors = [""]
        await self._read()

    def _address(self) -> rx.event.EventSpec:
        chosen = {"status": self.state_filter, "q": self.query, "orchestrator": self.orchestrator_id}
        return rx.call_script(address_script(RUNS, chosen))

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

    @rx.event
    @writes
    async def cancel(self, run_id: str):
        """End a run."""
        try:
            await application().runs.cancel(workspace_of(self), run_id)
        except Conflict as error:
            yield rx.toast.info(error.message)
        await self._read()


def queue_sentence(queue: QueueView) -> str:
    """How many runs wait for their turn, and for which orchestrators; empty when none does."""
    if not queue.queued:
        return ""
    waiting = [entry for entry in queue.by_orchestrator if entry.queued]
    named = [
        f"{entry.queued:,} of “{entry.orchestrator_name}”{_limit(entry)}" for entry in waiting[:MOST_NAMED]
    ]
    if len(waiting) > MOST_NAMED:
        named.append("others")
    wait = "run waits for its turn" if queue.queued == 1 else "runs wait for their turn"
    return f"{queue.queued:,} {wait}: {', '.join(named)}."


def _limit(entry: QueueEntry) -> str:
    return "" if entry.concurrency is None else f" (at most {entry.concurrency:,} at once)"


_WAITS = {
    "callback": ("for a callback", "at most until"),
    "poll": ("for its result", "looks again at"),
    "retry": ("to try again", "at"),
}


def wait_text(wait: WaitView) -> str:
    """What a node waits for, since when and until when; times in UTC."""
    what, until = _WAITS[wait.reason]
    since = f" since {_moment(wait.since)}" if wait.since is not None else ""
    end = f", {until} {_moment(wait.until)}" if wait.until is not None else ""
    return f"“{wait.label}” waits {what}{since}{end}"


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%b %d %H:%M:%S} UTC"


def run_row(item: RunSummary, waits: Sequence[WaitView] = ()) -> RunRow:
    """A summary as a row."""
    failure = item.failure or {}
    started = item.started_date or item.created_date
    return RunRow(
        id=item.id,
        orchestrator_id=item.orchestrator_id,
        orchestrator_name=item.orchestrator_name,
        version=item.version,
        state=item.state,
        trigger=item.trigger,
        created_date=item.created_date,
        started_date=started,
        duration_ms=item.ended_date - started if item.ended_date else 0,
        is_open=item.ended_date is None,
        failure=str(failure.get("message", "")),
        waits="; ".join(wait_text(wait) for wait in waits),
    )
