"""Nodes that call a real server: what leaves, and what becomes of a server that behaves badly."""

from typing import Any
from uuid import UUID, uuid5

import pytest

from orchestrator_app.domain.definition import Node
from tests.fakes.server import FakeServer
from tests.processes import free_port
from tests.running import World, failure_of, graph, messages_of, node, wait, webhook


def call(url: str, node_id: str = "a", **config: Any) -> Node:
    return node(node_id, "RemoteWebhook", url=url, **config)


async def test_every_call_carries_the_headers_by_which_it_is_recognised(
    http_world: World, fake_server: FakeServer
):
    url = f"{fake_server.url}/echo/a"
    own = {"X-Own": "{{ data.n }}", "X-Correlation-Id": "not mine"}
    run = await http_world.run(graph([call(url, headers=own)]), {"n": 1})
    assert run.output == {"n": 1}
    run_id = run.summary.id
    (received,) = fake_server.calls("/echo/a")
    assert received.method == "POST"
    assert received.json == {"n": 1}
    assert received.headers["x-own"] == "1"
    assert received.headers["x-correlation-id"] == f"{run_id}.a"
    assert received.headers["idempotency-key"] == str(uuid5(UUID(run_id), "a"))
    assert received.headers["traceparent"].startswith(f"00-{UUID(run_id).hex}-")
    assert received.headers["content-type"] == "application/json"


async def test_a_callback_is_asked_for_in_the_body(http_world: World, fake_server: FakeServer):
    nodes = [call(f"{fake_server.url}/echo/a"), wait("w")]
    run_id = await http_world.start(graph(nodes, "a w"), {"n": 1})
    await http_world.parked(run_id)
    (received,) = fake_server.calls("/echo/a")
    token = (await http_world.tokens_of(run_id))["w"][0]
    assert received.json == {
        "n": 1,
        "callbackUrl": f"https://orchestrator.example/callback/{run_id}?token={token}",
        "correlationToken": token,
    }
    run = await http_world.parked(run_id)
    shown = str(run.nodes[0].attempts) + str(run.nodes[0].output)
    assert token not in shown


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/html", "unreadable_answer"),
        ("/bad-json", "unreadable_answer"),
        ("/binary", "unreadable_answer"),
        ("/status/400?message=No+such+order.", "provider_refused"),
        ("/status/401", "credential_refused"),
        ("/status/404", "provider_refused"),
        ("/redirect?to=http://127.0.0.1/", "provider_refused"),
        ("/status/500", "provider_unavailable"),
        ("/status/429", "provider_busy"),
        ("/drop", "outcome_unknown"),
        ("/cut", "outcome_unknown"),
        ("/garbage", "unreadable_answer"),
        ("/slow?ms=60000", "outcome_unknown"),
    ],
)
async def test_a_server_that_behaves_badly_fails_the_node_with_a_sentence(
    http_world: World, fake_server: FakeServer, path: str, code: str
):
    badly = call(fake_server.url + path, retryAttempts=0, timeout=300)
    run = await http_world.run(graph([badly]), {"n": 1})
    assert run.summary.state == "FAILED"
    failure = failure_of(run.nodes[0])
    assert failure["code"] == code
    assert failure["message"].endswith((".", "”"))
    assert len(fake_server.journal) == 1
    (attempt,) = run.nodes[0].attempts
    assert attempt.failure == failure
    assert attempt.ended_date is not None


async def test_a_server_that_says_nothing_is_the_output_null(http_world: World, fake_server: FakeServer):
    run = await http_world.run(graph([call(f"{fake_server.url}/empty")]))
    assert (run.summary.state, run.output) == ("COMPLETED", None)


@pytest.mark.usefixtures("shortest_pauses")
async def test_a_server_that_is_not_there_is_tried_again_even_for_a_post(http_world: World):
    run = await http_world.run(graph([call(f"http://127.0.0.1:{free_port()}/", retryAttempts=2)]))
    assert failure_of(run.nodes[0])["code"] == "provider_unavailable"
    assert run.nodes[0].attempt == 3


async def test_a_busy_server_is_called_again_when_it_says(http_world: World, fake_server: FakeServer):
    world = http_world
    run_id = await world.start(
        graph([call(f"{fake_server.url}/status/429?retry_after=120", retryAttempts=1)])
    )
    run = await world.parked(run_id)
    assert run.nodes[0].wake_at == world.clock.ms + 120_000
    world.advance(120_000)
    run = await world.ended(run_id)
    assert [attempt.status_code for attempt in run.nodes[0].attempts] == [429, 429]
    keys = {received.headers["idempotency-key"] for received in fake_server.journal}
    assert len(keys) == 1


@pytest.mark.usefixtures("shortest_pauses")
async def test_a_server_that_recovers_in_time_completes_the_run(http_world: World, fake_server: FakeServer):
    run = await http_world.run(graph([call(f"{fake_server.url}/flaky/x?fail=3", retryAttempts=3)]), {"n": 1})
    assert run.output == {"n": 1}
    assert [attempt.status_code for attempt in run.nodes[0].attempts] == [503, 503, 503, 200]


async def test_a_job_at_a_plain_address_is_polled_by_where_its_answer_says(
    http_world: World, fake_server: FakeServer
):
    world = http_world
    config = {"completion": "poll", "pollingInterval": 5_000, "doneCondition": "data.status = 'done'"}
    run_id = await world.start(graph([call(f"{fake_server.url}/job/1?looks=3", **config)]), {"n": 1})
    await world.at_rest()
    for _ in range(3):
        world.advance(8_000)
        await world.at_rest()
    assert (await world.ended(run_id)).output == {"status": "done", "result": {"looks": 3}}
    assert [received.method for received in fake_server.journal] == ["POST", "GET", "GET", "GET"]


async def test_a_job_that_fails_at_a_plain_address_fails_its_node(http_world: World, fake_server: FakeServer):
    world = http_world
    config = {
        "completion": "poll",
        "pollingInterval": 5_000,
        "statusUrl": fake_server.url + "/job/{{ data.status }}?looks=1&end=broken",
        "doneCondition": "data.status = 'done'",
        "failedCondition": "data.status = 'broken'",
    }
    run_id = await world.start(graph([call(f"{fake_server.url}/job/1", **config)]), {"n": 1})
    await world.at_rest()
    world.advance(8_000)
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert failure["code"] == "remote_failed"
    assert "'status': 'broken'" in failure["message"]
    assert fake_server.journal[-1].path == "/job/queued"


async def test_a_simulated_execution_is_polled_and_stopped_with_its_run(http_world: World):
    world = http_world
    polled = webhook("a", workflowId="polling", completion="poll", pollingTimeout=300_000)
    first, second = [await world.start(graph([polled]), {"seconds": 60}) for _ in range(2)]
    await world.at_rest()
    await world.runs.cancel("default", second)
    await world.at_rest()
    said = messages_of(await world.ended(second))[-1]
    assert "stopped" in said or "cancelled" in said, said
    for _ in range(4):
        world.advance(31_000)
        await world.at_rest()
    assert (await world.ended(first)).summary.state == "COMPLETED"
