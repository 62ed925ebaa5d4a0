"""Plain starts go a way of their own; nobody can tell by the answers."""

from typing import Any

import httpx
import pytest

from tests.api.calls import ROOT, WAIT, create, definition, node

JSON_TYPE = {"Content-Type": "application/json"}
# The seconds with a fraction are read by the web framework.
SHORT, LONG = "?wait=5", "?wait=5.0"
BROKEN = definition(node("call", "RemoteWebhook", provider="custom"))
CHANGING = {"id", "location", "createdDate", "startedDate", "endedDate", "at", "seq"}


def lasting(value: Any) -> Any:
    """What is the same at every start."""
    if isinstance(value, dict):
        return {name: lasting(item) for name, item in value.items() if name not in CHANGING}
    return [lasting(item) for item in value] if isinstance(value, list) else value


async def both(api: httpx.AsyncClient, address: str, **request: Any) -> httpx.Response:
    """The answer that both ways give."""
    short, long = [await api.post(f"{address}{query}", **request) for query in (SHORT, LONG)]
    assert short.status_code == long.status_code
    assert lasting(short.json()) == lasting(long.json())
    assert short.headers.keys() == long.headers.keys()
    for name in short.headers.keys() - {"location", "content-length", "date"}:
        assert short.headers[name] == long.headers[name]
    return short


@pytest.mark.parametrize("body", ["{}", '{"a": [1, null]}', "7", "null", ""])
async def test_both_ways_start_a_run_with_the_same_input(api: httpx.AsyncClient, body: str):
    answer = await both(api, f"{ROOT}/{await create(api)}/run", content=body, headers=JSON_TYPE)
    assert answer.status_code == 200
    assert answer.json()["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("{", {}, 400),
        ("[NaN]", {}, 400),
        ('{"a": 1, "a": 2}', {}, None),
        ("[" * 500 + "]" * 500, {}, 413),
        ("a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("{}", {"Content-Type": "application/json; charset=utf-16"}, 415),
        ("{}", {"Content-Encoding": "gzip"}, 415),
        ("{}", {"Sec-Fetch-Site": "cross-site"}, 403),
    ],
    ids=["broken", "not a number", "twice", "deep", "form", "charset", "compressed", "another site"],
)
async def test_both_ways_refuse_alike(
    api: httpx.AsyncClient, body: str, headers: dict[str, str], status: int | None
):
    answer = await both(api, f"{ROOT}/{await create(api)}/run", content=body, headers=JSON_TYPE | headers)
    if status is not None:
        assert answer.status_code == status


async def test_both_ways_say_alike_what_cannot_run(api: httpx.AsyncClient):
    for address in (f"{ROOT}/{await create(api, BROKEN)}/run", f"{ROOT}/missing/run", f"{ROOT}/a b/run"):
        assert (await both(api, address)).status_code in {404, 422}


async def test_without_waiting_the_answer_comes_at_once(api: httpx.AsyncClient):
    orchestrator_id = await create(api, WAIT)
    for query in ("", "?wait=0", "?wait=0.0"):
        answer = await api.post(f"{ROOT}/{orchestrator_id}/run{query}", json={})
        assert answer.status_code == 202
        assert answer.headers["location"] == f"{ROOT}/runs/{answer.json()['id']}"


@pytest.mark.parametrize(
    "query", ["?wait=61", "?wait=-1", "?wait=1&wait=2", "?wait=", "?other=1", "?wait=1e1"]
)
async def test_any_other_query_is_read_by_the_rules_of_the_api(api: httpx.AsyncClient, query: str):
    answer = await api.post(f"{ROOT}/{await create(api)}/run{query}", json={})
    assert answer.status_code in {200, 202, 422}
    assert (answer.status_code == 422) == (query in {"?wait=61", "?wait=-1", "?wait=", "?other=1"})


async def test_a_callback_to_a_run_of_that_name_is_still_a_callback(api: httpx.AsyncClient):
    token = {"Authorization": f"Bearer cb_{'x' * 43}"}
    run, other = [
        await api.post(f"{ROOT}/callback/{name}", json={}, headers=token) for name in ("run", "other")
    ]
    assert run.status_code == other.status_code == 404
    assert run.json() == other.json()
