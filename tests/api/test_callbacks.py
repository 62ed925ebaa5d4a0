import asyncio
import json
from typing import Any

import httpx

from tests.api.calls import ROOT, assert_problem, definition, in_pieces, node, token_of, waiting

FULL_WIDTH_CB = "\uff43\uff42"
JSON_TYPE = {"Content-Type": "application/json"}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


async def outcome(api: httpx.AsyncClient, run: dict[str, Any]) -> Any:
    """The output of the run once it has ended."""
    while True:
        now = (await api.get(f"{ROOT}/runs/{run['id']}")).json()
        if now["endedDate"]:
            assert now["status"] == "COMPLETED", now
            return now["output"]


async def received(api: httpx.AsyncClient, **call: Any) -> Any:
    """What the waiting node gives out after this callback."""
    run = await waiting(api)
    answer = await api.post(f"{ROOT}/callback/{run['id']}?token={token_of(run)}", **call)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"status": "accepted"}
    return await outcome(api, run)


async def test_a_callback_is_stored_and_wakes_the_run_and_a_repeat_changes_nothing(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    first = await api.post(address, json={"approved": True})
    assert first.status_code == 202
    assert first.json() == {"status": "accepted"}
    assert await outcome(api, run) == {"approved": True}
    again = await api.post(address, json={"approved": False})
    assert again.status_code == 200
    assert again.json() == {"status": "duplicate"}
    assert await outcome(api, run) == {"approved": True}


async def test_the_callback_address_of_a_waiting_node_is_complete(api: httpx.AsyncClient):
    run = await waiting(api)
    address = run["nodes"][0]["callbackUrl"]
    assert address.startswith(f"http://127.0.0.1:8000{ROOT}/callback/{run['id']}?token=cb_")
    assert (await api.post(address, json={"a": 1})).status_code == 202
    await outcome(api, run)
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["nodes"][0]["callbackUrl"] == ""


async def test_the_token_is_taken_from_any_of_its_four_places(api: httpx.AsyncClient):
    def by_bearer(token: str) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {token}"}, "json": {"a": 1}}

    def by_header(token: str) -> dict[str, Any]:
        return {"headers": {"X-Correlation-Token": token}, "json": {"a": 1}}

    def by_address(token: str) -> dict[str, Any]:
        return {"params": {"token": token}, "json": {"a": 1}}

    def by_body(token: str) -> dict[str, Any]:
        return {"json": {"a": 1, "correlationToken": token}}

    for place in (by_bearer, by_header, by_address, by_body):
        run = await waiting(api)
        answer = await api.post(f"{ROOT}/callback/{run['id']}", **place(token_of(run)))
        assert answer.status_code == 202, place
        assert await outcome(api, run) == {"a": 1}, place


async def test_of_several_tokens_the_one_in_the_first_place_counts(api: httpx.AsyncClient):
    run = await waiting(api)
    good = token_of(run)
    places = [
        ("headers", {"Authorization": "Bearer cb_wrong"}),
        ("headers", {"X-Correlation-Token": "cb_wrong"}),
        ("params", {"token": "cb_wrong"}),
    ]
    call: dict[str, Any] = {"json": {"correlationToken": good}, "headers": {}, "params": {}}
    for kind, entry in reversed(places):
        call[kind] = entry | call[kind]
        assert_problem(await api.post(f"{ROOT}/callback/{run['id']}", **call), 404, "not_found")
    basic = {"Authorization": "Basic dXNlcjpwYXNz", "X-Correlation-Token": good}
    assert (await api.post(f"{ROOT}/callback/{run['id']}", headers=basic)).status_code == 202


async def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(api: httpx.AsyncClient):
    run, other = await waiting(api), await waiting(api)
    good = token_of(run)
    calls = [
        (run["id"], "cb_wrong"),
        (run["id"], ""),
        (run["id"], good[:-1]),
        (run["id"], good.swapcase()),
        (run["id"], f"{good}x"),
        (run["id"], f"{FULL_WIDTH_CB}_{good[3:]}"),
        (run["id"], "\x00"),
        (run["id"], "x" * 5_000),
        (run["id"], token_of(other)),
        (other["id"], good),
        ("unknown", good),
        ("9" * 5_000, good),
        ("%00", good),
        ("%F0%9F%92%A5", good),
    ]
    answers = [
        await api.post(f"{ROOT}/callback/{run_id}", params={"token": token}, json={})
        for run_id, token in calls
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(answer.headers.items()) for answer in answers}) == 1
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "WAITING"


async def test_of_many_copies_of_a_callback_one_counts(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    answers = await asyncio.gather(*(api.post(address, json={"copy": number}) for number in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]


async def test_other_methods_have_no_effect(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"):
        answer = await api.request(method, address)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
    assert_problem(await api.get(address), 405, "method_not_allowed")
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "WAITING"


async def test_a_callback_may_have_any_json_or_nothing_at_all(api: httpx.AsyncClient):
    assert await received(api) == {}
    assert await received(api, content=b"[1, null]", headers=JSON_TYPE) == [1, None]
    assert (
        await received(api, content=b'"text"', headers={"Content-Type": "application/json; charset=utf-8"})
        == "text"
    )
    assert await received(
        api, content=b'{"a": 1}', headers={"Content-Type": "application/cloudevents+json"}
    ) == {"a": 1}
    assert await received(api, content=in_pieces(b'{"a"', b": 1}")) == {"a": 1}


async def test_a_callback_may_be_a_form(api: httpx.AsyncClient):
    form = "a=1&b=x%20y+z&b=%C3%A4&empty="
    assert await received(api, content=form, headers=FORM_TYPE) == {
        "a": "1",
        "b": ["x y z", "ä"],
        "empty": "",
    }
    # What curl -d sends when nobody tells it a content type.
    assert await received(api, content=' {"a": 1}', headers=FORM_TYPE) == {"a": 1}


async def test_a_callback_may_be_a_text(api: httpx.AsyncClient):
    assert await received(api, content="grüße", headers={"Content-Type": "text/plain"}) == "grüße"


async def test_a_callback_that_is_not_what_it_says_is_refused_and_the_wait_goes_on(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    many = "&".join(f"a{number}=1" for number in range(2_000))
    for content, kind, status, code in (
        (b'{"a": ', "application/json", 400, "bad_request"),
        (b'{"a": NaN}', "application/json", 400, "bad_request"),
        (b'{"a": ', "application/x-www-form-urlencoded", 400, "bad_request"),
        (b"a=%FF", "application/x-www-form-urlencoded", 400, "bad_request"),
        (b"a=%00", "application/x-www-form-urlencoded", 400, "bad_request"),
        (many.encode(), "application/x-www-form-urlencoded", 400, "bad_request"),
        (b"\xff\xfe", "text/plain", 400, "bad_request"),
        (b"a\x00b", "text/plain", 400, "bad_request"),
        (b"x" * 300_000, "text/plain", 413, "too_large"),
        (b"gr\xfc\xdfe", "text/plain; charset=latin-1", 415, "unsupported_media_type"),
        (b"--b--", "multipart/form-data; boundary=b", 415, "unsupported_media_type"),
        (b"\x89PNG", "image/png", 415, "unsupported_media_type"),
        (b"x" * 5_000_000, "application/json", 413, "too_large"),
    ):
        answer = await api.post(address, content=content, headers={"Content-Type": kind})
        assert_problem(answer, status, code)
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "WAITING"


async def test_a_body_that_does_not_meet_the_schema_is_refused_and_the_wait_goes_on(api: httpx.AsyncClient):
    schema = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
    run = await waiting(api, definition(node("wait", "WaitForCallback", schema=schema)))
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    problem = assert_problem(await api.post(address, json={"approved": "yes"}), 422, "invalid_input")
    assert problem["errors"][0]["field"] == "approved"
    assert (await api.post(address, json={"approved": True})).status_code == 202
    assert await outcome(api, run) == {"approved": True}


async def test_a_page_of_another_site_may_report_back_too(api: httpx.AsyncClient):
    headers = {"Origin": "https://hooks.example.org", "Sec-Fetch-Site": "cross-site"}
    assert await received(api, json={"a": 1}, headers=headers) == {"a": 1}


async def test_the_token_is_neither_kept_nor_told(api: httpx.AsyncClient):
    run = await waiting(api)
    token = token_of(run)
    await api.post(f"{ROOT}/callback/{run['id']}", json={"a": 1, "correlationToken": token})
    assert await outcome(api, run) == {"a": 1}
    told = await api.get(f"{ROOT}/runs/{run['id']}")
    assert token not in json.dumps(told.json())


# --- the fixed address: the token alone tells the run ---


async def test_a_token_alone_finds_its_run_wherever_it_is_put(api: httpx.AsyncClient):
    def by_bearer(token: str) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {token}"}, "json": {"a": 1}}

    def by_query(token: str) -> dict[str, Any]:
        return {"params": {"token": token}, "json": {"a": 1}}

    def by_field(token: str) -> dict[str, Any]:
        return {"json": {"a": 1, "correlationToken": token}}

    def by_chat(token: str) -> dict[str, Any]:
        return {"json": {"a": 1, "chatId": token}}

    for place in (by_bearer, by_query, by_field, by_chat):
        run = await waiting(api)
        answer = await api.post(f"{ROOT}/callback", **place(token_of(run)))
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        # The token is not kept, whatever it is called.
        assert await outcome(api, run) == {"a": 1}
        again = await api.post(f"{ROOT}/callback", **place(token_of(run)))
        assert (again.status_code, again.json()) == (200, {"status": "duplicate"})


async def test_a_chat_of_its_own_is_part_of_what_was_called_back(api: httpx.AsyncClient):
    run = await waiting(api)
    body = {"chatId": "theirs", "n": 1}
    answer = await api.post(f"{ROOT}/callback?token={token_of(run)}", json=body)
    assert answer.status_code == 202
    assert await outcome(api, run) == body


async def test_a_chat_is_no_token_where_the_run_is_named(api: httpx.AsyncClient):
    run = await waiting(api)
    answer = await api.post(f"{ROOT}/callback/{run['id']}", json={"chatId": token_of(run)})
    assert_problem(answer, 404, "not_found")


async def test_the_fixed_address_says_as_little_about_a_wrong_token(api: httpx.AsyncClient):
    run = await waiting(api)
    await api.post(f"/api/v1/orchestrator/runs/{run['id']}/cancel")
    named = await api.post(f"{ROOT}/callback/{run['id']}?token=cb_wrong", json={})
    wrong: list[dict[str, Any]] = [
        {"json": {}},
        {"json": {"chatId": "cb_wrong"}},
        {"json": {"chatId": 5}},
        {"params": {"token": token_of(run)}},
    ]
    for call in wrong:
        answer = await api.post(f"{ROOT}/callback", **call)
        assert_problem(answer, 404, "not_found")
        assert answer.json()["detail"] == named.json()["detail"]
