"""Clients that are no page of ours: what a stranger can reach by HTTP and websocket, and what it finds there."""

import asyncio
import json
import stat
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
import socketio

from tests.processes import ROOT, Program

NAMESPACE = "/_event"
PAYLOAD = "what-the-stranger-sent"
COOKIE = "session=cookie-of-the-stranger"
STATE = "reflex___state____state"
LIST = f"{STATE}.orchestrator_app___ui___pages___orchestrators___state____orchestrators_state"
EDITOR = f"{STATE}.orchestrator_app___ui___pages___canvas___state____editor_state"
LIVE = f"{EDITOR}.orchestrator_app___ui___pages___canvas___live_state____live_state"
SETTINGS = f"{EDITOR}.orchestrator_app___ui___pages___canvas___settings_state____settings_state"
NODES = f"{EDITOR}.orchestrator_app___ui___pages___canvas___workflow_state____workflow_nodes_state"
BROWSER = f"{STATE}.orchestrator_app___ui___workflows___state____browser_state"
PATIENCE_SECONDS = 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One instance that all strangers of this module call."""
    with Program(Path(tmp_path_factory.mktemp("sockets")), ORCHESTRATOR_DEMO="false") as program:
        yield program


def outside_the_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run it in a thread of its own: the browser of other tests keeps this thread's loop busy."""

    async def run() -> Any:
        async with asyncio.timeout(60):
            return await work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


class Stranger:
    """A raw client of the websocket."""

    def __init__(self, server: Program, token: str) -> None:
        self._server = server
        self._token = token
        self._socket = socketio.AsyncClient(reconnection=False)
        self._socket.on("event", self._take, namespace=NAMESPACE)
        self._news = asyncio.Event()
        self.received: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        await self._socket.connect(
            f"{self._server.url}?token={self._token}",
            headers={"Origin": self._server.url, "Cookie": COOKIE, "Authorization": COOKIE},
            transports=["websocket"],
            namespaces=[NAMESPACE],
            socketio_path=NAMESPACE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.disconnect()

    def _take(self, update: Any) -> None:
        self.received.append(json.loads(update) if isinstance(update, str) else update)
        self._news.set()

    async def send(self, name: str, payload: Any = None, **fields: Any) -> None:
        """Any event."""
        event = {"name": name, "payload": payload or {}, "router_data": {"pathname": "/", "asPath": "/"}}
        await self._socket.emit("event", event | fields, namespace=NAMESPACE)

    async def send_any(self, *content: Any) -> None:
        """Not even an event."""
        await self._socket.emit("event", content[0] if content else None, namespace=NAMESPACE)

    async def open_page(self) -> dict[str, dict[str, Any]]:
        """Load the list as its page does; the vars that came."""
        await self.send(f"{STATE}.hydrate_and_load")
        return await self.until(lambda found: found.get(STATE, {}).get("is_hydrated_rx_state_") is True)

    async def until(self, is_there: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        """Everything received, once it is enough."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found: dict[str, dict[str, Any]] = {}
                for update in self.received:
                    for state, values in (update.get("delta") or {}).items():
                        found.setdefault(state, {}).update(values)
                if is_there(found):
                    return found
                self._news.clear()
                await self._news.wait()


def http_status(server: Program, path: str, *, method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None if method == "GET" else b"{}"
    if body:
        named["Content-Type"] = "application/json"
    request = urllib.request.Request(f"{server.url}{path}", data=body, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


async def websocket_status(server: Program, **headers: str) -> int:
    url = f"{server.url}{NAMESPACE}/?token=t&EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(url, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


FOREIGN = ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_sites_are_refused(server: Program, origin: str):
    path = "/api/v1/orchestrator/validate"
    assert http_status(server, path, method="POST", Origin=server.url) != 403
    assert http_status(server, path, method="POST", Origin=origin) == 403
    polling = f"{NAMESPACE}/?token=t&EIO=4&transport=polling"
    assert http_status(server, polling, Origin=origin) in {400, 403}
    assert outside_the_loop(lambda: websocket_status(server, Origin=origin)) in {400, 403}
    assert outside_the_loop(lambda: websocket_status(server, Origin=server.url)) == 101


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1:1", "127.0.0.1.evil.example"])
def test_a_name_that_the_server_does_not_know_is_refused(server: Program, host: str):
    for path in ("/", "/api/v1/orchestrator", "/_event/", "/assets/none.js"):
        assert http_status(server, path, Host=host) == 403
    assert outside_the_loop(lambda: websocket_status(server, Host=host)) == 403
    assert http_status(server, "/", Host=f"localhost:{server.port}") == 200


def test_a_stranger_executes_nothing_and_leaves_no_trace_in_the_log(server: Program):
    stored = server.create("Orders", [], [])
    refused = [
        (f"{LIST}.setvar", {"var_name": "query", "value": PAYLOAD}),
        (f"{STATE}.setvar", {"var_name": "is_hydrated", "value": PAYLOAD}),
        (f"{LIST}._read", {}),
        (f"{LIST}.__init__", {"parent_state": PAYLOAD}),
        (f"{LIST}.reset", {}),
        (f"{LIST}.set_query", {"value": PAYLOAD}),
        (f"{LIST}.search", {"query": {"a": PAYLOAD}}),
        (f"{LIST}.search", {"query": PAYLOAD, "self": PAYLOAD}),
        (f"{LIST}.search", {}),
        (f"{LIST}.delete", {"orchestrator_id": stored, PAYLOAD: PAYLOAD}),
        (f"{LIST}.ask_name", {"is_open": PAYLOAD}),
        (f"{LIST}.watch", {}),
        (f"{LIVE}.watch", {}),
        (f"{EDITOR}.apply_ops", {"ops": PAYLOAD}),
        (f"{EDITOR}.apply_ops", {"ops": [[PAYLOAD]]}),
        (f"{SETTINGS}.move_row", {"key": PAYLOAD, "row_id": PAYLOAD, "by": "1; DROP TABLE"}),
        (
            f"{NODES}.take_workflow",
            {"node_id": "", "provider": "n8n", "connection_id": "", "workflow_id": f"{PAYLOAD}\ud800"},
        ),
        (
            f"{NODES}.bring",
            {"provider": "simulated", "connection_id": "", "workflow_id": PAYLOAD, "where": {}},
        ),
        (f"{BROWSER}.watch", {}),
        (
            f"{BROWSER}.look",
            {"provider": "simulated", "connection_id": "", "workflow_id": PAYLOAD, "is_fresh": True},
        ),
        (f"{BROWSER}.bring", {"key": PAYLOAD, "offset": "0; DROP TABLE"}),
        (
            f"{STATE}.reflex___state____update_vars_internal_state.update_vars_internal",
            {"vars": {PAYLOAD: 1}},
        ),
        (f"{STATE}.hydrate_and_load", {"vars": {f"{LIST}.query": PAYLOAD}}),
        (f"no_such_state_{PAYLOAD}.search", {"query": PAYLOAD}),
        (f"{LIST}.no_such_handler", {"query": PAYLOAD}),
        (f"{STATE}.{PAYLOAD}", {}),
        ("", {"query": PAYLOAD}),
    ]

    async def work() -> None:
        async with Stranger(server, "stranger") as stranger:
            for name, payload in refused:
                await stranger.send(name, payload)
            for content in (
                PAYLOAD,
                f'{{"name": "{PAYLOAD}"',
                [PAYLOAD],
                5,
                None,
                {PAYLOAD: 1},
                {"name": [PAYLOAD]},
            ):
                await stranger.send_any(content)
            await stranger.send(f"{LIST}.search", PAYLOAD)
            await stranger.send(f"{LIST}.search", {"query": "x"}, router_data=PAYLOAD)
            await stranger.send(f"{LIST}.search", {"query": "allowed"})
            found = await stranger.until(lambda found: "query_rx_state_" in found.get(LIST, {}))
            assert found[LIST]["query_rx_state_"] == "allowed"
        async with Stranger(server, "afterwards") as stranger:
            found = await stranger.open_page()
            rows = found[LIST]["rows_rx_state_"]
            assert [row["id"] for row in rows] == [stored]
            assert found[LIST]["query_rx_state_"] == ""

    outside_the_loop(work)
    log = server.log.read_text()
    assert "an event was refused" in log
    assert PAYLOAD not in log
    assert COOKIE not in log
    assert server.ask("GET", f"/{stored}")["name"] == "Orders"


def test_broken_frames_and_endless_nesting_do_not_end_the_server(server: Program):
    frames = [
        "", "9", "4", "42", "42/_event", '42/_event,["event"', '42/_event,["event",{', "42/other,[]",
        '42/_event,["event",' + "[" * 100_000, '42/_event,["event",' + "[" * 100_000 + "]" * 100_001, "x" * 100_000,
        '42["setvar"]', '451-/_event,["event",{"_placeholder":true,"num":0}]', "\x00", PAYLOAD,
    ]  # fmt: skip

    async def work() -> None:
        url = f"{server.url}{NAMESPACE}/?token=frames&EIO=4&transport=websocket"
        async with aiohttp.ClientSession() as session:
            for frame in [*frames, "y" * 3_000_000]:
                async with session.ws_connect(url, headers={"Origin": server.url}) as socket:
                    await socket.receive(timeout=PATIENCE_SECONDS)
                    await socket.send_str("40/_event,{}")
                    await socket.receive(timeout=PATIENCE_SECONDS)
                    try:
                        await socket.send_str(frame)
                        await socket.send_str("2")
                        await socket.receive(timeout=1)
                    except (TimeoutError, ConnectionError, aiohttp.ClientError):
                        continue

    outside_the_loop(work)
    assert server.process.poll() is None
    assert http_status(server, "/health/ready") == 200
    assert PAYLOAD not in server.log.read_text()


def test_a_page_is_told_neither_secrets_nor_cookies(server: Program):
    secret = "n8n-key-that-nobody-may-read-back"
    credentials = {"baseUrl": "http://127.0.0.1:9", "apiKey": secret}
    stored = server.ask("POST", "/providers/n8n/connect", {"name": "Ours", "credentials": credentials})
    place = f"{STATE}.orchestrator_app___ui___pages___connections"
    connections = f"{place}___state____connections_state"
    form = f"{place}___form_state____connection_form_state"

    async def work() -> list[dict[str, Any]]:
        async with Stranger(server, "curious") as stranger:
            await stranger.open_page()
            await stranger.send(f"{connections}.load")
            await stranger.send(f"{form}.open_existing", {"connection_id": stored["id"]})
            await stranger.send(f"{connections}.check", {"connection_id": stored["id"]})
            await stranger.until(lambda found: bool(found.get(form, {}).get("fields_rx_state_")))
            await stranger.until(
                lambda found: found.get(connections, {}).get("testing_id_rx_state_") == stored["id"]
            )
            await stranger.until(lambda found: found.get(connections, {}).get("testing_id_rx_state_") == "")
            return stranger.received

    received = json.dumps(outside_the_loop(work))
    assert "Edit Ours" in received
    assert secret not in received
    assert COOKIE not in received
    assert secret not in server.log.read_text()


def test_nothing_of_what_tabs_do_is_written_beside_the_database(server: Program):
    async def work() -> None:
        async with Stranger(server, "writer") as stranger:
            await stranger.open_page()

    outside_the_loop(work)
    assert not list(server.data_dir.rglob("*.pkl"))
    assert not any((place / ".states").exists() for place in (server.data_dir, ROOT))
    written = [path for path in server.data_dir.iterdir() if path.name != "server.log"]
    assert {path.name for path in written} <= {
        "orchestrator.db", "orchestrator.db-wal", "orchestrator.db-shm", "encryption.key", "engine.lock", "reflex",
    }  # fmt: skip
    assert not [path for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_two_instances_run_side_by_side(server: Program, tmp_path: Path):
    with Program(tmp_path / "second", ORCHESTRATOR_DEMO="false") as second:
        only_here = second.create("Only in the second", [], [])

        async def rows(program: Program) -> list[str]:
            async with Stranger(program, "side-by-side") as stranger:
                found = await stranger.open_page()
                return [row["id"] for row in found[LIST]["rows_rx_state_"]]

        assert outside_the_loop(lambda: rows(second)) == [only_here]
        assert only_here not in outside_the_loop(lambda: rows(server))
        assert outside_the_loop(lambda: websocket_status(second, Origin=server.url)) in {400, 403}
    assert server.process.poll() is None
