from typing import Any

import httpx

from tests.api.calls import ROOT, assert_problem, definition, node, started, waiting
from tests.fakes.server import FakeServer


def call(node_id: str, url: str) -> dict[str, Any]:
    return node(node_id, "RemoteWebhook", provider="custom", url=url, retryAttempts=0)


def cut_before_the_end(server: FakeServer) -> dict[str, Any]:
    """A call that the server takes without an answer, and one behind it."""
    nodes = (call("cut", f"{server.url}/drop"), call("last", f"{server.url}/echo/last"))
    return definition(*nodes, edges=(("cut", "last"),))


async def ended(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    while True:
        run = (await api.get(f"{ROOT}/runs/{run_id}")).json()
        if run["status"] in {"COMPLETED", "FAILED"}:
            return run


async def test_an_unknown_outcome_is_decided_and_the_run_goes_on(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    run = await started(api, cut_before_the_end(fake_server))
    assert run["failure"]["code"] == "outcome_unknown"
    address = f"{ROOT}/runs/{run['id']}/nodes/cut/decide"
    undecided = await api.post(f"{ROOT}/runs/{run['id']}/retry")
    assert_problem(undecided, 409, "outcome_undecided")
    answer = await api.post(address, json={"decision": "done", "output": {"n": 1}})
    assert answer.status_code == 202
    assert answer.json()["failure"] is None
    run = await ended(api, run["id"])
    assert (run["status"], run["output"]) == ("COMPLETED", {"n": 1})
    assert any("through the API" in line["message"] for line in run["logs"])
    assert_problem(await api.post(address, json={"decision": "done"}), 409, "conflict")
    assert len(fake_server.calls("/drop")) == 1


async def test_a_decision_that_nobody_offered_is_refused(api: httpx.AsyncClient, fake_server: FakeServer):
    run = await started(api, cut_before_the_end(fake_server))
    address = f"{ROOT}/runs/{run['id']}/nodes"
    for body in ({"decision": "perhaps"}, {}, {"decision": "done", "outptu": 1}, {"decision": None}):
        assert_problem(await api.post(f"{address}/cut/decide", json=body), 422, "invalid_input")
    for node_id in ("never-was", "x" * 501, "%00"):
        answer = await api.post(f"{address}/{node_id}/decide", json={"decision": "fail"})
        assert_problem(answer, 404, "not_found")
    answer = await api.post(f"{ROOT}/runs/unknown/nodes/cut/decide", json={"decision": "fail"})
    assert_problem(answer, 404, "not_found")


async def test_a_failed_run_is_retried_from_where_it_failed(api: httpx.AsyncClient, fake_server: FakeServer):
    nodes = (
        call("first", f"{fake_server.url}/echo/first"),
        call("flaky", f"{fake_server.url}/flaky/x?fail=1"),
    )
    run = await started(api, definition(*nodes, edges=(("first", "flaky"),)), {"n": 1})
    assert run["status"] == "FAILED"
    answer = await api.post(f"{ROOT}/runs/{run['id']}/retry")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{ROOT}/runs/{run['id']}"
    run = await ended(api, run["id"])
    assert (run["status"], run["output"]) == ("COMPLETED", {"n": 1})
    assert [attempt["statusCode"] for attempt in run["nodes"][1]["attempts"]] == [503, 200]
    assert len(fake_server.calls("/echo/first")) == 1
    assert_problem(await api.post(f"{ROOT}/runs/{run['id']}/retry"), 409, "conflict")


async def test_a_failed_run_is_retried_on_the_newest_definition(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    first = call("first", f"{fake_server.url}/echo/first")
    graph = definition(first, call("last", f"{fake_server.url}/status/404"), edges=(("first", "last"),))
    run = await started(api, graph, {"n": 1})
    graph = definition(first, call("last", f"{fake_server.url}/echo/last"), edges=(("first", "last"),))
    saved = await api.put(f"{ROOT}/{run['orchestratorId']}", json={"definition": graph, "version": 1})
    assert saved.status_code == 200
    answer = await api.post(f"{ROOT}/runs/{run['id']}/retry", json={"definition": "newest"})
    assert answer.json()["parentRunId"] == run["id"]
    again = await ended(api, answer.json()["id"])
    assert (again["status"], again["output"], again["version"]) == ("COMPLETED", {"n": 1}, 2)
    assert len(fake_server.calls("/echo/first")) == 1
    wrong = await api.post(f"{ROOT}/runs/{run['id']}/retry", json={"definition": "oldest"})
    assert_problem(wrong, 422, "invalid_input")


async def test_a_run_is_repeated_on_its_own_definition(api: httpx.AsyncClient):
    run = await started(api, data={"a": 1})
    other = definition(node("other", "DataMapper", mappings=[{"from": "data", "to": "other"}]))
    await api.put(f"{ROOT}/{run['orchestratorId']}", json={"definition": other, "version": 1})
    answer = await api.post(f"{ROOT}/runs/{run['id']}/rerun", json={"definition": "same"})
    assert (await ended(api, answer.json()["id"]))["output"] == {"copy": {"a": 1}}
    answer = await api.post(f"{ROOT}/runs/{run['id']}/rerun", json={"definition": "newest"})
    assert (await ended(api, answer.json()["id"]))["output"] == {"other": {"a": 1}}


async def test_a_run_that_goes_on_is_not_retried(api: httpx.AsyncClient):
    run = await waiting(api)
    problem = assert_problem(await api.post(f"{ROOT}/runs/{run['id']}/retry"), 409, "conflict")
    assert "WAITING" in problem["detail"]


async def test_a_wait_is_ended_by_hand(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/runs/{run['id']}/nodes/wait/resume"
    assert_problem(await api.post(f"{ROOT}/runs/{run['id']}/nodes/other/resume", json={}), 409, "conflict")
    answer = await api.post(address, json={"approved": True})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    run = await ended(api, run["id"])
    assert run["output"] == {"approved": True}
    assert any("ended through the API" in line["message"] for line in run["logs"])
    assert_problem(await api.post(address, json={}), 409, "conflict")


async def test_many_runs_are_cancelled_at_once(api: httpx.AsyncClient):
    runs = [await waiting(api) for _ in range(3)]
    done = await started(api)
    answer = await api.post(f"{ROOT}/runs/bulk", json={"action": "cancel", "filter": {"status": ["waiting"]}})
    assert answer.status_code == 200
    assert answer.json() == {"done": 3, "refused": 0, "reasons": [], "left": 0, "nextCursor": None}
    for run in runs:
        assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "CANCELLED"
    assert (await api.get(f"{ROOT}/runs/{done['id']}")).json()["status"] == "COMPLETED"


async def test_many_runs_are_retried_but_those_that_must_be_decided(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    flaky = await started(api, definition(call("flaky", f"{fake_server.url}/flaky/x?fail=1")), {"n": 1})
    await started(api, cut_before_the_end(fake_server))
    body = {"action": "retry", "filter": {"from": "2020-01-01T00:00:00Z", "q": "ord", "status": ["FAILED"]}}
    answer = await api.post(f"{ROOT}/runs/bulk", json=body)
    result = answer.json()
    assert (result["done"], result["refused"], len(result["reasons"])) == (1, 1, 1)
    assert (await ended(api, flaky["id"]))["status"] == "COMPLETED"
    assert len(fake_server.calls("/drop")) == 1


async def test_what_cannot_be_done_to_many_runs_is_refused(api: httpx.AsyncClient):
    for body in (
        {"action": "delete", "filter": {}},
        {"action": "cancel"},
        {"action": "cancel", "filter": {"state": ["WAITING"]}},
        {"action": "cancel", "filter": {"status": ["DONE"]}},
        {"action": "cancel", "filter": {"from": "yesterday"}},
    ):
        assert_problem(await api.post(f"{ROOT}/runs/bulk", json=body), 422, "invalid_input")
