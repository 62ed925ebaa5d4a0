from typing import Any

import httpx

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.providers.base import Capability
from tests.api.calls import ROOT, assert_problem
from tests.fakes.server import FakeServer

WRONG_KEY = "a-wrong-key-of-some-length"


async def connected(api: httpx.AsyncClient, fake: FakeServer, name: str = "Our n8n") -> dict[str, Any]:
    """A connection to the fake n8n."""
    credentials = {"baseUrl": fake.n8n2.base, "apiKey": fake.n8n2.key}
    answer = await api.post(f"{ROOT}/providers/n8n/connect", json={"name": name, "credentials": credentials})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_platforms_tell_what_they_can_do_and_what_a_connection_needs(api: httpx.AsyncClient):
    items = {item["key"]: item for item in (await api.get(f"{ROOT}/providers")).json()["items"]}
    assert {"custom", "n8n", "simulated"} <= set(items)
    fields = {field["key"]: field for field in items["n8n"]["fields"]}
    assert fields["baseUrl"]["isOrigin"] is True
    assert fields["apiKey"]["isSecret"] is True
    assert "list" in items["n8n"]["capabilities"]
    assert fields["apiKey"]["modes"] == fields["apiKey"]["options"] == []
    for item in items.values():
        every = {capability.value for capability in Capability}
        assert set(item["refusals"]) == every - set(item["capabilities"]), item["key"]
        assert set(item["limits"]) <= set(item["capabilities"])
    assert items["n8n"]["connections"] == []


async def test_a_connection_is_made_tried_and_never_gives_its_secret_out(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    made = await connected(api, fake_server)
    assert made["status"] == "connected"
    assert made["settings"] == {"baseUrl": fake_server.n8n2.base}
    assert made["secretsSet"] == ["apiKey"]
    assert "list" in made["capabilities"]
    assert made["sync"] == {
        "connectionId": made["id"],
        "workflows": 0,
        "isSyncing": False,
        "syncedDate": None,
        "failedDate": None,
        "failure": "",
    }
    address = f"{ROOT}/connections/{made['id']}"
    assert (await api.get(address)).json() == made
    assert (await api.get(f"{ROOT}/connections")).json() == {"items": [made]}
    listed = (await api.get(f"{ROOT}/providers")).json()["items"]
    assert next(item for item in listed if item["key"] == "n8n")["connections"] == [made]
    for answer in (await api.get(address), await api.get(f"{ROOT}/providers")):
        assert fake_server.n8n2.key not in answer.text


async def test_a_second_connection_of_the_same_name_is_refused(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    await connected(api, fake_server)
    credentials = {"baseUrl": fake_server.n8n2.base, "apiKey": fake_server.n8n2.key}
    answer = await api.post(
        f"{ROOT}/providers/n8n/connect", json={"name": "Our n8n", "credentials": credentials}
    )
    assert_problem(answer, 409, "conflict")


async def test_credentials_are_tried_without_being_stored(api: httpx.AsyncClient, fake_server: FakeServer):
    credentials = {"baseUrl": fake_server.n8n2.base, "apiKey": WRONG_KEY}
    answer = await api.post(f"{ROOT}/providers/n8n/test", json={"credentials": credentials})
    assert answer.status_code == 200
    assert answer.json()["status"] == "refused"
    assert answer.json()["detail"]
    assert WRONG_KEY not in answer.text
    good = await api.post(
        f"{ROOT}/providers/n8n/test",
        json={"credentials": credentials | {"apiKey": fake_server.n8n2.key}, "name": "Any"},
    )
    assert good.json()["status"] == "connected"
    assert (await api.get(f"{ROOT}/connections")).json() == {"items": []}


async def test_wrong_credentials_are_refused_field_by_field_without_repeating_them(api: httpx.AsyncClient):
    for call in ("connect", "test"):
        answer = await api.post(
            f"{ROOT}/providers/n8n/{call}",
            json={"credentials": {"baseUrl": "ftp://secret-host", "apiKey": "short", "nonsense": "x"}},
        )
        problem = assert_problem(answer, 422, "invalid_input")
        assert {error["field"] for error in problem["errors"]} == {"baseUrl", "apiKey", "nonsense"}
        assert "secret-host" not in answer.text
        wrong_type = await api.post(f"{ROOT}/providers/n8n/{call}", json={"credentials": {"apiKey": 7}})
        assert_problem(wrong_type, 422, "invalid_input")
        missing = await api.post(f"{ROOT}/providers/n8n/{call}", json={})
        assert_problem(missing, 422, "invalid_input")
        unknown = await api.post(f"{ROOT}/providers/nobody/{call}", json={"credentials": {}})
        assert_problem(unknown, 404, "not_found")


async def test_a_connection_is_renamed_without_entering_its_secret_again(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    made = await connected(api, fake_server)
    answer = await api.put(f"{ROOT}/connections/{made['id']}", json={"name": "Theirs"})
    assert answer.status_code == 200
    assert answer.json()["name"] == "Theirs"
    assert answer.json()["status"] == "connected"


async def test_a_changed_address_needs_its_secret_again(api: httpx.AsyncClient, fake_server: FakeServer):
    made = await connected(api, fake_server)
    change = {"credentials": {"baseUrl": "http://127.0.0.1:9"}}
    answer = await api.put(f"{ROOT}/connections/{made['id']}", json=change)
    problem = assert_problem(answer, 422, "invalid_input")
    assert problem["errors"][0]["field"] == "apiKey"
    assert (await api.get(f"{ROOT}/connections/{made['id']}")).json()["settings"] == made["settings"]


async def test_a_deleted_connection_is_gone(api: httpx.AsyncClient, fake_server: FakeServer):
    address = f"{ROOT}/connections/{(await connected(api, fake_server))['id']}"
    answer = await api.delete(address)
    assert answer.status_code == 204
    assert answer.content == b""
    assert_problem(await api.get(address), 404, "not_found")
    assert_problem(await api.delete(address), 404, "not_found")
    assert_problem(await api.put(address, json={"name": "x"}), 404, "not_found")


async def test_a_stored_connection_is_tried_now(api: httpx.AsyncClient, fake_server: FakeServer):
    address = f"{ROOT}/connections/{(await connected(api, fake_server))['id']}"
    fake_server.n8n2.drop(times=20)
    tried = await api.post(f"{address}/test")
    assert tried.status_code == 200
    assert tried.json()["status"] == "unreachable"
    assert (await api.get(address)).json()["status"] == "unreachable"
    assert_problem(await api.post(f"{ROOT}/connections/unknown/test"), 404, "not_found")


async def test_changes_of_a_stored_connection_are_tried_without_its_secret(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    made = await connected(api, fake_server)
    address = f"{ROOT}/providers/n8n/test"
    given = {"credentials": {"apiKey": "", "webhookUser": "somebody"}, "connectionId": made["id"]}
    answer = await api.post(address, json=given)
    assert answer.json()["status"] == "connected"
    assert (answer.json()["choices"], isinstance(answer.json()["facts"], list)) == ({}, True)
    moved = given | {"credentials": {"apiKey": "", "baseUrl": "http://127.0.0.1:9"}}
    problem = assert_problem(await api.post(address, json=moved), 422, "invalid_input")
    assert problem["errors"][0]["field"] == "apiKey"
    unknown = given | {"connectionId": "unknown"}
    assert_problem(await api.post(address, json=unknown), 404, "not_found")


async def test_who_uses_a_connection_is_told_and_does_not_keep_it(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    made = await connected(api, fake_server)
    address = f"{ROOT}/connections/{made['id']}"
    assert (await api.get(f"{address}/usage")).json() == {"items": []}
    graph = Definition((Node("a", "RemoteWebhook", "Call", {"connectionId": made["id"]}),))
    new = (await api.post(ROOT, json={"name": "Orders", "definition": graph.as_json()})).json()
    expected = {"orchestratorId": new["id"], "name": "Orders", "nodes": ["Call"]}
    assert (await api.get(f"{address}/usage")).json() == {"items": [expected]}
    assert_problem(await api.get(f"{ROOT}/connections/unknown/usage"), 404, "not_found")
    assert (await api.delete(address)).status_code == 204


async def test_ids_that_cannot_exist_are_not_found(api: httpx.AsyncClient):
    assert_problem(await api.get(f"{ROOT}/providers/{'9' * 5_000}/workflows"), 404, "not_found")
    assert_problem(await api.get(f"{ROOT}/providers/simulated/workflows/%00/preview"), 404, "not_found")
    long = f"{ROOT}/providers/simulated/workflows/{'9' * 5_000}/preview"
    assert_problem(await api.get(long), 404, "not_found")
    assert_problem(await api.get(f"{ROOT}/connections/{'9' * 5_000}"), 404, "not_found")
    unknown = {"connectionId": "unknown"}
    assert_problem(await api.get(f"{ROOT}/providers/n8n/workflows", params=unknown), 404, "not_found")


async def test_null_takes_away_what_may_be_left_out(api: httpx.AsyncClient, fake_server: FakeServer):
    flowise = fake_server.flowise
    credentials = {"baseUrl": flowise.base, "apiKey": flowise.key}
    answer = await api.post(f"{ROOT}/providers/flowise/connect", json={"credentials": credentials})
    made = answer.json()
    assert made["secretsSet"] == ["apiKey"]
    address = f"{ROOT}/connections/{made['id']}"
    kept = await api.put(address, json={"credentials": {"apiKey": ""}})
    assert kept.json()["secretsSet"] == ["apiKey"]
    tried = await api.post(
        f"{ROOT}/providers/flowise/test",
        json={"credentials": {"apiKey": None}, "connectionId": made["id"]},
    )
    assert tried.json()["detail"] != made["statusDetail"], "it was tried without the key"
    removed = await api.put(address, json={"credentials": {"apiKey": None}})
    assert (removed.status_code, removed.json()["secretsSet"]) == (200, [])
    required = await api.put(address, json={"credentials": {"baseUrl": None}})
    problem = assert_problem(required, 422, "invalid_input")
    assert [error["field"] for error in problem["errors"]] == ["baseUrl"]
