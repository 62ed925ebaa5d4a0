import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from orchestrator_app.api import run_events
from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from orchestrator_app.runner.hub import Change
from orchestrator_app.services.application import DEFAULT_WORKSPACE, Application
from orchestrator_app.storage.sql import text
from tests.api.calls import ROOT, definition, node, started, token_of, waiting

PATIENCE_SECONDS = 20.0


class Stream:
    """An answer that is read while it is still being written; the HTTP client of these tests reads it only whole."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.status = 0
        self.headers: dict[str, str] = {}
        self._rest = ""

    async def open(self) -> None:
        start = await self.sent.get()
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}

    async def block(self) -> str:
        """The next event or comment; empty at the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "\n\n" not in self._rest:
                message = await self.sent.get()
                self._rest += message["body"].decode()
                if not message.get("more_body"):
                    return self._rest
        block, _, self._rest = self._rest.partition("\n\n")
        return block

    async def event(self) -> dict[str, Any]:
        """The next event, without the comments before it."""
        while (block := await self.block()).startswith(":"):
            pass
        return parsed(block)


def parsed(block: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in block.splitlines())
    return {"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])}


@asynccontextmanager
async def followed(application: Application, settings: Settings, run_id: str) -> AsyncIterator[Stream]:
    """The stream of a run; leaving it is what a browser does that closes the page."""
    stream, has_left = Stream(), asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await has_left.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"{ROOT}/runs/{run_id}/events",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000")],
    }
    app = build_api(lambda: application, settings)
    serving = asyncio.create_task(app(scope, receive, stream.sent.put))
    await stream.open()
    yield stream
    has_left.set()
    await asyncio.wait_for(serving, PATIENCE_SECONDS)


async def test_a_run_is_followed_to_its_end(
    api: httpx.AsyncClient, application: Application, settings: Settings
):
    graph = definition(node("wait", "WaitForCallback"), node("after", "Parallel"), edges=(("wait", "after"),))
    run = await waiting(api, graph)
    async with followed(application, settings, run["id"]) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        first = await stream.event()
        assert first["event"] == "run"
        assert first["data"]["run"]["id"] == run["id"]
        assert first["data"]["run"]["status"] == "WAITING"
        assert first["id"] == first["data"]["run"]["seq"]
        assert [(item["nodeId"], item["status"]) for item in first["data"]["nodes"]] == [("wait", "WAITING")]
        assert first["data"]["edges"] == {"wait-after": "open"}

        await api.post(f"{ROOT}/callback/{run['id']}?token={token_of(run)}", json={})
        ids, last = [first["id"]], first
        while last["data"]["run"]["status"] != "COMPLETED":
            last = await stream.event()
            ids.append(last["id"])
        assert ids == sorted(set(ids))
        assert last["data"]["edges"] == {"wait-after": "taken"}
        assert await stream.block() == ""
    assert application.hub.subscribers == 0


async def test_many_changes_in_a_row_become_few_events_and_the_last_state_is_one_of_them(
    api: httpx.AsyncClient,
):
    names = [f"n{number}" for number in range(40)]
    graph = definition(*(node(name, "Parallel") for name in names), edges=tuple(pairwise(names)))
    orchestrator = await api.post(ROOT, json={"name": "Long", "definition": graph})
    run = (await api.post(f"{ROOT}/{orchestrator.json()['id']}/run")).json()
    answer = await api.get(f"{ROOT}/runs/{run['id']}/events")
    events = [parsed(block) for block in answer.text.split("\n\n") if block and not block.startswith(":")]
    last = events[-1]["data"]
    assert last["run"]["status"] == "COMPLETED"
    assert len(last["nodes"]) == 40
    assert len(events) < 40


async def test_an_ended_run_is_told_once(api: httpx.AsyncClient):
    run = await started(api)
    answer = await api.get(f"{ROOT}/runs/{run['id']}/events")
    (event,) = [parsed(block) for block in answer.text.split("\n\n") if block]
    assert event["data"]["run"]["status"] == "COMPLETED"
    assert event["id"] == run["seq"]


async def test_who_has_seen_the_end_is_told_not_to_come_back(api: httpx.AsyncClient):
    run = await started(api)
    address = f"{ROOT}/runs/{run['id']}/events"
    assert (await api.get(address, headers={"Last-Event-ID": str(run["seq"])})).status_code == 204
    for id_before in (str(run["seq"] - 1), "", "nonsense", "-1", "9" * 5_000, "٣"):
        answer = await api.get(address, headers=[(b"Last-Event-ID", id_before.encode())])
        assert answer.status_code == 200, id_before
        assert "COMPLETED" in answer.text


async def test_a_silent_stream_says_that_it_is_still_there(
    api: httpx.AsyncClient, application: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run_events, "HEARTBEAT_SECONDS", 0.01)
    run = await waiting(api)
    async with followed(application, settings, run["id"]) as stream:
        assert (await stream.event())["data"]["run"]["status"] == "WAITING"
        assert await stream.block() == ": still here"
    assert application.hub.subscribers == 0


async def test_a_lost_notification_is_made_up_for(
    api: httpx.AsyncClient, application: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run_events, "HEARTBEAT_SECONDS", 0.05)
    run = await waiting(api)
    async with followed(application, settings, run["id"]) as stream:
        await stream.event()
        monkeypatch.setattr(application.hub, "publish", lambda _change: None)
        await api.post(f"{ROOT}/runs/{run['id']}/cancel")
        assert (await stream.event())["data"]["run"]["status"] == "CANCELLED"


async def test_trouble_in_the_middle_is_told_in_the_stream(
    api: httpx.AsyncClient, application: Application, settings: Settings
):
    run = await waiting(api)
    async with followed(application, settings, run["id"]) as stream:
        await stream.event()
        delete = text("DELETE FROM orchestrator_run")
        await application.runs._database.write(lambda connection: connection.execute(delete))
        application.hub.publish(Change("run", DEFAULT_WORKSPACE, run["id"], run["seq"] + 1))
        event = await stream.event()
        assert event["event"] == "problem"
        assert event["data"]["code"] == "not_found"
        assert await stream.block() == ""
