"""The process is killed at every single write of five graphs, and another one goes on from what is on disk.

Calls go over real HTTP, so that the journal of the server tells what was really sent.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.services.views import RunDetail
from tests.fakes.server import FakeServer
from tests.running import (
    WORKSPACE,
    World,
    condition,
    driven,
    failure_of,
    graph,
    mapper,
    node,
    nodes_of,
    states_of,
    wait,
    webhook,
)

pytestmark = pytest.mark.usefixtures("shortest_pauses")

# Every graph has at least three calls one after the other, each journaled before it leaves, and its end.
FEWEST_WRITES = 3
DATA: JsonValue = {"total": 7, "name": "Ada"}
Build = Callable[[str], Definition]


def call(node_id: str, url: str, **config: Any) -> Node:
    """A call over HTTP that may be repeated, unless the config says otherwise."""
    return node(
        node_id, "RemoteWebhook", **{"provider": "custom", "url": f"{url}", "method": "PUT", **config}
    )


def a_chain(url: str) -> Definition:
    nodes = [
        call("a", f"{url}/echo/a"),
        mapper("b", n="data.total", mode="extend"),
        call("c", f"{url}/echo/c"),
    ]
    return graph([*nodes, call("d", f"{url}/echo/d")], "a b, b c, c d")


def a_diamond_with_branches(url: str) -> Definition:
    nodes = [call(name, f"{url}/echo/{name}") for name in "abcde"]
    nodes += [condition("if", yes="data.total > 5"), mapper("skipped")]
    return graph(nodes, "a b, a c, b d, c d, d if, if:yes e, if:default skipped")


def failures_and_tries(url: str) -> Definition:
    nodes = [
        call("bad", f"{url}/status/404"),
        node("rescue", "ErrorBoundary"),
        call("flaky", f"{url}/flaky/{{{{ run.id }}}}?fail=2", retryAttempts=9),
        call("last", f"{url}/echo/last", bodyTemplate='{"code": "{{ nodes.bad.error.code }}"}'),
    ]
    return graph(nodes, "bad:error rescue, rescue last, flaky last")


def callbacks(url: str) -> Definition:
    nodes = [
        call("ask", f"{url}/echo/ask"),
        wait("answer"),
        call("own", f"{url}/echo/own", completion="callback"),
        call("last", f"{url}/echo/last", bodyTemplate='{"n": {{ nodes.answer.output.n }}}'),
    ]
    return graph(nodes, "ask answer, answer last, own last")


def waits_for_time(url: str) -> Definition:
    config: dict[str, Any] = {
        "completion": "poll",
        "pollingInterval": 5_000,
        "bodyTemplate": '{"seconds": 12}',
    }
    nodes = [
        webhook("polled", workflowId="polling", idempotent=True, **config),
        wait("patience", timeout=30_000, onTimeout="continue"),
        call("last", f"{url}/echo/last", bodyTemplate='{"done": true}'),
    ]
    return graph(nodes, "polled last, patience last")


GRAPHS: list[Build] = [a_chain, a_diamond_with_branches, failures_and_tries, callbacks, waits_for_time]


def calls_of(server: FakeServer, run_id: str) -> Counter[str]:
    """How often each node of a run called the server."""
    ids = [request.headers["x-correlation-id"].partition(".") for request in server.journal]
    return Counter(node_id for run, _, node_id in ids if run == run_id)


def outcome_of(run: RunDetail) -> dict[str, Any]:
    """All that counts of a run, without what differs from run to run."""
    nodes = {view.node_id: (view.state, view.handles, _steady(view.output)) for view in run.nodes}
    return {"state": run.summary.state, "output": _steady(run.output), "nodes": nodes, "edges": run.edges}


def _steady(value: Any) -> Any:
    own = ("callbackUrl", "correlationToken", "executionId")
    return {key: item for key, item in value.items() if key not in own} if isinstance(value, dict) else value


def assert_consistent(run: RunDetail) -> None:
    """Everything has ended, and the attempts of a node are numbered without a gap."""
    for view in run.nodes:
        assert view.state in {"COMPLETED", "FAILED", "SKIPPED", "CANCELLED"}, view
        assert view.ended_date is not None
        assert [attempt.number for attempt in view.attempts] == list(range(1, view.attempt + 1))
        assert all(attempt.ended_date is not None for attempt in view.attempts)
        assert not view.callback_url


async def killed_at(world: World, write: int, moment: str, definition_id: str) -> tuple[str, bool]:
    """Start a run in a process that dies at this write; the run's id, and whether it died before the run's end."""
    await world.begin()
    world.store.die_at(write, moment)
    summary, _ = await world.runs.start(WORKSPACE, definition_id, DATA, trigger="api")
    has_ended = await driven(world, summary.id) is not None
    await world.crash()
    return summary.id, not has_ended


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
async def test_wherever_the_process_is_killed_the_outcome_is_the_same(
    http_world: World, fake_server: FakeServer, build: Build, moment: str
):
    world = http_world
    definition_id = await world.keep(build(fake_server.url))
    await world.restart()
    undisturbed = await driven(
        world, (await world.runs.start(WORKSPACE, definition_id, DATA, trigger="api"))[0].id
    )
    assert undisturbed is not None
    assert undisturbed.summary.state == "COMPLETED"
    await world.crash()
    write, has_died = 0, True
    # Branches that work side by side share a write or do not, so the number of writes is known at the end only.
    while has_died:
        run_id, has_died = await killed_at(world, write, moment, definition_id)
        at_crash, calls_at_crash = await world.runs.get(WORKSPACE, run_id), calls_of(fake_server, run_id)
        recorded = [view.node_id for view in at_crash.nodes if view.state in {"COMPLETED", "FAILED"}]
        await world.begin()
        run = await driven(world, run_id)
        await world.crash()
        assert run is not None
        where = f"killed {moment} write {write}"
        assert outcome_of(run) == outcome_of(undisturbed), where
        assert_consistent(run)
        calls = calls_of(fake_server, run_id)
        assert [calls[name] for name in recorded] == [calls_at_crash[name] for name in recorded], where
        write += 1
    assert write >= FEWEST_WRITES


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_wherever_the_process_is_killed_no_call_that_must_not_be_is_repeated(
    http_world: World, fake_server: FakeServer, moment: str
):
    world = http_world
    nodes = [call(name, f"{fake_server.url}/echo/{name}", method="POST") for name in "abc"]
    definition_id = await world.keep(graph(nodes, "a b, b c"))
    await world.crash()
    unclear = write = 0
    while True:
        run_id, has_died = await killed_at(world, write, moment, definition_id)
        await world.begin()
        run = await driven(world, run_id)
        await world.crash()
        assert run is not None
        assert_consistent(run)
        calls = calls_of(fake_server, run_id)
        assert max(calls.values(), default=0) <= 1
        if run.summary.state == "FAILED":
            unclear += 1
            failed = next(view for view in run.nodes if view.state == "FAILED")
            assert failure_of(failed)["code"] == failure_of(run.summary)["code"] == "outcome_unknown"
            assert failure_of(failed)["message"].startswith(
                "Orchestrator stopped while this call was under way"
            )
            assert failed.attempts[0].failure == failed.failure
        else:
            assert run.summary.state == "COMPLETED"
            assert calls == {"a": 1, "b": 1, "c": 1}
        if not has_died:
            break
        write += 1
    assert unclear >= 3


async def test_an_interrupted_call_leaves_its_attempt_in_the_journal(
    http_world: World, fake_server: FakeServer
):
    world = http_world
    definition = graph([call("a", f"{fake_server.url}/slow/a?ms=60000")])
    await world.begin()
    run_id = await world.start(definition, DATA)
    await fake_server.arrived("/slow/a")
    await world.restart()
    await fake_server.arrived("/slow/a", count=2)
    run = await world.runs.get(WORKSPACE, run_id)
    first, second = nodes_of(run)["a"].attempts
    assert failure_of(first)["code"] == "outcome_unknown"
    assert (first.next_try_at, second.ended_date) == (world.clock.ms, None)
    keys = {request.headers["idempotency-key"] for request in fake_server.calls("/slow/a")}
    assert len(keys) == 1
    await world.runs.cancel(WORKSPACE, run_id)
    assert states_of(await world.ended(run_id)) == {"a": "CANCELLED"}
