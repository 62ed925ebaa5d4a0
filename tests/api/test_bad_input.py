"""What nobody should send, on every route that takes something: a clear refusal, never a broken answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.calls import COPY, ROOT, assert_problem, create, definition, in_pieces, node, waiting

JSON_TYPE = {"Content-Type": "application/json"}
SECRET = "do-not-repeat-me"
BODIES = {
    "nothing": b"",
    "blank": b"  \n",
    "cut": b'{"name": "a", "definition": {"nodes": [',
    "a comma too many": b'{"name": "a",}',
    "single quotes": b"{'name': 'do-not-repeat-me'}",
    "a bare word": b"do-not-repeat-me",
    "two values": b"{} {}",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "just too deep": b"[" * 65 + b"]" * 65,
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "an endless number": b'{"name": 1e999}',
    "a number of 5,000 digits": b'{"name": ' + b"9" * 5_000 + b"}",
    "a number beyond JavaScript's": b'{"name": 9007199254740993}',
    "half a character": b'{"name": "\\ud800"}',
    "NUL": b'{"name": "do-not-repeat-me\\u0000"}',
    "a bare NUL": b"\x00",
    "no UTF-8": b'{"name": "do-not-repeat-me\xff"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a key twice": b'{"name": "a", "name": "do-not-repeat-me"}',
    "200,000 keys": b"{" + b",".join(b'"k%d":1' % number for number in range(200_000)) + b"}",
    "a long text": b'{"name": "' + b"x" * 300_000 + b'"}',
    "5 MB": b'{"name": "' + b"x" * 5_000_000 + b'"}',
}
UNKNOWN = "01900000-0000-7000-8000-000000000000"
WRITES = (
    ("POST", ROOT),
    ("PUT", f"{ROOT}/{UNKNOWN}"),
    ("POST", f"{ROOT}/{UNKNOWN}/run"),
    ("POST", f"{ROOT}/validate"),
    ("POST", f"{ROOT}/import"),
    ("POST", f"{ROOT}/runs/{UNKNOWN}/rerun"),
    ("POST", f"{ROOT}/runs/{UNKNOWN}/retry"),
    ("POST", f"{ROOT}/runs/bulk"),
    ("POST", f"{ROOT}/runs/{UNKNOWN}/nodes/a/decide"),
    ("POST", f"{ROOT}/runs/{UNKNOWN}/nodes/a/resume"),
    ("POST", f"{ROOT}/providers/n8n/connect"),
    ("POST", f"{ROOT}/providers/n8n/test"),
    ("PUT", f"{ROOT}/connections/{UNKNOWN}"),
    ("POST", f"{ROOT}/callback/{UNKNOWN}"),
)
MAY_BE_EMPTY = (
    f"{ROOT}/{UNKNOWN}/run",
    f"{ROOT}/runs/{UNKNOWN}/rerun",
    f"{ROOT}/runs/{UNKNOWN}/retry",
    f"{ROOT}/runs/{UNKNOWN}/nodes/a/resume",
    f"{ROOT}/callback/{UNKNOWN}",
)


async def test_a_body_that_is_not_strictly_json_is_refused_everywhere(api: httpx.AsyncClient):
    for method, address in WRITES:
        for name, body in BODIES.items():
            answer = await api.request(method, address, content=body, headers=JSON_TYPE)
            if not body and address in MAY_BE_EMPTY:
                assert_problem(answer, 404, "not_found")
                continue
            assert answer.status_code in {400, 413}, (method, address, name, answer.text)
            problem = assert_problem(answer, answer.status_code, answer.json()["code"])
            assert problem["code"] in {"bad_request", "too_large"}
            assert SECRET not in answer.text


async def test_a_refusal_names_the_place(api: httpx.AsyncClient):
    answer = await api.post(ROOT, content=b'{"name": "a",\n "b": }', headers=JSON_TYPE)
    problem = assert_problem(answer, 400, "bad_request")
    assert "line 2, column 7" in problem["detail"]


async def test_a_large_body_is_refused_while_it_streams_in(api: httpx.AsyncClient):
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 65_536
            yield b"[" * 65_536

    answer = await api.post(ROOT, content=endless(), headers=JSON_TYPE)
    problem = assert_problem(answer, 413, "too_large")
    assert "1,048,576" in problem["detail"]
    assert taken < 2_000_000


async def test_a_body_may_be_as_large_as_allowed_and_come_in_pieces(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    texts = json.dumps(["x" * 200_000] * 5).encode()
    body = texts + b" " * (1_048_576 - len(texts))
    pieces = in_pieces(body[:1], body[1:500_000], b"", body[500_000:])
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run", content=pieces, headers=JSON_TYPE)
    assert answer.status_code == 202
    one_more = in_pieces(body, b" ")
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run", content=one_more, headers=JSON_TYPE)
    assert_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json-patch+json",
        "application/jsonx",
        "json",
        "text/plain, application/json",
        "",
    ],
)
async def test_another_content_type_than_json_is_refused(api: httpx.AsyncClient, content_type: str):
    answer = await api.post(ROOT, content=b'{"name": "a"}', headers={"Content-Type": content_type})
    problem = assert_problem(answer, 415, "unsupported_media_type")
    assert "application/json" in problem["hint"]


async def test_json_is_taken_under_its_name_in_any_spelling(api: httpx.AsyncClient):
    for content_type in (
        "application/json",
        "Application/JSON ; charset=UTF-8",
        'application/json;charset="utf-8"',
    ):
        answer = await api.post(ROOT, content=b'{"name": "a"}', headers={"Content-Type": content_type})
        assert answer.status_code == 201


async def test_no_content_type_two_of_them_or_a_compressed_body_are_refused(api: httpx.AsyncClient):
    body = b'{"name": "a"}'
    assert_problem(await api.post(ROOT, content=body), 415, "unsupported_media_type")
    twice = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    assert_problem(await api.post(ROOT, content=body, headers=twice), 400, "bad_request")
    packed = JSON_TYPE | {"Content-Encoding": "gzip"}
    assert_problem(await api.post(ROOT, content=body, headers=packed), 415, "unsupported_media_type")
    plain = JSON_TYPE | {"Content-Encoding": "identity"}
    assert (await api.post(ROOT, content=body, headers=plain)).status_code == 201


async def test_a_length_that_is_no_number_is_not_believed(api: httpx.AsyncClient):
    for length, status in (("nonsense", 201), ("²", 201), ("9" * 5_000, 413), ("1048577", 413)):
        headers = [(b"Content-Type", b"application/json"), (b"Content-Length", length.encode())]
        answer = await api.post(ROOT, content=in_pieces(b'{"name": "a"}'), headers=headers)
        assert answer.status_code == status, length


WRONG_SHAPES: list[tuple[Any, str]] = [
    ([], ""),
    ("text", ""),
    ({}, "name"),
    ({"name": None}, "name"),
    ({"name": 7}, "name"),
    ({"name": ["a"]}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a", "description": 7}, "description"),
    ({"name": "a", "description": "x" * 5_001}, "description"),
    ({"name": "a", "id": UNKNOWN}, "id"),
    ({"name": "a", "workspaceId": "other"}, "workspaceId"),
    ({"name": "a", "createdDate": "2026-01-01T00:00:00Z"}, "createdDate"),
    ({"name": "a", "x" * 10_000: 1}, "x" * 100),
]


async def test_a_wrong_field_is_named(api: httpx.AsyncClient):
    for body, field in WRONG_SHAPES:
        problem = assert_problem(await api.post(ROOT, json=body), 422, "invalid_input")
        assert [error["field"] for error in problem["errors"]] == [field], body
        assert problem["errors"][0]["message"].endswith(".")


async def test_many_wrong_fields_are_named_up_to_a_limit(api: httpx.AsyncClient):
    body = {f"unknown{number}": SECRET for number in range(1_000)}
    answer = await api.post(ROOT, json=body)
    problem = assert_problem(answer, 422, "invalid_input")
    assert len(problem["errors"]) == 50
    assert "1000 more" in problem["detail"]
    assert SECRET not in answer.text


async def test_a_version_of_the_wrong_type_is_refused(api: httpx.AsyncClient):
    address = f"{ROOT}/{await create(api)}"
    for version in ("1", 1.5, True, [1]):
        answer = await api.put(address, json={"name": "b", "version": version})
        problem = assert_problem(answer, 422, "invalid_input")
        assert problem["errors"][0]["field"] == "version"
    assert_problem(await api.put(address, json={"name": "b", "version": -5}), 412, "outdated_version")


GRAPHS: dict[str, Any] = {
    "a circle": (definition(node("a", "Parallel"), edges=(("a", "a"),)), "cycle"),
    "an edge to nowhere": (definition(node("a", "Parallel"), edges=(("a", "b"),)), "dangling_edge"),
    "an id twice": (definition(node("a", "Parallel"), node("a", "Parallel")), "duplicate_id"),
}


async def test_a_graph_that_makes_no_sense_is_refused_with_the_place(api: httpx.AsyncClient):
    for name, (graph, code) in GRAPHS.items():
        answer = await api.post(ROOT, json={"name": name, "definition": graph})
        problem = assert_problem(answer, 422, "invalid_definition")
        found = next(error for error in problem["errors"] if error["code"] == code)
        assert found["nodeId"] or found["edgeId"], name


async def test_a_graph_of_wrong_types_is_refused(api: httpx.AsyncClient):
    for graph in (
        [],
        "text",
        7,
        True,
        {"nodes": {}, "edges": []},
        {"nodes": [7], "edges": [None]},
        {"nodes": [{"id": 7}], "edges": []},
        {"nodes": [node("a", "Nonsense")], "edges": []},
        {"nodes": [{"id": "a", "data": []}], "edges": [{"id": "e", "source": {}, "target": []}]},
        definition(*(node(f"n{number}", "Parallel") for number in range(501))),
    ):
        answer = await api.post(ROOT, json={"name": "a", "definition": graph})
        problem = assert_problem(answer, 422, "invalid_definition")
        assert problem["errors"]


async def test_what_only_hinders_a_run_is_told_when_it_is_started(api: httpx.AsyncClient):
    for config, field in (
        ({"provider": "custom", "url": "no-scheme.example.org"}, "url"),
        ({"provider": "custom", "url": "https://a.example.org/{{ broken"}, "url"),
        ({"provider": "custom", "url": "https://a.example.org", "bodyTemplate": "{{ 1 + }}"}, "bodyTemplate"),
        ({"provider": "custom", "url": "https://a.example.org", "nonsense": 1}, "nonsense"),
        ({"provider": "custom", "url": "https://a.example.org", "timeout": "soon"}, "timeout"),
    ):
        graph = definition(node("call", "RemoteWebhook", **config))
        answer = await api.post(ROOT, json={"name": "a", "definition": graph})
        if answer.status_code == 201:
            answer = await api.post(f"{ROOT}/{answer.json()['id']}/run")
        problem = assert_problem(answer, 422, "invalid_definition")
        assert (problem["errors"][0]["nodeId"], problem["errors"][0]["field"]) == ("call", field)


async def test_addresses_that_make_no_sense_are_not_found(api: httpx.AsyncClient):
    run = await waiting(api)
    for strange in (
        "9" * 5_000,
        "%00",
        "a%00b",
        "%F0%9F%92%A5",
        "..%2F..",
        "%2e%2e",
        "'%20OR%201=1--",
        "%0A",
        "a;b",
    ):
        for address in (
            strange,
            f"{strange}/export",
            f"{strange}/runs",
            f"runs/{strange}",
            f"runs/{strange}/events",
        ):
            assert_problem(await api.get(f"{ROOT}/{address}"), 404, "not_found")
        assert_problem(await api.post(f"{ROOT}/{strange}/run"), 404, "not_found")
        assert_problem(await api.delete(f"{ROOT}/{strange}"), 404, "not_found")
        assert_problem(await api.post(f"{ROOT}/runs/{strange}/cancel"), 404, "not_found")
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json()["status"] == "WAITING"


async def test_strange_filters_are_refused(api: httpx.AsyncClient):
    for address in (ROOT, f"{ROOT}/runs", f"{ROOT}/providers/simulated/workflows"):
        for params in ({"q": "\x00"}, {"q": "x" * 501}, {"cursor": "\x00"}, {"nonsense": "1"}):
            assert_problem(await api.get(address, params=params), 422, "invalid_input")
    for cursor in ("x", "9" * 400, "W10=", "eyJhIjoxfQ", "%", "ä"):
        for address in (ROOT, f"{ROOT}/runs"):
            answer = await api.get(address, params={"cursor": cursor})
            assert answer.status_code in {200, 400}  # a history's cursor is an id, and any text may be one
            assert answer.status_code == 400 or answer.json()["items"] == []


async def test_strange_searches_are_searched_for(api: httpx.AsyncClient):
    await create(api)
    for q in ("%", "_", "\\", "'", '"', "%%%", "\u202e", "💥", "';--", "\ud7ff"):
        for address in (ROOT, f"{ROOT}/runs"):
            answer = await api.get(address, params={"q": q})
            assert answer.status_code == 200
            assert answer.json()["items"] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "definition", "nodes", "edges", "id", "data", "credentials", "version", "kind"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    call=st.sampled_from(WRITES),
    body=json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200),
)
async def test_whatever_is_sent_the_answer_is_never_a_broken_one(
    api: httpx.AsyncClient, call: tuple[str, str], body: bytes
):
    method, address = call
    answer = await api.request(method, address, content=body, headers=JSON_TYPE)
    assert answer.status_code < 500 or answer.json()["code"] != "internal_error"
    assert answer.status_code < 300 or answer.headers["content-type"] == "application/problem+json"
    good = await api.post(f"{ROOT}/validate", json=COPY)
    assert good.json()["canRun"] is True
