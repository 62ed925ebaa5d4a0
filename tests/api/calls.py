"""Calls that many tests make, and the definitions they make them with."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

BASE_URL = "http://127.0.0.1:8000"
ROOT = "/api/v1/orchestrator"
HOST = (b"host", b"127.0.0.1:8000")
EVIL_HOST = (b"host", b"evil.example")
PROBLEM = "application/problem+json"


def node(node_id: str, kind: str, **config: Any) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "orchestratorNode",
        "position": {"x": 0, "y": 0},
        "data": {"label": node_id, "nodeType": kind, "config": config},
    }


def definition(*nodes: dict[str, Any], edges: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    wired = [{"id": f"{source}-{target}", "source": source, "target": target} for source, target in edges]
    return {"version": 1, "nodes": list(nodes), "edges": wired}


# One node that copies its input, and ends at once.
COPY = definition(node("copy", "DataMapper", mappings=[{"from": "data", "to": "copy"}]))
# Waits until somebody calls back, and gives out what came.
WAIT = definition(node("wait", "WaitForCallback"))


async def create(api: httpx.AsyncClient, graph: dict[str, Any] = COPY, name: str = "Orders") -> str:
    """The id of a new orchestrator."""
    answer = await api.post(ROOT, json={"name": name, "definition": graph})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def started(api: httpx.AsyncClient, graph: dict[str, Any] = COPY, data: Any = None) -> dict[str, Any]:
    """A run that has ended."""
    orchestrator_id = await create(api, graph)
    answer = await api.post(f"{ROOT}/{orchestrator_id}/run?wait=20", json=data or {})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def waiting(api: httpx.AsyncClient, graph: dict[str, Any] = WAIT) -> dict[str, Any]:
    """A run that waits for a callback."""
    orchestrator_id = await create(api, graph)
    run_id = (await api.post(f"{ROOT}/{orchestrator_id}/run")).json()["id"]
    while True:
        run = (await api.get(f"{ROOT}/runs/{run_id}")).json()
        if run["status"] == "WAITING":
            return run


def token_of(run: dict[str, Any]) -> str:
    """The token of the callback for which the run waits."""
    return next(item["callbackUrl"] for item in run["nodes"] if item["callbackUrl"]).partition("?token=")[2]


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"/api/docs/errors#{code}"
    assert problem["detail"].endswith((".", "!", "”"))
    return problem


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    """A body of which nobody says how long it is."""
    for piece in pieces:
        yield piece


async def call_raw(app: Any, **scope: Any) -> list[dict[str, Any]]:
    """What an ASGI application sends for a request that no HTTP client would make, or for a websocket."""
    sent: list[dict[str, Any]] = []
    whole: dict[str, Any] = {"type": "http", "method": "GET", "query_string": b"", "headers": [HOST]} | scope

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if whole["type"] == "websocket" else {"type": "http.request"}

    await app(whole, receive, send)
    return sent
