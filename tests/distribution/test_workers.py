"""Several worker processes on one database: the work is shared, and nothing is lost or done twice when one ends."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from orchestrator_app.config import Settings
from orchestrator_app.domain.definition import Definition
from orchestrator_app.services.application import Application
from orchestrator_app.services.views import RunDetail
from orchestrator_app.storage.run_queue import DEAD_AFTER_SECONDS
from tests.distribution.conftest import NewWorker
from tests.fakes.server import FakeServer
from tests.running import WORKSPACE, failure_of, graph, node, nodes_of, states_of, wait

pytestmark = pytest.mark.postgres

ENDS = {"COMPLETED", "FAILED", "CANCELLED"}
# A dead worker is noticed after this time, and then somebody must sweep.
TAKEN_OVER_SECONDS = DEAD_AFTER_SECONDS + 15


def calls(
    server: FakeServer, names: str, milliseconds: int, *, method: str = "PUT", **config: Any
) -> Definition:
    """Calls in a row."""
    nodes = [
        node(
            name,
            "RemoteWebhook",
            provider="custom",
            url=f"{server.url}/slow/{name}?ms={milliseconds}",
            method=method,
            **config,
        )
        for name in names
    ]
    return graph(nodes, ", ".join(f"{a} {b}" for a, b in pairwise(names)))


async def started(application: Application, definition: Definition, number: int) -> list[str]:
    made = await application.orchestrators.create(WORKSPACE, name="Nightly", definition=definition.as_json())
    runs = [await application.runs.start(WORKSPACE, made.id, None, trigger="api") for _ in range(number)]
    return [run.id for run, _ in runs]


async def ended(application: Application, run_ids: Sequence[str], seconds: float = 30) -> list[RunDetail]:
    """The runs when all of them have ended."""
    async with asyncio.timeout(seconds):
        runs = [await application.runs.wait(WORKSPACE, run_id, seconds) for run_id in run_ids]
    assert {run.summary.state for run in runs} <= ENDS
    return runs


def arrived(server: FakeServer) -> Counter[str]:
    """How often each node of each run called."""
    return Counter(request.headers["x-correlation-id"] for request in list(server.journal))


def owners(settings: Settings) -> Counter[str]:
    with psycopg.connect(settings.database_url) as connection:
        return Counter(row[0] for row in connection.execute("SELECT owner FROM orchestrator_run"))


async def test_runs_are_shared_and_every_call_is_made_once(
    serving: Application, settings: Settings, new_worker: NewWorker, fake_server: FakeServer
):
    for _ in range(2):
        new_worker(ORCHESTRATOR_RUN_CONCURRENCY="4")
    run_ids = await started(serving, calls(fake_server, "abc", 50), 30)
    runs = await ended(serving, run_ids)

    assert {run.summary.state for run in runs} == {"COMPLETED"}
    assert arrived(fake_server) == {f"{run_id}.{name}": 1 for run_id in run_ids for name in "abc"}
    assert len(owners(settings)) == 2
    assert min(owners(settings).values()) >= 5


async def test_the_runs_of_a_killed_worker_are_finished_by_the_other(
    serving: Application, new_worker: NewWorker, fake_server: FakeServer
):
    dying = new_worker()
    safe = await started(serving, calls(fake_server, "abc", 1000), 20)
    unsafe = await started(serving, calls(fake_server, "d", 5000, method="POST", retryAttempts=0), 5)
    await fake_server.arrived("/slow/b", count=20)
    await fake_server.arrived("/slow/d", count=5)
    dying.kill()
    new_worker()
    runs = await ended(serving, safe, TAKEN_OVER_SECONDS)
    unclear = await ended(serving, unsafe, TAKEN_OVER_SECONDS)

    assert {run.summary.state for run in runs} == {"COMPLETED"}
    counts = arrived(fake_server)
    # What was under way is repeated, once; what was recorded is not.
    assert max(counts[f"{run_id}.{name}"] for run_id in safe for name in "abc") == 2
    assert {counts[f"{run_id}.a"] for run_id in safe} == {1}
    assert {counts[f"{run_id}.d"] for run_id in unsafe} == {1}
    assert {failure_of(nodes_of(run)["d"])["code"] for run in unclear} == {"outcome_unknown"}


async def test_a_worker_that_was_held_and_goes_on_writes_nothing_and_repeats_nothing(
    serving: Application, settings: Settings, new_worker: NewWorker, fake_server: FakeServer
):
    sleeping = new_worker()
    safe = await started(serving, calls(fake_server, "abc", 500), 20)
    unsafe = await started(serving, calls(fake_server, "d", 1500, method="POST", retryAttempts=0), 5)
    await fake_server.arrived("/slow/b", count=20)
    await fake_server.arrived("/slow/d", count=5)
    sleeping.hold()
    new_worker()
    await ended(serving, [*safe, *unsafe], TAKEN_OVER_SECONDS + 10)
    before = [states_of(await serving.runs.get(WORKSPACE, run_id)) for run_id in [*safe, *unsafe]]
    claimed = owners(settings)
    sleeping.release()
    # It works again as soon as it has seen that its runs are not its own any more.
    later = await started(serving, calls(fake_server, "e", 300), 20)
    await ended(serving, later, TAKEN_OVER_SECONDS)

    counts = arrived(fake_server)
    assert max(counts[f"{run_id}.{name}"] for run_id in safe for name in "abc") <= 2
    assert {counts[f"{run_id}.d"] for run_id in unsafe} == {1}
    assert {counts[f"{run_id}.e"] for run_id in later} == {1}
    assert before == [states_of(await serving.runs.get(WORKSPACE, run_id)) for run_id in [*safe, *unsafe]]
    assert len(claimed) == 1


async def test_a_stopped_worker_leaves_its_runs_to_the_other(
    serving: Application, new_worker: NewWorker, fake_server: FakeServer
):
    leaving = new_worker()
    run_ids = await started(serving, calls(fake_server, "abc", 300, method="POST", retryAttempts=0), 10)
    await fake_server.arrived("/slow/a", count=10)
    assert await asyncio.to_thread(leaving.stop) == 0
    new_worker()
    runs = await ended(serving, run_ids, TAKEN_OVER_SECONDS)

    assert {run.summary.state for run in runs} == {"COMPLETED"}
    assert set(arrived(fake_server).values()) == {1}


async def test_due_timers_and_ended_polls_go_on_once_each(
    serving: Application, new_worker: NewWorker, fake_server: FakeServer
):
    for _ in range(2):
        new_worker()
    after = calls(fake_server, "z", 1).nodes[0]
    timer = graph([wait("w", timeout=700, onTimeout="continue"), after], "w z")
    job = node(
        "p",
        "RemoteWebhook",
        provider="custom",
        url=f"{fake_server.url}/echo",
        completion="poll",
        statusUrl=f"{fake_server.url}/job/done?looks=2",
        doneCondition="data.status = 'done'",
        pollingInterval=1000,
    )
    timers = await started(serving, timer, 20)
    polled = await started(serving, graph([job, after], "p z"), 5)
    runs = await ended(serving, [*timers, *polled])

    assert {run.summary.state for run in runs} == {"COMPLETED"}, [states_of(run) for run in runs]
    counts = arrived(fake_server)
    assert {counts[f"{run_id}.z"] for run_id in [*timers, *polled]} == {1}


async def test_a_callback_to_the_serving_process_wakes_the_run_wherever_it_was(
    serving: Application, new_worker: NewWorker, fake_server: FakeServer
):
    for _ in range(2):
        new_worker()
    definition = graph([wait("w"), calls(fake_server, "z", 1).nodes[0]], "w z")
    run_ids = await started(serving, definition, 10)
    for run_id in run_ids:
        run = await parked(serving, run_id)
        (url,) = [view.callback_url for view in run.nodes if view.callback_url]
        answers = await asyncio.gather(
            *(serving.callbacks.receive(run_id, url.partition("?token=")[2], {"n": 1}) for _ in range(5))
        )
        assert Counter(answers) == {"accepted": 1, "duplicate": 4}
    await ended(serving, run_ids)
    assert {arrived(fake_server)[f"{run_id}.z"] for run_id in run_ids} == {1}


async def parked(application: Application, run_id: str) -> RunDetail:
    async with asyncio.timeout(20), application.hub.subscribe(WORKSPACE, run_id=run_id) as changes:
        while (run := await application.runs.get(WORKSPACE, run_id)).summary.state != "WAITING":
            await changes.take(1)
    return run


async def test_cancelling_in_the_serving_process_cuts_the_call_of_the_worker(
    serving: Application, new_worker: NewWorker, fake_server: FakeServer
):
    new_worker(ORCHESTRATOR_RUN_CONCURRENCY="1")
    (held,) = await started(serving, calls(fake_server, "a", 60_000), 1)
    await fake_server.arrived("/slow/a")
    (following,) = await started(serving, calls(fake_server, "b", 1), 1)
    await serving.runs.cancel(WORKSPACE, held)
    # There is room for one run only.
    await ended(serving, [following], 5)


async def test_a_run_goes_on_although_the_queue_was_emptied(
    serving: Application, settings: Settings, new_worker: NewWorker, fake_server: FakeServer
):
    run_ids = await started(serving, calls(fake_server, "a", 1), 5)
    emptied = 0
    async with asyncio.timeout(10):
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            while emptied < len(run_ids):
                emptied += connection.execute("DELETE FROM procrastinate_jobs").rowcount
                await asyncio.sleep(0.05)
    new_worker()
    await ended(serving, run_ids)
    assert set(arrived(fake_server).values()) == {1}


async def test_workers_live_through_an_outage_of_the_database(
    serving: Application, settings: Settings, new_worker: NewWorker, fake_server: FakeServer
):
    new_worker()
    new_worker()
    run_ids = await started(serving, calls(fake_server, "ab", 1500, method="POST", retryAttempts=0), 10)
    await fake_server.arrived("/slow/a", count=10)
    before = owners(settings)
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    runs = await ended(serving, run_ids)

    assert {run.summary.state for run in runs} == {"COMPLETED"}
    assert set(arrived(fake_server).values()) == {1}
    assert owners(settings) == before


async def test_what_a_worker_does_is_told_to_readers_of_the_serving_process(
    serving: Application, new_worker: NewWorker, fake_server: FakeServer
):
    new_worker()
    async with serving.hub.subscribe(WORKSPACE) as changes:
        (run_id,) = await started(serving, calls(fake_server, "a", 1), 1)
        async with asyncio.timeout(5):
            while not any(change.id == run_id and change.is_end for change in await changes.take(5)):
                pass
