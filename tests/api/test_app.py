"""How the API and the pages share one port."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from tests.api.calls import BASE_URL, EVIL_HOST, HOST, ROOT, assert_problem, call_raw


def behind(settings: Settings) -> Starlette:
    """Pages behind the API, put there as Reflex does it."""

    async def page(request: Request) -> Response:
        return PlainTextResponse(f"page {request.url.path}")

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()

    pages = Starlette(
        routes=[WebSocketRoute("/_event", echo), Route("/{path:path}", page, methods=["GET", "POST"])]
    )
    api = build_api(lambda: pytest.fail("not needed"), settings)
    api.add_middleware(
        CORSMiddleware,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        allow_origins=settings.allowed_origins,
    )
    api.mount("", pages)
    top = Starlette()
    top.mount("", api)
    return top


@pytest.fixture
def client(settings: Settings) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(behind(settings)), base_url=BASE_URL)


@pytest.mark.parametrize(
    "path", ["/", "/runs/", "/ping", "/_health", "/apis", "/health", "/healthy/x", "/API/x"]
)
async def test_everything_but_the_api_goes_to_the_pages(client: httpx.AsyncClient, path: str):
    assert (await client.get(path)).text == f"page {path}"
    assert (await client.post(path)).text == f"page {path}"


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/v1",
        "/api/v2/orchestrator",
        f"{ROOT}/",
        f"{ROOT}/x/y",
        f"{ROOT}/x/runs/",
        "/api/docs/",
        "/health/",
        "/health/nothing",
        "/api//v1/orchestrator",
    ],
)
async def test_what_does_not_exist_under_the_api_is_a_problem(client: httpx.AsyncClient, path: str):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        problem = assert_problem(await client.request(method, path), 404, "not_found")
        assert "/api/docs" in problem["hint"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", ROOT, "GET, POST"),
        ("POST", f"{ROOT}/x", "DELETE, GET, PUT"),
        ("GET", f"{ROOT}/x/run", "POST"),
        ("POST", f"{ROOT}/runs/x", "GET"),
        ("POST", "/health/live", "GET"),
        ("DELETE", "/api/openapi.json", "GET, HEAD"),
        ("OPTIONS", f"{ROOT}/providers", "GET"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
):
    answer = await client.request(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


async def test_the_method_cannot_be_overridden(client: httpx.AsyncClient):
    answer = await client.post(f"{ROOT}/x", headers={"X-HTTP-Method-Override": "DELETE"})
    assert_problem(answer, 405, "method_not_allowed")


async def test_the_websocket_of_the_pages_works_and_the_api_has_none(settings: Settings):
    async def answer(path: str, host: tuple[bytes, bytes] = HOST) -> str:
        sent = await call_raw(behind(settings), type="websocket", path=path, headers=[host])
        return sent[0]["type"]

    assert await answer("/_event") == "websocket.accept"
    assert await answer("/_event", EVIL_HOST) == "websocket.close"
    assert await answer("/api/v1/orchestrator") == "websocket.close"


async def test_a_preflight_reaches_nothing(client: httpx.AsyncClient):
    asked = {"Origin": "http://127.0.0.1:8000", "Access-Control-Request-Method": "POST"}
    assert (await client.options(f"{ROOT}/callback/x", headers=asked)).status_code == 200
    foreign = asked | {"Origin": "https://evil.example"}
    refused = await client.options(f"{ROOT}/callback/x", headers=foreign)
    assert "access-control-allow-origin" not in refused.headers


def test_two_apis_in_one_process_do_not_share_their_routes(settings: Settings):
    first, second = (
        build_api(lambda: pytest.fail("no"), settings),
        build_api(lambda: pytest.fail("no"), settings),
    )
    first.mount("", Starlette())
    assert len(first.routes) == len(second.routes) + 1
