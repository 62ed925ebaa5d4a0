"""Plain addresses of the fake server: echo, slowness and every way an HTTP server can go wrong."""

import asyncio
import json
from collections import Counter
from typing import Protocol

from tests.fakes.wire import DROP, Received, Reply, json_reply, text_reply

HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


class Poster(Protocol):
    def post_later(self, url: str, body: object, seconds: float) -> None: ...


class FakeEcho:
    """See the docstring of tests/fakes/server.py."""

    def __init__(self, server: Poster) -> None:
        self._server = server
        self._failed: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()

    async def answer(self, received: Received) -> Reply:  # noqa: PLR0911 - one line for each address
        kind, _, rest = received.path.strip("/").partition("/")
        query = received.query
        match kind:
            case "echo":
                return _echo(received)
            case "slow":
                await asyncio.sleep(int(query.get("ms", "300")) / 1000)
                return _echo(received)
            case "status":
                return self._status(int(rest), query)
            case "flaky":
                return self._flaky(received)
            case "job":
                return self._job(received)
            case "calls-back":
                return self._call_back(received)
            case _:
                return _fixed(kind, query) or json_reply(
                    {"message": f"There is nothing at {received.path}"}, 404
                )

    def _status(self, status: int, query: dict[str, str]) -> Reply:
        headers = {"Retry-After": query["retry_after"]} if "retry_after" in query else {}
        if status in {204, 304}:
            return Reply(status, b"", headers)
        return json_reply({"message": query.get("message", f"status {status}")}, status, headers)

    def _flaky(self, received: Received) -> Reply:
        key = received.query.get("key", received.path)
        self._failed[key] += 1
        if self._failed[key] <= int(received.query.get("fail", "1")):
            return json_reply({"message": "not yet"}, 503)
        return _echo(received)

    def _job(self, received: Received) -> Reply:
        """POST begins a job; it is done at so many looks at it."""
        query = received.query
        if received.method == "POST":
            place = f"{received.path}?{received.query_string}"
            return json_reply({"status": "queued"}, 202, {"Location": place})
        self._looks[received.path] += 1
        if self._looks[received.path] < int(query.get("looks", "2")):
            return json_reply({"status": "running"})
        return json_reply(
            {"status": query.get("end", "done"), "result": {"looks": self._looks[received.path]}}
        )

    def _call_back(self, received: Received) -> Reply:
        data = received.json
        answer = {
            "done": True,
            "input": {name: value for name, value in data.items() if name != "callbackUrl"},
        }
        self._server.post_later(data["callbackUrl"], answer, int(received.query.get("ms", "100")) / 1000)
        return json_reply({"accepted": True}, 202)


def _echo(received: Received) -> Reply:
    if not received.body:
        return Reply()
    try:
        json.loads(received.body)
    except ValueError:
        return text_reply(received.text)
    return Reply(200, received.body, {"Content-Type": "application/json"})


def _fixed(kind: str, query: dict[str, str]) -> Reply | None:
    """Answers that do not depend on what was sent."""
    replies = {
        "empty": Reply(),
        "text": text_reply(query.get("text", "hello")),
        "html": text_reply(HTML, content_type="text/html; charset=utf-8"),
        "bad-json": Reply(200, b'{"half": ', {"Content-Type": "application/json"}),
        "binary": Reply(200, bytes(range(256)), {"Content-Type": "image/png"}),
        "drop": DROP,
        "cut": Reply(action="cut"),
        "garbage": Reply(action="garbage"),
        "redirect": Reply(302, b"", {"Location": query.get("to", "/echo")}),
    }
    return replies.get(kind)
