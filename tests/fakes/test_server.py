"""The fake server itself: what other tests rely on."""

import asyncio
import http.client
import threading
import time
from typing import Any

import pytest

from tests.fakes.recordings import send
from tests.fakes.server import FakeServer


def call(url: str, body: Any) -> tuple[int, Any]:
    status, _, answer = send({"method": "POST", "url": url, "headers": {}, "body": body}, {})
    return status, answer


def post(url: str, body: Any) -> Any:
    return call(url, body)[1]


def test_it_starts_and_stops_quickly():
    begun = time.perf_counter()
    with FakeServer() as fake:
        started = time.perf_counter() - begun
        assert post(fake.url + "/echo/a", {"x": 1}) == {"x": 1}
    assert started < 0.3
    assert not any(thread.name == "fake-server" for thread in threading.enumerate())


def test_the_journal_tells_everything_about_a_request():
    with FakeServer() as fake:
        post(fake.url + "/echo/a?b=1", {"x": "ä"})
        (seen,) = fake.calls("/echo/a", method="POST")
        assert (seen.method, seen.query, seen.json) == ("POST", {"b": "1"}, {"x": "ä"})
        assert seen.headers["content-type"] == "application/json"
        assert abs(seen.at - time.time()) < 5
        assert fake.calls("/echo/other") == []
        fake.clear()
        assert fake.journal == []


def test_waiting_for_a_call_that_does_not_come_says_what_came():
    with FakeServer() as fake:
        post(fake.url + "/echo/a", {})
        with pytest.raises(AssertionError, match="POST /echo/a"):
            fake.wait_for("/echo/b", timeout_seconds=0.01)


async def test_an_async_test_can_wait_for_a_call():
    with FakeServer() as fake:
        waiting = asyncio.create_task(fake.arrived("/echo/later"))
        await asyncio.to_thread(post, fake.url + "/echo/later", {"x": 2})
        assert (await waiting)[0].json == {"x": 2}


def test_it_calls_back():
    with FakeServer() as fake:
        post(fake.url + "/calls-back?ms=1", {"callbackUrl": fake.url + "/echo/back", "x": 3})
        assert fake.wait_for("/echo/back")[0].json == {"done": True, "input": {"x": 3}}


def test_a_flaky_address_fails_as_often_as_it_is_told():
    with FakeServer() as fake:
        statuses = [call(fake.url + "/flaky?fail=2&key=k", {})[0] for _ in range(3)]
        assert statuses == [503, 503, 200]


def test_a_long_answer_does_not_hold_up_the_end():
    with FakeServer() as fake:
        thread = threading.Thread(target=_ignore_failure, args=(fake.url + "/slow?ms=60000",))
        thread.start()
        fake.wait_for("/slow")
        begun = time.perf_counter()
    assert time.perf_counter() - begun < 2
    thread.join(5)


def _ignore_failure(url: str) -> None:
    try:
        post(url, {})
    except (OSError, http.client.HTTPException):
        return


def test_a_fake_n8n_workflow_runs_until_it_is_told_to_end():
    with FakeServer() as fake:
        flow = fake.n8n2.add_workflow("Slow", mode="onReceived", seconds=None)
        post(flow.url, {})
        (run,) = flow.executions
        assert run.status == "running"
        run.finish()
        assert run.status == "success"
