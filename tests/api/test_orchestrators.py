import asyncio

import httpx

from orchestrator_app.services.application import DEFAULT_WORKSPACE, Application
from orchestrator_app.storage.sql import text
from tests.api.calls import COPY, ROOT, WAIT, assert_problem, create, definition, node, started, waiting


async def test_a_new_orchestrator_is_answered_with_its_address_and_version(api: httpx.AsyncClient):
    answer = await api.post(ROOT, json={"name": " Orders ", "description": "All of them", "definition": COPY})
    assert answer.status_code == 201
    created = answer.json()
    assert answer.headers["location"] == f"{ROOT}/{created['id']}"
    assert answer.headers["etag"] == '"1"'
    assert created["name"] == "Orders"
    assert created["description"] == "All of them"
    assert created["workspaceId"] == DEFAULT_WORKSPACE
    assert created["version"] == 1
    assert created["definition"] == COPY
    assert created["problems"] == []
    assert created["canRun"] is True
    read = await api.get(answer.headers["location"])
    assert read.json() == created
    assert read.headers["etag"] == '"1"'


async def test_times_are_utc_with_milliseconds(api: httpx.AsyncClient):
    created = (await api.post(ROOT, json={"name": "Orders"})).json()
    assert len(created["createdDate"]) == len("2026-01-31T12:00:00.000Z")
    assert created["createdDate"].endswith("Z")


async def test_without_a_definition_it_starts_empty_and_says_what_is_missing(api: httpx.AsyncClient):
    created = (await api.post(ROOT, json={"name": "Draft"})).json()
    assert created["definition"] == {"version": 1, "nodes": [], "edges": []}
    assert created["canRun"] is False
    assert [problem["code"] for problem in created["problems"]] == ["empty"]


async def test_the_list_shows_the_newest_change_first_and_the_last_run(api: httpx.AsyncClient):
    run = await started(api)
    await create(api, WAIT, name="Later")
    later, first = (await api.get(ROOT)).json()["items"]
    assert later["name"] == "Later"
    assert later["lastRunStatus"] is None
    assert first["lastRunId"] == run["id"]
    assert first["lastRunStatus"] == "COMPLETED"
    assert run["createdDate"] <= first["lastRunDate"] <= run["endedDate"]
    assert first["nodeCount"] == 1


async def test_the_list_is_paged_without_gaps_or_repeats(api: httpx.AsyncClient):
    ids = {await create(api, name=f"Number {number}") for number in range(5)}
    seen: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        page = (await api.get(ROOT, params={"limit": 2, "cursor": cursor})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        pages += 1
    assert pages == 3
    assert len(seen) == 5
    assert set(seen) == ids


async def test_the_list_can_be_searched(api: httpx.AsyncClient):
    await create(api, name="Orders 100%")
    await create(api, name="Invoices")
    found = (await api.get(ROOT, params={"q": "100%"})).json()["items"]
    assert [item["name"] for item in found] == ["Orders 100%"]


async def test_a_broken_cursor_is_refused(api: httpx.AsyncClient):
    assert_problem(await api.get(ROOT, params={"cursor": "nonsense"}), 400, "bad_request")


async def test_a_change_names_its_version_in_the_header(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    answer = await api.put(address, json={"name": "New name"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    changed = answer.json()
    assert changed["version"] == 2
    assert changed["name"] == "New name"
    assert changed["definition"] == COPY


async def test_a_change_names_its_version_in_the_body(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    answer = await api.put(address, json={"definition": WAIT, "version": 1})
    assert answer.json()["version"] == 2
    assert answer.json()["definition"] == WAIT
    assert answer.json()["name"] == "Orders"


async def test_an_outdated_change_is_refused_with_the_newest_version(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    await api.put(address, json={"name": "First"}, headers={"If-Match": '"1"'})
    answer = await api.put(address, json={"name": "Second"}, headers={"If-Match": 'W/"1"'})
    problem = assert_problem(answer, 412, "outdated_version")
    assert problem["currentVersion"] == 2
    assert (await api.get(address)).json()["name"] == "First"


async def test_of_many_changes_of_one_version_exactly_one_is_kept(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    answers = await asyncio.gather(
        *(api.put(address, json={"name": f"Writer {number}", "version": 1}) for number in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert (await api.get(address)).json() == winner.json()


async def test_a_change_without_a_version_is_refused(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    problem = assert_problem(await api.put(address, json={"name": "New"}), 428, "precondition_required")
    assert "If-Match" in problem["hint"]
    assert (await api.get(address)).json()["name"] == "Orders"


async def test_a_star_overwrites_any_version(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    await api.put(address, json={"name": "First", "version": 1})
    answer = await api.put(address, json={"name": "Mine"}, headers={"If-Match": "*"})
    assert answer.json()["version"] == 3


async def test_a_header_that_names_no_single_version_is_refused(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    for header in ("abc", '"1", "2"', "-1", '"9999999999999999999999"'):
        answer = await api.put(address, json={"name": "New"}, headers={"If-Match": header})
        assert_problem(answer, 400, "bad_request")
    twice = [("If-Match", '"1"'), ("If-Match", '"2"')]
    assert_problem(await api.put(address, json={"name": "New"}, headers=twice), 400, "bad_request")
    both = await api.put(address, json={"name": "New", "version": 2}, headers={"If-Match": '"1"'})
    assert_problem(both, 400, "bad_request")


async def test_a_deleted_orchestrator_is_gone_but_its_runs_go_on(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/{run['orchestratorId']}"
    answer = await api.delete(address)
    assert answer.status_code == 200
    assert answer.json() == {"openRuns": 1}
    assert_problem(await api.get(address), 404, "not_found")
    assert_problem(await api.delete(address), 404, "not_found")
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "WAITING"


async def test_an_orchestrator_of_another_workspace_is_not_found(
    api: httpx.AsyncClient, application: Application
):
    service = application.orchestrators
    add = text("INSERT INTO workspace (id, name, created_date) VALUES ('another', 'Another', 0)")
    await service._database.write(lambda connection: connection.execute(add))
    foreign = await service.create("another", name="Theirs", definition=COPY)
    for answer in (
        await api.get(f"{ROOT}/{foreign.id}"),
        await api.get(f"{ROOT}/{foreign.id}/export"),
        await api.put(f"{ROOT}/{foreign.id}", json={"name": "Ours", "version": 1}),
        await api.delete(f"{ROOT}/{foreign.id}"),
        await api.post(f"{ROOT}/{foreign.id}/run"),
    ):
        assert_problem(answer, 404, "not_found")
    assert (await api.get(ROOT)).json()["items"] == []
    assert (await service.get("another", foreign.id)).name == "Theirs"


async def test_a_check_tells_every_problem_and_keeps_nothing(api: httpx.AsyncClient):
    graph = definition(node("a", "Parallel"), node("a", "Nonsense"), edges=(("a", "nowhere"),))
    answer = await api.post(f"{ROOT}/validate", json=graph)
    assert answer.status_code == 200
    checked = answer.json()
    assert checked["canSave"] is False
    assert checked["canRun"] is False
    assert {problem["code"] for problem in checked["problems"]} >= {"dangling_edge"}
    assert all(problem["message"].endswith(".") for problem in checked["problems"])
    assert (await api.get(ROOT)).json()["items"] == []
    good = (await api.post(f"{ROOT}/validate", json=COPY)).json()
    assert good == {"canSave": True, "canRun": True, "problems": []}


async def test_a_definition_of_the_wrong_type_is_checked_too(api: httpx.AsyncClient):
    for body in ("[]", '"text"', "7", "null", '{"nodes": 5, "edges": {}}'):
        answer = await api.post(
            f"{ROOT}/validate", content=body, headers={"Content-Type": "application/json"}
        )
        checked = answer.json()
        assert checked["canSave"] is False
        assert checked["problems"]


async def test_a_definition_that_cannot_be_kept_is_refused_with_all_its_problems(api: httpx.AsyncClient):
    circle = definition(node("a", "Parallel"), node("b", "Parallel"), edges=(("a", "b"), ("b", "a")))
    problem = assert_problem(
        await api.post(ROOT, json={"name": "Circle", "definition": circle}), 422, "invalid_definition"
    )
    assert [item["code"] for item in problem["errors"]] == ["cycle"]
    assert problem["errors"][0]["nodeId"] in {"a", "b"}
    assert problem["errors"][0]["blocks"] == "save"


async def test_what_is_exported_can_be_imported(api: httpx.AsyncClient):
    created = await api.post(ROOT, json={"name": "Zoë's “orders”", "description": "All", "definition": COPY})
    answer = await api.get(f"{ROOT}/{created.json()['id']}/export")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''Zo%C3%AB%27s%20%E2%80%9Corders%E2%80%9D.json"
    )
    imported = await api.post(f"{ROOT}/import", json=answer.json())
    assert imported.status_code == 201
    assert imported.headers["location"] == f"{ROOT}/{imported.json()['id']}"
    assert imported.json()["name"] == "Zoë's “orders”"
    assert imported.json()["definition"] == COPY
    assert imported.json()["id"] != created.json()["id"]


async def test_a_bare_definition_can_be_imported(api: httpx.AsyncClient):
    imported = await api.post(f"{ROOT}/import", json=COPY)
    assert imported.status_code == 201
    assert imported.json()["definition"] == COPY


async def test_what_is_no_export_is_refused(api: httpx.AsyncClient):
    assert_problem(await api.post(f"{ROOT}/import", json=[1, 2]), 422, "invalid_input")
    assert_problem(await api.post(f"{ROOT}/import", json={"definition": "{broken"}), 422, "invalid_input")
    assert_problem(await api.post(f"{ROOT}/import", json={"a": 1}), 422, "invalid_definition")
