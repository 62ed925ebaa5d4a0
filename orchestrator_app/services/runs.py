"""Runs: started, listed, read, followed live, cancelled and run again."""

import asyncio
from collections.abc import Callable, Sequence

from orchestrator_app.domain.definition import from_stored
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.open_calls import open_call
from orchestrator_app.domain.ports import Dispatcher
from orchestrator_app.domain.remote import OpenCall
from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import Conflict, InvalidInput, NotFound
from orchestrator_app.runner.hub import Change, Hub, Subscription
from orchestrator_app.runner.stopping import OutsideStops
from orchestrator_app.security.json_input import check_json
from orchestrator_app.services.run_starts import NewRun, StoredStart, WhichDefinition, store_start
from orchestrator_app.services.run_views import live_view, run_detail, run_summary
from orchestrator_app.services.views import Page, RunDetail, RunLive, RunSummary
from orchestrator_app.storage import payloads, run_parts
from orchestrator_app.storage import runs as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection

MAX_PAGE = 200
MAX_WAIT_SECONDS = 60.0
MAX_KEY_LENGTH = 255
# The answer of a start that waits is read at once when there cannot be much to read.
SMALL_RUN_NODES = 50
# A lost notification only delays an answer by this much.
LOOK_AGAIN_SECONDS = 2.0


class Runs:
    """Use cases around runs. Every call takes the workspace; a run of another one is not found."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        hub: Hub,
        *,
        callback_url: Callable[[str, str], str],
        unseal: Callable[[str, str], str],
        stops: OutsideStops,
        now: Callable[[], int],
        new_id: Callable[[], str],
        deadline_ms: int | None = None,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._hub = hub
        self._callback_url = callback_url
        self._unseal = unseal
        self._stops = stops
        self._now = now
        self._new_id = new_id
        self._deadline_ms = deadline_ms

    async def start(
        self,
        workspace_id: str,
        orchestrator_id: str,
        data: JsonValue,
        *,
        trigger: str,
        idempotency_key: str = "",
        parent_run_id: str | None = None,
    ) -> tuple[RunSummary, bool]:
        """Begin a run of the newest version. When this returns, the run is on disk and will be carried out.

        ``data`` is the run's input, ``trigger`` says who asked (``ui`` or ``api``). A second start with the same
        ``idempotency_key`` returns the first run.

        Returns:
            The run, and whether it is new.

        Raises:
            NotFound: There is no such orchestrator here.
            InvalidDefinition: The graph has problems that block a run.
            BadRequest: The input is no JSON, for instance NaN; TooLarge when there is too much of it.
            Conflict: The key was used with other input.
        """
        new = NewRun(self._new_id(), orchestrator_id, data, trigger, idempotency_key, parent_run_id)
        start = await self._start(workspace_id, new)
        return run_summary(start.row), start.is_new

    async def start_and_wait(
        self,
        workspace_id: str,
        orchestrator_id: str,
        data: JsonValue,
        *,
        trigger: str,
        seconds: float,
        idempotency_key: str = "",
    ) -> RunDetail:
        """As ``start``; returns the run as soon as it has ended, or as it stands after the given time."""
        run_id = self._new_id()
        # Who listens before the run begins cannot miss its end.
        async with self._hub.subscribe(workspace_id, run_id=run_id, only_ends=True) as changes:
            start = await self._start(
                workspace_id, NewRun(run_id, orchestrator_id, data, trigger, idempotency_key)
            )
            if start.is_new:
                await self._until_ended(workspace_id, run_id, changes, seconds)
                is_small = (
                    start.claimed is not None and len(start.claimed.definition.nodes) <= SMALL_RUN_NODES
                )
                read = self._database.glance if is_small else self._database.read
                return await read(self._detail(workspace_id, run_id))
        return await self.wait(workspace_id, start.row.id, seconds)

    async def _start(self, workspace_id: str, new: NewRun) -> StoredStart:
        if len(new.idempotency_key) > MAX_KEY_LENGTH:
            raise InvalidInput(f"An Idempotency-Key may have at most {MAX_KEY_LENGTH} characters.")
        check_json(new.data)
        now, owner = self._now(), self._dispatcher.claim_name()

        async def begin() -> StoredStart:
            start = await self._database.jot(
                lambda connection: store_start(
                    connection, workspace_id, new, owner=owner, now=now, deadline_ms=self._deadline_ms
                )
            )
            if start.is_new:
                self._hub.publish(Change("run", workspace_id, new.run_id, 0, new.orchestrator_id))
            if start.claimed is not None:
                self._dispatcher.begin(start.claimed)
            elif start.is_new:
                self._dispatcher.enqueue(new.run_id)
            return start

        # What is on disk must be carried out, also when the caller has left meanwhile.
        return await asyncio.shield(begin())

    async def page(
        self,
        workspace_id: str,
        *,
        states: Sequence[str] = (),
        orchestrator_id: str = "",
        from_ms: int | None = None,
        to_ms: int | None = None,
        query: str = "",
        cursor: str = "",
        limit: int = 50,
    ) -> Page[RunSummary]:
        """The history, newest first.

        Raises:
            InvalidInput: A state is unknown.
        """
        check_states(states)
        found, following = await self._database.read(
            lambda connection: rows.page(
                connection,
                workspace_id,
                states=states,
                orchestrator_id=orchestrator_id,
                from_ms=from_ms,
                to_ms=to_ms,
                query=query,
                cursor=cursor,
                limit=max(1, min(limit, MAX_PAGE)),
            )
        )
        return Page(tuple(run_summary(row) for row in found), following)

    async def counts(self, workspace_id: str) -> dict[str, int]:
        """How many runs there are in each state."""
        return await self._database.read(lambda connection: rows.state_counts(connection, workspace_id))

    async def get(self, workspace_id: str, run_id: str) -> RunDetail:
        """A run with everything known about it.

        Raises:
            NotFound: There is none by that id here.
        """
        return await self._database.read(self._detail(workspace_id, run_id))

    def _detail(self, workspace_id: str, run_id: str) -> Callable[[Connection], RunDetail]:
        def work(connection: Connection) -> RunDetail:
            whole = run_parts.whole(connection, workspace_id, run_id)
            if whole is None:
                raise _no_run()
            return run_detail(connection, whole, self._awaited_url)

        return work

    async def live(self, workspace_id: str, run_id: str) -> RunLive:
        """The states of a run's nodes and edges, as the canvas follows them.

        Raises:
            NotFound: There is none by that id here.
        """

        def work(connection: Connection) -> RunLive:
            return live_view(connection, _found(rows.get(connection, workspace_id, run_id)))

        return await self._database.read(work)

    async def latest(self, workspace_id: str, orchestrator_id: str) -> RunSummary | None:
        """The orchestrator's newest run, or None."""
        page = await self.page(workspace_id, orchestrator_id=orchestrator_id, limit=1)
        return page.items[0] if page.items else None

    async def last_input(self, workspace_id: str, orchestrator_id: str) -> JsonValue:
        """The input of the orchestrator's newest run; an empty object when there is none."""

        def work(connection: Connection) -> JsonValue:
            found, _ = rows.page(connection, workspace_id, orchestrator_id=orchestrator_id, limit=1)
            if not found:
                return {}
            return rows.input_of(connection, found[0].id)

        return await self._database.read(work)

    async def wait(self, workspace_id: str, run_id: str, seconds: float) -> RunDetail:
        """The run as soon as it has ended, or as it stands after the given time.

        Raises:
            NotFound: There is none by that id here.
        """
        async with self._hub.subscribe(workspace_id, run_id=run_id, only_ends=True) as changes:
            if not await self._has_ended(workspace_id, run_id):
                await self._until_ended(workspace_id, run_id, changes, seconds)
        return await self.get(workspace_id, run_id)

    async def _until_ended(
        self, workspace_id: str, run_id: str, changes: Subscription, seconds: float
    ) -> None:
        """Return when a change says that the run has ended, or after the given time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(seconds, MAX_WAIT_SECONDS)
        while (left := deadline - loop.time()) > 0:
            # A message may be lost.
            if await changes.take(min(left, LOOK_AGAIN_SECONDS)) or await self._has_ended(
                workspace_id, run_id
            ):
                break

    async def _has_ended(self, workspace_id: str, run_id: str) -> bool:
        state = await self._database.read(lambda connection: rows.state_of(connection, workspace_id, run_id))
        if state is None:
            raise _no_run()
        return RunState(state).is_end

    async def cancel(self, workspace_id: str, run_id: str) -> RunSummary:
        """End a run now. Calls under way are cut, and the platforms are told to stop what it has begun there.

        Raises:
            NotFound: There is none by that id here.
            Conflict: It has ended already.
        """
        now = self._now()

        def work(connection: Connection) -> tuple[rows.RunRow, list[OpenCall] | None]:
            calls = rows.cancel(connection, workspace_id, run_id, now)
            row = _found(rows.get(connection, workspace_id, run_id))
            return row, None if calls is None else self._open_calls(connection, row, calls)

        async def end() -> RunSummary:
            row, calls = await self._database.write(work)
            if calls is None:
                raise Conflict(f"The run has ended already: {row.state}.", hint="Nothing needs to be done.")
            self._dispatcher.cancel_hint(run_id)
            self._hub.publish(Change("run", workspace_id, run_id, row.seq, row.orchestrator_id, is_end=True))
            self._stops.begin(workspace_id, run_id, calls)
            return run_summary(row)

        return await asyncio.shield(end())

    def _open_calls(
        self, connection: Connection, run: rows.RunRow, found: Sequence[rows.OpenCallRow]
    ) -> list[OpenCall]:
        """The calls that may still have something going on outside, as their platforms must be told of them."""
        if not found:
            return []
        definition = from_stored(payloads.loads(rows.definition_of(connection, run.version_id)))
        calls: list[OpenCall] = []
        for row in found:
            node = definition.node(row.node_id)
            token = self._unseal(row.token_sealed, row.wait_id) if row.wait_id else ""
            call = node and open_call(
                run.id, node, row.memo, callback_token=token, started_at=row.started_date
            )
            if call:
                calls.append(call)
        return calls

    async def rerun(
        self,
        workspace_id: str,
        run_id: str,
        *,
        data: JsonValue = None,
        trigger: str,
        definition: WhichDefinition = "newest",
    ) -> RunSummary:
        """A new run of the newest version or of the same one, with the same input or the given one.

        Raises:
            NotFound: There is no such run, or its orchestrator was deleted.
            InvalidDefinition: The graph has problems that block a run.
        """

        def work(connection: Connection) -> tuple[rows.RunRow, JsonValue]:
            row = _found(rows.get(connection, workspace_id, run_id))
            return row, rows.input_of(connection, run_id)

        row, same = await self._database.read(work)
        new = NewRun(
            self._new_id(),
            row.orchestrator_id,
            same if data is None else data,
            trigger,
            parent_run_id=run_id,
            version_id=row.version_id if definition == "same" else "",
            version=row.version,
        )
        return run_summary((await self._start(workspace_id, new)).row)

    def _awaited_url(self, run_id: str, wait_id: str, token_sealed: str) -> str:
        return self._callback_url(run_id, self._unseal(token_sealed, wait_id))


def check_states(states: Sequence[str]) -> None:
    """Refuse what is no state of a run.

    Raises:
        InvalidInput: With the states that there are.
    """
    unknown = [state for state in states if state not in RunState.__members__]
    if unknown:
        known = ", ".join(RunState)
        raise InvalidInput(f"There is no run state “{unknown[0][:20]}”.", hint=f"States: {known}.")


def _found(row: rows.RunRow | None) -> rows.RunRow:
    if row is None:
        raise _no_run()
    return row


def _no_run() -> NotFound:
    return NotFound("There is no such run.", hint="Look it up in the run history.")
