"""A stop in the middle of much work: it takes no longer than allowed, loses nothing, and fails nothing."""

import threading
import time
from collections import Counter
from typing import Any, Self

from tests.fakes.server import FakeServer
from tests.processes import Program

MOST_SECONDS = 30.0
STARTERS = 4
FEWEST_RUNS = 40
LONG_MS = 60_000


def node(node_id: str, kind: str, **config: object) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "orchestratorNode",
        "position": {"x": 0, "y": 0},
        "data": {"label": node_id, "nodeType": kind, "config": config},
    }


def call(node_id: str, url: str, **config: object) -> dict[str, Any]:
    return node(node_id, "RemoteWebhook", url=url, **config)


def edges(*pairs: str) -> list[dict[str, Any]]:
    return [
        {"id": f"{source}-{target}", "source": source, "target": target}
        for source, target in (pair.split() for pair in pairs)
    ]


class Starters:
    """Threads that start one run after the other until nobody answers any more."""

    def __init__(self, program: Program, orchestrator_ids: list[str]) -> None:
        self._program = program
        self._ids = orchestrator_ids
        self.accepted: list[str] = []
        self.has_enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._start_runs, args=(number,)) for number in range(STARTERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(60)

    def _start_runs(self, number: int) -> None:
        while True:
            number += 1
            try:
                run = self._program.ask("POST", f"/{self._ids[number % len(self._ids)]}/run", {"n": number})
            except (AssertionError, OSError):
                return  # the program stops
            self.accepted.append(run["id"])
            if len(self.accepted) >= FEWEST_RUNS:
                self.has_enough.set()


def test_sigterm_under_load_is_quick_and_neither_loses_nor_fails_a_run(
    mortal_program: Program, fake: FakeServer
) -> None:
    program, slow = mortal_program, f"{fake.url}/slow"
    kinds = {
        "calls that must not be repeated": (
            [call(name, f"{slow}/{name}?ms=150", retryAttempts=0) for name in "abc"],
            edges("a b", "b c"),
        ),
        "side by side": (
            [
                node("fork", "Parallel"),
                *(call(name, f"{slow}/{name}?ms=100", method="PUT") for name in "abcd"),
                node("join", "DataMapper", mappings=[{"from": "=1", "to": "n"}]),
            ],
            edges(*(f"fork {name}" for name in "abcd"), *(f"{name} join" for name in "abcd")),
        ),
        "called back": (
            [
                call("a", f"{fake.url}/calls-back/a?ms=100"),
                node("w", "WaitForCallback"),
                call("b", f"{slow}/b?ms=50"),
            ],
            edges("a w", "w b"),
        ),
        "a timer": (
            [node("w", "WaitForCallback", timeout=500, onTimeout="continue"), call("b", f"{slow}/b?ms=50")],
            edges("w b"),
        ),
    }
    ids = [program.create(name, nodes, wires) for name, (nodes, wires) in kinds.items()]
    # No grace is long enough for this one; it may be repeated.
    long = program.create(
        "long", [call("long", f"{slow}/long?ms={LONG_MS}", idempotent=True, timeout=90_000)], []
    )
    long_run = program.ask("POST", f"/{long}/run", {})["id"]
    fake.wait_for("/slow/long")
    with Starters(program, ids) as starters:
        assert starters.has_enough.wait(30)
        begin = time.monotonic()
        assert program.stop() == 0
        assert time.monotonic() - begin < MOST_SECONDS
    program.start()
    # Whoever called back while nobody was there calls again.
    for request in fake.calls("/calls-back/a"):
        address = request.json["callbackUrl"].partition("/orchestrator")[2]
        assert program.ask("POST", address, {"done": True})["status"] in {"accepted", "duplicate"}
    for run_id in starters.accepted:
        run = program.finished(run_id)
        assert run["status"] == "COMPLETED", run["failure"]
        assert [line["message"] for line in run["logs"]].count("A callback arrived.") <= 1
    fake.wait_for("/slow/long", count=2)
    assert program.ask("GET", f"/runs/{long_run}")["status"] == "RUNNING"
    keys = {request.headers["idempotency-key"] for request in fake.calls("/slow/long")}
    assert len(keys) == 1
    program.ask("POST", f"/runs/{long_run}/cancel")
    sent = Counter(
        request.headers["x-correlation-id"]
        for request in fake.calls()
        if "x-correlation-id" in request.headers
    )
    assert {name: count for name, count in sent.items() if count > 1} == {f"{long_run}.long": 2}
