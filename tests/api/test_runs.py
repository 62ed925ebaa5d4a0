import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.api.calls import (
    COPY,
    ROOT,
    WAIT,
    assert_problem,
    create,
    definition,
    node,
    started,
    token_of,
    waiting,
)

FAILS = definition(node("map", "DataMapper", mappings=[{"from": "data.missing", "to": "a"}]))
JSON_TYPE = {"Content-Type": "application/json"}


async def test_a_start_is_answered_at_once_with_the_address_of_the_run(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run", json={"order": 7})
    assert answer.status_code == 202
    run = answer.json()
    assert answer.headers["location"] == f"{ROOT}/runs/{run['id']}"
    assert run["orchestratorId"] == orchestrator_id
    assert run["orchestratorName"] == "Orders"
    assert run["version"] == 1
    assert run["status"] == "RUNNING"
    assert run["trigger"] == "api"
    assert run["workspaceId"] == "default"
    assert run["failure"] is None


async def test_a_start_that_waits_is_answered_with_the_result(api: httpx.AsyncClient):
    run = await started(api, data={"order": 7})
    assert run["status"] == "COMPLETED"
    assert run["input"] == {"order": 7}
    assert run["output"] == {"copy": {"order": 7}}
    assert run["definition"] == COPY
    (copied,) = run["nodes"]
    assert copied["nodeId"] == "copy"
    assert copied["nodeType"] == "DataMapper"
    assert copied["status"] == "COMPLETED"
    assert copied["input"] == {"order": 7}
    assert copied["output"] == {"copy": {"order": 7}}
    assert copied["callbackUrl"] == ""
    assert run["startedDate"] <= copied["startedDate"] <= copied["endedDate"] <= run["endedDate"]
    assert isinstance(run["logs"], list)
    assert all(line["message"] and line["at"].endswith("Z") for line in run["logs"])
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json() == run


async def test_a_run_that_does_not_end_in_time_is_answered_as_under_way(api: httpx.AsyncClient):
    orchestrator_id = await create(api, WAIT)
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run?wait=0.3")
    assert answer.status_code == 202
    assert answer.json()["status"] in {"PENDING", "RUNNING", "WAITING"}
    assert "nodes" not in answer.json()


async def test_a_failed_run_tells_why(api: httpx.AsyncClient):
    run = await started(api, FAILS)
    assert run["status"] == "FAILED"
    assert run["failure"]["code"] == "expression_error"
    assert "missing" in run["failure"]["message"]
    assert run["nodes"][0]["failure"]["code"] == "expression_error"


async def test_calls_of_a_node_are_told_with_their_attempts(api: httpx.AsyncClient):
    graph = definition(node("call", "RemoteWebhook", provider="simulated", workflowId="echo"))
    run = await started(api, graph, {"a": 1})
    assert run["output"] == {"a": 1}
    (attempt,) = run["nodes"][0]["attempts"]
    assert attempt["number"] == 1
    assert attempt["failure"] is None
    assert attempt["startedDate"] <= attempt["endedDate"]


async def test_the_input_may_be_any_json(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    for data in ("[1, 2]", '"text"', "7", "null", "true", '{"a": {"b": []}}'):
        answer = await api.post(f"{ROOT}/{orchestrator_id}/run?wait=20", content=data, headers=JSON_TYPE)
        assert answer.status_code == 200
        assert answer.json()["input"] == json.loads(data)


async def test_no_body_is_an_empty_input(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run?wait=20")
    assert answer.json()["input"] == {}


async def test_a_repeated_key_answers_with_the_first_run(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}/run"
    headers = {"Idempotency-Key": "order-7"}
    answers = await asyncio.gather(*(api.post(address, json={"a": 1}, headers=headers) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    other = await api.post(address, json={"a": 2}, headers=headers)
    assert_problem(other, 409, "conflict")
    assert len((await api.get(f"{ROOT}/runs")).json()["items"]) == 1
    ended = await api.post(f"{address}?wait=20", json={"a": 1}, headers=headers)
    assert ended.status_code == 200
    assert ended.json()["output"] == {"copy": {"a": 1}}


async def test_a_key_that_no_header_can_hold_is_refused(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}/run"
    for key in ("k" * 256, "with space", "tab\tin it"):
        answer = await api.post(address, json={}, headers={"Idempotency-Key": key})
        assert_problem(answer, 422, "invalid_input")


async def test_what_cannot_run_is_refused_with_its_problems(api: httpx.AsyncClient):
    orchestrator_id = await create(api, definition(node("call", "RemoteWebhook", provider="custom")))
    problem = assert_problem(await api.post(f"{ROOT}/{orchestrator_id}/run"), 422, "invalid_definition")
    assert problem["errors"][0]["nodeId"] == "call"
    assert (await api.get(f"{ROOT}/runs")).json()["items"] == []


async def test_a_wrong_waiting_time_is_refused(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    for wait in ("-1", "61", "nan", "inf", "soon", ""):
        answer = await api.post(f"{ROOT}/{orchestrator_id}/run", params={"wait": wait})
        problem = assert_problem(answer, 422, "invalid_input")
        assert problem["errors"][0]["field"] == "wait"


async def test_a_misspelt_parameter_is_refused(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run", params={"wiat": "5"})
    problem = assert_problem(answer, 422, "invalid_input")
    assert problem["errors"] == [{"field": "wiat", "in": "query", "message": "There is no such field here."}]


async def test_the_history_is_filtered_by_state(api: httpx.AsyncClient):
    done = await started(api)
    failed = await started(api, FAILS)
    waits = await waiting(api)

    async def ids(query: str) -> list[str]:
        return [run["id"] for run in (await api.get(f"{ROOT}/runs?{query}")).json()["items"]]

    assert await ids("") == [waits["id"], failed["id"], done["id"]]
    assert await ids("status=FAILED") == [failed["id"]]
    assert await ids("status=FAILED&status=WAITING") == [waits["id"], failed["id"]]
    assert await ids("status=failed,%20waiting,") == [waits["id"], failed["id"]]
    assert_problem(await api.get(f"{ROOT}/runs?status=NONSENSE"), 422, "invalid_input")


async def test_the_history_is_filtered_by_orchestrator_also_after_its_deletion(api: httpx.AsyncClient):
    run = await started(api)
    await started(api)
    await api.delete(f"{ROOT}/{run['orchestratorId']}")
    for address in (
        f"{ROOT}/runs?orchestratorId={run['orchestratorId']}",
        f"{ROOT}/{run['orchestratorId']}/runs",
    ):
        assert [item["id"] for item in (await api.get(address)).json()["items"]] == [run["id"]]


async def test_the_history_is_filtered_by_time(api: httpx.AsyncClient):
    run = await started(api)
    created = datetime.fromisoformat(run["createdDate"])

    async def count(**params: str) -> int:
        return len((await api.get(f"{ROOT}/runs", params=params)).json()["items"])

    before = (created - timedelta(milliseconds=1)).isoformat()
    after = (created + timedelta(milliseconds=1)).isoformat()
    assert await count(**{"from": run["createdDate"]}) == 1
    assert await count(**{"from": after}) == 0
    assert await count(to=after) == 1
    assert await count(to=before) == 0
    without_zone = (created.astimezone(UTC) - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    assert await count(**{"from": without_zone}) == 1
    for wrong in ("yesterday", "7", "2026-13-01T00:00:00Z", "9" * 5_000):
        answer = await api.get(f"{ROOT}/runs", params={"from": wrong})
        assert assert_problem(answer, 422, "invalid_input")["errors"][0]["field"] == "from"


async def test_the_history_is_paged_without_gaps_or_repeats(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    ids = [(await api.post(f"{address}/run")).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.get(f"{address}/runs", params={"limit": 2, "cursor": cursor})).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == ids[::-1]


async def test_a_wrong_limit_is_refused(api: httpx.AsyncClient):
    for limit in ("0", "201", "-1", "1.5", "many", "9" * 5_000):
        answer = await api.get(f"{ROOT}/runs", params={"limit": limit})
        assert assert_problem(answer, 422, "invalid_input")["errors"][0]["field"] == "limit"


async def test_a_cancelled_run_stays_cancelled(api: httpx.AsyncClient):
    run = await waiting(api)
    answer = await api.post(f"{ROOT}/runs/{run['id']}/cancel")
    assert answer.status_code == 200
    assert answer.json()["status"] == "CANCELLED"
    assert_problem(await api.post(f"{ROOT}/runs/{run['id']}/cancel"), 409, "conflict")
    late = await api.post(f"{ROOT}/callback/{run['id']}?token={token_of(run)}", json={})
    assert late.status_code != 202
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "CANCELLED"


async def test_a_run_is_repeated_with_the_same_or_with_other_input(api: httpx.AsyncClient):
    run = await started(api, data={"a": 1})

    async def output(**call: Any) -> Any:
        answer = await api.post(f"{ROOT}/runs/{run['id']}/rerun", **call)
        assert answer.status_code == 202
        assert answer.json()["parentRunId"] == run["id"]
        while True:
            again = (await api.get(answer.headers["location"])).json()
            if again["status"] == "COMPLETED":
                return again["output"]

    assert await output() == {"copy": {"a": 1}}
    assert await output(json={}) == {"copy": {"a": 1}}
    assert await output(json={"input": [2]}) == {"copy": [2]}
    assert_problem(await api.post(f"{ROOT}/runs/{run['id']}/rerun", json={"inptu": 1}), 422, "invalid_input")


async def test_a_run_that_nobody_knows_is_not_found(api: httpx.AsyncClient):
    for call in ("", "/events"):
        assert_problem(await api.get(f"{ROOT}/runs/unknown{call}"), 404, "not_found")
    for call in ("/cancel", "/rerun"):
        assert_problem(await api.post(f"{ROOT}/runs/unknown{call}"), 404, "not_found")
    assert_problem(await api.post(f"{ROOT}/unknown/run"), 404, "not_found")
