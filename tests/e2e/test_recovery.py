"""A killed program: whatever it was doing goes on at the next start, and nothing recorded is done again."""

import time
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.fakes.server import FakeServer
from tests.processes import Program

NODES = 20


def call(node_id: str, url: str, **config: object) -> dict[str, Any]:
    """A RemoteWebhook in the definition's shape."""
    return {
        "id": node_id,
        "type": "orchestratorNode",
        "position": {"x": 0, "y": 0},
        "data": {"label": node_id, "nodeType": "RemoteWebhook", "config": {"url": url, **config}},
    }


def chain(ids: list[str]) -> list[dict[str, Any]]:
    """Edges from each node to the next."""
    return [{"id": f"{a}-{b}", "source": a, "target": b} for a, b in pairwise(ids)]


@pytest.mark.parametrize("kills", [1, 3])
def test_a_run_of_20_slow_nodes_survives_kill_9_and_repeats_nothing_that_was_recorded(
    mortal_program: Program, fake: FakeServer, kills: int
) -> None:
    ids = [f"n{i}" for i in range(NODES)]
    nodes = [call(node_id, f"{fake.url}/slow/{node_id}?ms=80", idempotent=True) for node_id in ids]
    orchestrator = mortal_program.create("Twenty slow nodes", nodes, chain(ids))
    run_id = mortal_program.ask("POST", f"/{orchestrator}/run", {"start": 1})["id"]
    recorded_before: list[set[str]] = []
    for kill in range(kills):
        fake.wait_for(f"/slow/n{3 + 4 * kill}")
        mortal_program.kill()
        calls_then = len(fake.calls())
        mortal_program.start()
        run = mortal_program.ask("GET", f"/runs/{run_id}")
        recorded_before.append(
            {node["nodeId"] for node in run["nodes"][: calls_then - 1] if node["status"] == "COMPLETED"}
        )
    run = mortal_program.finished(run_id)
    assert run["status"] == "COMPLETED", run["failure"]
    assert [node["status"] for node in run["nodes"]] == ["COMPLETED"] * NODES
    times_called = Counter(request.path.rpartition("/")[2] for request in fake.calls())
    assert set(times_called) == set(ids)
    # Only the one call that was under way at each kill may have been sent twice, and with the same key.
    repeated = {node_id for node_id, count in times_called.items() if count > 1}
    assert len(repeated) <= kills
    for node_id in repeated:
        keys = {request.headers["idempotency-key"] for request in fake.calls(f"/slow/{node_id}")}
        assert len(keys) == 1
    attempts = {node["nodeId"]: node["attempts"] for node in run["nodes"]}
    assert all(len(attempts[node_id]) == times_called[node_id] or node_id in repeated for node_id in ids)


def test_a_call_that_must_not_be_repeated_ends_in_an_unknown_outcome_and_is_not_sent_again(
    mortal_program: Program, fake: FakeServer
) -> None:
    orchestrator = mortal_program.create("One payment", [call("pay", f"{fake.url}/slow/pay?ms=3000")], [])
    run_id = mortal_program.ask("POST", f"/{orchestrator}/run", {"amount": 5})["id"]
    fake.wait_for("/slow/pay")
    mortal_program.kill()
    mortal_program.start()
    run = mortal_program.finished(run_id)
    assert run["status"] == "FAILED"
    assert run["nodes"][0]["failure"]["code"] == "outcome_unknown"
    assert len(fake.calls("/slow/pay")) == 1


def test_a_run_that_waits_for_a_callback_goes_on_after_a_restart(
    mortal_program: Program, fake: FakeServer
) -> None:
    wait = {
        "id": "wait",
        "type": "orchestratorNode",
        "position": {"x": 0, "y": 0},
        "data": {"label": "wait", "nodeType": "WaitForCallback", "config": {}},
    }
    orchestrator = mortal_program.create(
        "Waits", [call("ask", f"{fake.url}/echo/ask"), wait], chain(["ask", "wait"])
    )
    run_id = mortal_program.ask("POST", f"/{orchestrator}/run", {"question": "?"})["id"]
    asked = fake.wait_for("/echo/ask")[0].json
    _wait_for_state(mortal_program, run_id, "WAITING")
    mortal_program.kill()
    mortal_program.start()
    assert mortal_program.ask("GET", f"/runs/{run_id}")["status"] == "WAITING"
    token = asked["correlationToken"]
    answer = mortal_program.ask(
        "POST", f"/callback/{run_id}", {"approved": True}, {"Authorization": f"Bearer {token}"}
    )
    assert answer["status"] == "accepted"
    run = mortal_program.finished(run_id)
    assert run["status"] == "COMPLETED"
    assert run["output"] == {"approved": True}


def test_sigterm_ends_the_program_cleanly_and_loses_nothing(
    mortal_program: Program, fake: FakeServer
) -> None:
    ids = ["a", "b", "c"]
    nodes = [call(node_id, f"{fake.url}/slow/{node_id}?ms=300") for node_id in ids]
    orchestrator = mortal_program.create("Stopped", nodes, chain(ids))
    run_id = mortal_program.ask("POST", f"/{orchestrator}/run", {})["id"]
    fake.wait_for("/slow/a")
    assert mortal_program.stop() == 0
    mortal_program.start()
    run = mortal_program.finished(run_id)
    assert run["status"] == "COMPLETED", run["failure"]
    assert Counter(request.path for request in fake.calls()) == {"/slow/a": 1, "/slow/b": 1, "/slow/c": 1}


def _wait_for_state(program: Program, run_id: str, state: str) -> None:
    deadline = time.monotonic() + 10
    while program.ask("GET", f"/runs/{run_id}")["status"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.02)
