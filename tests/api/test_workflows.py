import httpx

from tests.api.calls import ROOT, assert_problem
from tests.api.test_connections import connected
from tests.fakes.server import FakeServer

N8N = f"{ROOT}/providers/n8n/workflows"
SIMULATED = f"{ROOT}/providers/simulated/workflows"


async def test_workflows_of_a_platform_are_listed_page_by_page(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    made = await connected(api, fake_server)
    names = [f"Flow {number:03}" for number in range(5)]
    for name in names:
        fake_server.n8n2.add_workflow(name, path=name.replace(" ", "-"))
    seen: list[str] = []
    wanted = {"connectionId": str(made["id"]), "q": "flow", "limit": "2"}
    cursor = ""
    while True:
        page = (await api.get(N8N, params=wanted | {"cursor": cursor})).json()
        assert page["total"] == 5
        assert all(item["connectionId"] == made["id"] for item in page["items"])
        assert all(item["link"].startswith("http") for item in page["items"])
        seen += [item["name"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == names
    (sync,) = page["syncs"]
    assert (sync["connectionId"], sync["isSyncing"], sync["failure"]) == (made["id"], False, "")
    assert sync["syncedDate"]


async def test_a_list_is_what_was_read_last_until_it_is_refreshed(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    await connected(api, fake_server)
    fake_server.n8n2.add_workflow("First", path="first")
    assert (await api.get(N8N)).json()["total"] == 1
    fake_server.n8n2.add_workflow("Second", path="second")
    assert (await api.get(N8N)).json()["total"] == 1
    assert (await api.get(N8N, params={"refresh": "true"})).json()["total"] == 2
    fake_server.n8n2.drop(times=20)
    page = (await api.get(N8N, params={"refresh": "true"})).json()
    assert page["total"] == 2
    assert page["syncs"][0]["failure"]


async def test_a_list_is_filtered_and_sorted(api: httpx.AsyncClient):
    everything = (await api.get(SIMULATED, params={"limit": "200"})).json()
    names = [item["name"] for item in everything["items"]]
    assert names == sorted(names, key=str.casefold)
    turned = (await api.get(SIMULATED, params={"sort": "-name", "limit": "200"})).json()
    assert [item["name"] for item in turned["items"]] == names[::-1]
    assert (await api.get(SIMULATED, params={"activity": "active"})).json()["total"] == len(names)
    for wanted in ({"activity": "inactive"}, {"tag": "no such tag"}, {"folder": "no"}, {"team": "no"}):
        assert (await api.get(SIMULATED, params=wanted)).json()["items"] == []
    tag = next(item["tags"][0] for item in everything["items"] if item["tags"])
    assert (await api.get(SIMULATED, params={"tag": tag})).json()["total"] >= 1


async def test_what_is_no_page_filter_or_order_is_refused(api: httpx.AsyncClient):
    for cursor in ("x", "-1", "9" * 30, "१"):
        assert_problem(await api.get(SIMULATED, params={"cursor": cursor}), 400, "bad_request")
    for wrong in ({"sort": "colour"}, {"activity": "maybe"}, {"limit": "0"}, {"refresh": "perhaps"}):
        assert_problem(await api.get(SIMULATED, params=wrong), 422, "invalid_input")
    beyond = (await api.get(SIMULATED, params={"cursor": "9999"})).json()
    assert (beyond["items"], beyond["nextCursor"]) == ([], None)


async def test_a_workflow_is_shown_as_a_graph_with_the_way_to_start_it(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    made = await connected(api, fake_server)
    flow = fake_server.n8n2.add_workflow("Orders", path="orders", mode="lastNode")
    address = f"{N8N}/{flow.id}/preview"
    shown = (await api.get(address)).json()
    assert shown["workflow"]["name"] == "Orders"
    assert shown["url"] == flow.url
    assert shown["nodes"]
    assert any(item["isTrigger"] for item in shown["nodes"])
    assert (shown["connectionId"], shown["failure"]) == (made["id"], "")
    assert shown["fetchedDate"]
    assert shown["workflow"]["contentHash"]
    assert {"form", "completions", "snippet", "snippetHelp", "isOpaque"} <= set(shown)


async def test_what_changed_in_a_workflow_is_told(api: httpx.AsyncClient, fake_server: FakeServer):
    await connected(api, fake_server)
    flow = fake_server.n8n2.add_workflow("Orders", path="orders")
    digest = (await api.get(f"{N8N}/{flow.id}/preview")).json()["workflow"]["contentHash"]
    address = f"{N8N}/{flow.id}/changes"
    same = (await api.get(address, params={"since": digest})).json()
    assert (same["sentences"], same["contentHash"]) == (["It was not changed."], digest)
    assert (same["isKnown"], set(same["steps"].values())) == (True, {"same"})
    other = (await api.get(address, params={"since": "another"})).json()
    assert other["isKnown"] is False
    assert "not known any more" in other["sentences"][0]
    assert_problem(await api.get(address), 422, "invalid_input")
    gone = await api.get(f"{N8N}/never/changes", params={"since": digest})
    assert "not on n8n any more" in gone.json()["sentences"][0]


async def test_the_simulated_platform_needs_no_connection(api: httpx.AsyncClient):
    listed = (await api.get(SIMULATED)).json()
    assert "echo" in {item["id"] for item in listed["items"]}
    assert listed["syncs"] == []
    assert {item["connectionId"] for item in listed["items"]} == {""}
    shown = await api.get(f"{SIMULATED}/echo/preview")
    assert shown.json()["completion"] == "response"


async def test_what_a_platform_says_is_passed_on_with_its_reason(
    api: httpx.AsyncClient, fake_server: FakeServer
):
    assert_problem(await api.get(N8N), 422, "invalid_input")
    await connected(api, fake_server)
    unknown = assert_problem(await api.get(f"{N8N}/nobody/preview"), 404, "not_found")
    assert "nobody" in unknown["detail"]
    fake_server.n8n2.drop(times=20)
    broken = assert_problem(await api.get(N8N), 502, "provider_unavailable")
    assert broken["provider"] == "n8n"
    assert broken["retryable"] is True


async def test_a_platform_without_a_list_says_so(api: httpx.AsyncClient, fake_server: FakeServer):
    credentials = {"origin": fake_server.url, "headerName": "Authorization", "headerValue": "Bearer invented"}
    await api.post(f"{ROOT}/providers/custom/connect", json={"credentials": credentials})
    problem = assert_problem(await api.get(f"{ROOT}/providers/custom/workflows"), 422, "not_supported")
    assert problem["provider"] == "custom"
