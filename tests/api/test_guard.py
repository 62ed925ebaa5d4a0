import logging
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from orchestrator_app.api.guard import Guard
from tests.api.calls import BASE_URL, EVIL_HOST, HOST, PROBLEM, ROOT, assert_problem, call_raw

ORIGINS = [
    "http://127.0.0.1:8000",
    "http://localhost:8000",
    "https://flows.example.org",
    "http://plain.example.org:80",
]


async def answer(request: Request) -> Response:
    return PlainTextResponse(request.method)


async def breaks(_request: Request) -> Response:
    raise ZeroDivisionError("a secret detail")


async def breaks_midway(_request: Request) -> Response:
    async def pieces():
        yield b"one"
        raise ZeroDivisionError

    return StreamingResponse(pieces())


async def client_leaves(_request: Request) -> Response:
    raise ClientDisconnect


def guarded(*, is_enabled: bool = True) -> Starlette:
    methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    routes = [
        Route("/api/breaks", breaks),
        Route("/breaks", breaks),
        Route("/api/midway", breaks_midway),
        Route("/api/leaves", client_leaves),
        Route("/{path:path}", answer, methods=methods),
    ]
    return behind_guard(routes, is_enabled=is_enabled)


def behind_guard(routes: list[Route], *, is_enabled: bool = True) -> Starlette:
    return Starlette(routes=routes, middleware=[Middleware(Guard, origins=ORIGINS, is_enabled=is_enabled)])


def calling(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "localhost:8000",
        "LOCALHOST:8000",
        "flows.example.org",
        "flows.example.org:443",
        "plain.example.org",
        "plain.example.org:80",
    ],
)
async def test_the_server_answers_under_its_own_names(host: str):
    async with calling(guarded()) as client:
        assert (await client.get("/api/x", headers={"Host": host})).status_code == 200
        assert (await client.get("/page", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:8001",
        "localhost",
        "flows.example.org.evil.example",
        "flows.example.org:80",
        "flows.example.org.",
        "evil.example:8000",
        "127.0.0.1:8000@evil.example",
        "",
    ],
)
async def test_the_server_does_not_answer_under_a_foreign_name(host: str):
    async with calling(guarded()) as client:
        for path in ("/api/x", "/health/live", f"{ROOT}/callback/x"):
            assert_problem(await client.get(path, headers={"Host": host}), 403, "not_allowed")
        page = await client.get("/page", headers={"Host": host})
        assert page.status_code == 403
        assert page.headers["content-type"].startswith("text/html")
        assert "ORCHESTRATOR_ALLOWED_HOSTS" in page.text


async def test_a_request_with_two_hosts_or_none_is_refused():
    for headers in ([], [HOST, HOST]):
        start, _body = await call_raw(guarded(), path="/api/x", headers=headers)
        assert start["status"] == 400


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:8001"},
    {"Origin": "https://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:8000.evil.example"},
    {"Origin": "http://127.0.0.1:8000/"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
]
OWN = [
    {},
    {"Origin": "http://127.0.0.1:8000"},
    {"Origin": "HTTPS://flows.example.org"},
    {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_page_of_another_site_can_change_nothing(headers: dict[str, str]):
    async with calling(guarded()) as client:
        for method in ("POST", "PUT", "DELETE"):
            assert_problem(await client.request(method, "/api/x", headers=headers), 403, "not_allowed")
            assert (await client.request(method, "/page", headers=headers)).status_code == 403
        assert (await client.get("/api/x", headers=headers)).status_code == 200


@pytest.mark.parametrize("headers", OWN)
async def test_own_pages_and_programs_can_change_things(headers: dict[str, str]):
    async with calling(guarded()) as client:
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.request(method, "/api/x", headers=headers)).status_code == 200


async def test_two_origins_count_as_foreign_if_one_of_them_is():
    headers = [("Origin", "http://127.0.0.1:8000"), ("Origin", "https://evil.example")]
    async with calling(guarded()) as client:
        assert_problem(await client.post("/api/x", headers=headers), 403, "not_allowed")


@pytest.mark.parametrize("headers", FOREIGN)
async def test_callbacks_and_probes_may_come_from_anywhere(headers: dict[str, str]):
    async with calling(guarded()) as client:
        assert (await client.post(f"{ROOT}/callback/x", headers=headers)).status_code == 200
        assert (await client.post("/health/live", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/orchestrator/callback",
        "/api/v1/orchestrator/callbacks/x",
        "/x/api/v1/orchestrator/callback/x",
        "//api/v1/orchestrator/callback/x",
        "/health",
        "/healthy",
        "/x/health/live",
        "/api/v1/orchestrator/x;/callback/y",
    ],
)
async def test_a_path_that_only_looks_like_an_open_one_is_not_open(path: str):
    async with calling(guarded()) as client:
        address = httpx.URL(BASE_URL).copy_with(raw_path=path.encode())
        refused = await client.post(address, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403


async def test_answers_of_the_api_carry_safe_headers_and_pages_keep_theirs():
    async with calling(guarded()) as client:
        for path in ("/api/x", "/health/live", "/api/breaks"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        page = (await client.get("/page")).headers
        assert "cache-control" not in page
        assert "content-security-policy" not in page


@pytest.mark.parametrize(
    ("path", "is_kept"),
    [
        ("/assets/root-BxKq3_9a.js", True),
        ("/assets/sub/radix-abc-DEF12345.css", True),
        ("/assets/plain.js", False),
        ("/favicon-12345678.ico", False),
        ("/page", False),
    ],
)
async def test_only_files_named_after_their_content_are_kept_by_browsers(path: str, is_kept: bool):  # noqa: FBT001
    async with calling(guarded()) as client:
        address = httpx.URL(BASE_URL).copy_with(raw_path=path.encode())
        headers = (await client.get(address)).headers
        assert ("immutable" in headers.get("cache-control", "")) is is_kept


async def test_a_missing_file_is_not_kept():
    async with calling(behind_guard([])) as client:
        missing = await client.get("/assets/root-BxKq3_9a.js")
        assert missing.status_code == 404
        assert "cache-control" not in missing.headers


async def test_switched_off_api_and_pages_say_so_and_only_probes_are_answered():
    async with calling(guarded(is_enabled=False)) as client:
        for path in ("/api", "/api/x", f"{ROOT}/callback/x"):
            assert_problem(await client.post(path), 404, "feature_disabled")
        page = await client.get("/page")
        assert page.status_code == 404
        assert "Orchestrator is switched off." in page.text
        assert "ORCHESTRATOR_ENABLED=true" in page.text
        assert (await client.get("/health/live")).status_code == 200


async def test_what_breaks_is_told_by_a_number_that_is_in_the_log(caplog: pytest.LogCaptureFixture):
    async with calling(guarded()) as client:
        broken = await client.get("/api/breaks?token=cb_secret")
    problem = assert_problem(broken, 500, "internal_error")
    assert problem["reference"] in problem["hint"]
    assert "secret" not in broken.text
    assert "ZeroDivision" not in broken.text
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert problem["reference"] in record.getMessage()
    assert "cb_secret" not in record.getMessage()
    assert record.exc_info is not None


async def test_what_breaks_in_the_pages_or_midway_is_left_to_the_server():
    async with calling(guarded()) as client:
        for path in ("/breaks", "/api/midway"):
            with pytest.raises(ZeroDivisionError):
                await client.get(path)


async def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture):
    assert await call_raw(guarded(), path="/api/leaves") == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_websocket_under_a_foreign_name_is_closed():
    async def accepts(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    guard = Guard(accepts, origins=ORIGINS, is_enabled=True)
    own = await call_raw(guard, type="websocket", path="/_event")
    foreign = await call_raw(guard, type="websocket", path="/_event", headers=[EVIL_HOST])
    assert [message["type"] for message in own] == ["websocket.accept"]
    assert [message["type"] for message in foreign] == ["websocket.close"]


async def test_the_start_of_the_process_passes():
    async def starts(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": f"{scope['type']}.startup.complete"})

    guard = Guard(starts, origins=ORIGINS, is_enabled=False)
    assert await call_raw(guard, type="lifespan") == [{"type": "lifespan.startup.complete"}]


async def test_a_refusal_is_a_problem_document():
    async with calling(guarded()) as client:
        refused = await client.post("/api/x", headers={"Origin": "https://evil.example"})
    assert refused.headers["content-type"] == PROBLEM
    assert refused.headers["x-content-type-options"] == "nosniff"
