"""The dispatcher of a worker, with a queue that is steered by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from orchestrator_app.distribution.exchange import Exchange
from orchestrator_app.distribution.shared_dispatcher import SharedDispatcher
from orchestrator_app.domain.ports import ClaimedRun
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner import dispatcher as local
from orchestrator_app.runner.clock import SystemClock
from orchestrator_app.security import tokens
from orchestrator_app.storage.checkpoints import SqlCheckpointStore
from orchestrator_app.storage.database import Database
from tests.storage.journal import seal, unseal

pytestmark = pytest.mark.postgres


class Queue:
    """Brings runs when a test says so."""

    owner = "7"

    def __init__(self) -> None:
        self.work: Callable[[str], Awaitable[None]] | None = None

    async def start(self, work: Callable[[str], Awaitable[None]]) -> None:
        self.work = work

    async def stop(self, grace_seconds: float) -> None:
        self.work = None

    async def bring(self, run_id: str) -> None:
        """A job for the run; returns when it is done."""
        assert self.work is not None
        async with asyncio.timeout(10):
            await self.work(run_id)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
async def dispatcher(postgres_database: Database, queue: Queue) -> AsyncIterator[SharedDispatcher]:
    clock = SystemClock()
    store = SqlCheckpointStore(
        postgres_database,
        seal=seal,
        unseal=unseal,
        token_hash=tokens.token_hash,
        changed=lambda *_, **__: None,
        now=clock.now,
        is_shared=True,
    )
    exchange = Exchange(postgres_database)
    made = SharedDispatcher(store, clock, postgres_database, exchange, concurrency=1, worker=queue)
    yield made
    await made.stop(1)


async def test_a_job_is_done_when_its_run_was_advanced_under_the_name_of_the_worker(
    dispatcher: SharedDispatcher, queue: Queue
):
    advanced: list[tuple[str, str]] = []

    async def advance(run_id: str, _claimed: ClaimedRun | None) -> None:
        advanced.append((run_id, dispatcher.owner))

    await dispatcher.start(advance)
    await queue.bring("r")
    assert advanced == [("r", "7")]
    assert dispatcher.claim_name() == ""


async def test_a_job_for_a_run_that_is_worked_on_tells_its_work_and_begins_nothing(
    dispatcher: SharedDispatcher, queue: Queue
):
    begun: list[str] = []
    is_begun, go_on = asyncio.Event(), asyncio.Event()

    async def advance(run_id: str, _claimed: ClaimedRun | None) -> None:
        begun.append(run_id)
        is_begun.set()
        await go_on.wait()
        dispatcher.seen(run_id)

    await dispatcher.start(advance)
    first = asyncio.create_task(queue.bring("r"))
    async with asyncio.timeout(10):
        await is_begun.wait()
        assert dispatcher.is_crowded
        waiting = asyncio.create_task(queue.bring("other"))
        await asyncio.sleep(0)
        # A second job for a run that waits for its turn here.
        await queue.bring("other")
        await queue.bring("r")
        await dispatcher.nudge("r").wait()
        go_on.set()
        await asyncio.gather(first, waiting)
    assert begun == ["r", "other"]


async def test_a_run_that_could_not_be_advanced_is_tried_again_by_the_process_that_holds_it(
    dispatcher: SharedDispatcher, queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(local, "RETRY_SECONDS", 0.01)
    tries: list[str] = []
    succeeded = asyncio.Event()

    async def advance(run_id: str, _claimed: ClaimedRun | None) -> None:
        tries.append(run_id)
        if len(tries) < 3:
            raise Unavailable("The database is away.")
        succeeded.set()

    await dispatcher.start(advance)
    await queue.bring("r")
    async with asyncio.timeout(10):
        await succeeded.wait()
    assert tries == ["r"] * 3


async def test_what_cannot_be_queued_is_left_to_the_sweep(
    dispatcher: SharedDispatcher, postgres_database: Database, caplog: pytest.LogCaptureFixture
):
    await asyncio.to_thread(postgres_database.close)
    dispatcher.enqueue("r")
    await dispatcher.stop(1)
    assert "1 runs are queued later" in caplog.text


async def test_a_stopping_worker_takes_nothing_more(dispatcher: SharedDispatcher, queue: Queue):
    advanced: list[str] = []

    async def advance(run_id: str, _claimed: ClaimedRun | None) -> None:
        advanced.append(run_id)

    await dispatcher.start(advance)
    work = queue.work
    assert work is not None
    await dispatcher.stop(1)
    await work("r")
    assert advanced == []
