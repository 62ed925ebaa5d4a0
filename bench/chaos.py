"""Kills the real program again and again while it works, and checks afterwards that every promise was kept.

    python -m bench.chaos --runs 1000 --kills 100 --seed 7

Runs of six kinds are started over the REST API with an idempotency key each, so that a start whose answer was lost in
a kill is repeated without harm. The fake server on the other side keeps a journal of every call that arrived: it is
the witness, not the program's own records. What is checked:

lost            a start that was answered, and whose run is not there
stuck           a run that has not ended so long after the last restart
repeated        a call that arrived again although its result was recorded before the kill
sent twice      a call that must not be repeated and arrived more than once
unclear         runs that ended as ``outcome_unknown``: allowed for what was cut in the middle of such a call, and counted
damaged         what the database's own integrity check says, after every kill
"""

import argparse
import asyncio
import random
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.fakes.server import FakeServer
from tests.processes import Program

STUCK_SECONDS = 60.0
ENDS = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_LOOK_AGAIN_SECONDS = 0.2
_STARTERS = 8
_API = "/api/v1/orchestrator"


@dataclass(slots=True)
class Report:
    """What was found; the first five must stay empty."""

    lost: list[str] = field(default_factory=list[str])
    stuck: list[str] = field(default_factory=list[str])
    repeated: list[str] = field(default_factory=list[str])
    sent_twice: list[str] = field(default_factory=list[str])
    damaged: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    unclear: int = 0
    kills: int = 0
    calls: int = 0
    states: Counter[str] = field(default_factory=Counter[str])

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.stuck or self.repeated or self.sent_twice or self.damaged or self.wrong)

    def lines(self) -> list[str]:
        """The report in words."""
        found = {
            "lost": self.lost,
            "stuck": self.stuck,
            "repeated although recorded": self.repeated,
            "sent twice though not idempotent": self.sent_twice,
            "damaged": self.damaged,
            "wrong end": self.wrong,
        }
        said = [
            f"{name}: {len(items)} {items[:5] if items else ''}".rstrip() for name, items in found.items()
        ]
        return [
            f"{self.kills} kills, {self.calls} calls arrived, ends: {dict(self.states)}",
            *said,
            f"ended as outcome_unknown: {self.unclear}",
        ]


# --- what is run ---


def _node(node_id: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    data = {"label": node_id, "nodeType": kind, "config": config}
    return {"id": node_id, "type": "orchestratorNode", "position": {"x": 0, "y": 0}, "data": data}


def _edge(source: str, target: str, handle: str = "out") -> dict[str, Any]:
    return {"id": f"{source}-{target}", "source": source, "target": target, "sourceHandle": handle}


def _call(node_id: str, url: str, **config: Any) -> dict[str, Any]:
    return _node(node_id, "RemoteWebhook", {"provider": "custom", "url": url, "retryAttempts": 5, **config})


def graphs(url: str) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Six orchestrators: calls in a row, calls side by side, branches, a wait, a timer, a callback of the other side."""
    slow = f"{url}/slow"
    return {
        "chain": (
            [_call(name, f"{slow}/{name}?ms=5", method="PUT") for name in "abc"],
            [_edge("a", "b"), _edge("b", "c")],
        ),
        "unsafe": (
            [_call(name, f"{slow}/{name}?ms=5", retryAttempts=0) for name in "abc"],
            [_edge("a", "b"), _edge("b", "c")],
        ),
        "parallel": (
            [
                _node("fork", "Parallel", {}),
                *(_call(name, f"{slow}/{name}?ms=10", method="PUT") for name in "abcd"),
                _node("join", "DataMapper", {"mappings": [{"from": "=1", "to": "n"}]}),
            ],
            [edge for name in "abcd" for edge in (_edge("fork", name), _edge(name, "join"))],
        ),
        "branch": (
            [
                _call("a", f"{slow}/a?ms=5", method="PUT"),
                _node("if", "Condition", {"cases": [{"expression": "data.n > 0", "handle": "yes"}]}),
                _call("b", f"{slow}/b?ms=5", method="PUT"),
                _call("c", f"{slow}/c?ms=5", method="PUT"),
            ],
            [_edge("a", "if"), _edge("if", "b", "yes"), _edge("if", "c", "default")],
        ),
        "timer": (
            [
                _call("a", f"{slow}/a?ms=5", method="PUT"),
                _node("w", "WaitForCallback", {"timeout": 300, "onTimeout": "continue"}),
                _call("b", f"{slow}/b?ms=5", method="PUT"),
            ],
            [_edge("a", "w"), _edge("w", "b")],
        ),
        "callback": (
            [
                _call("a", f"{url}/calls-back/a?ms=20", method="PUT"),
                _node("w", "WaitForCallback", {"timeout": 3_000, "onTimeout": "continue"}),
                _call("b", f"{slow}/b?ms=5", method="PUT"),
            ],
            [_edge("a", "w"), _edge("w", "b")],
        ),
    }


# --- starting, killing, checking ---


class Chaos:
    """One campaign."""

    def __init__(self, program: Program, server: FakeServer, *, runs: int, kills: int, seed: int) -> None:
        self._program = program
        self._server = server
        self._runs = runs
        self._kills = kills
        self._random = random.Random(seed)  # noqa: S311 - moments are drawn, not secrets
        self._recorded: dict[tuple[str, str], int] = {}
        self.report = Report()
        self.started: dict[str, str] = {}

    async def campaign(self) -> None:
        """Start runs and kill the program meanwhile; then let everything end and check it."""
        ids = {
            name: self._program.create(name, nodes, edges)
            for name, (nodes, edges) in graphs(self._server.url).items()
        }
        names = list(ids)
        waiting: asyncio.Queue[int] = asyncio.Queue()
        for number in range(self._runs):
            waiting.put_nowait(number)
        starters = [
            asyncio.create_task(self._start_all(waiting, ids, names, len(ids))) for _ in range(_STARTERS)
        ]
        for _ in range(self._kills):
            await asyncio.sleep(self._random.uniform(0.05, 0.6))
            await asyncio.to_thread(self._kill_and_restart)
        await asyncio.gather(*starters)
        await self._check(ids)

    async def _start_all(
        self, waiting: "asyncio.Queue[int]", ids: dict[str, str], names: list[str], kinds: int
    ) -> None:
        async with httpx.AsyncClient(base_url=self._program.url, timeout=5) as client:
            while not waiting.empty():
                number = waiting.get_nowait()
                name = names[number % kinds]
                # Spread over the whole campaign, so that every kill meets runs under way.
                await asyncio.sleep(self._random.uniform(0, 2 * self._kills * 0.33 * _STARTERS / self._runs))
                await self._start(client, ids[name], name, f"chaos-{number}")

    async def _start(self, client: httpx.AsyncClient, orchestrator: str, name: str, key: str) -> None:
        while True:
            try:
                answer = await client.post(
                    f"{_API}/{orchestrator}/run", json={"n": 1}, headers={"Idempotency-Key": key}
                )
            except httpx.HTTPError:
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                continue
            if answer.status_code in {200, 202}:
                self.started[answer.json()["id"]] = name
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _kill_and_restart(self) -> None:
        self._program.kill()
        self.report.kills += 1
        calls = self._calls()
        self.report.damaged += self._find_damage()
        with closing(sqlite3.connect(self._program.data_dir / "orchestrator.db")) as connection:
            ended = connection.execute(
                "SELECT run_id, node_id FROM node_run WHERE state = 'COMPLETED' AND attempt > 0"
            ).fetchall()
        for run_id, node_id in ended:
            self._recorded.setdefault((run_id, node_id), calls[run_id, node_id])
        self._program.start()

    def _calls(self) -> Counter[tuple[str, str]]:
        """How often each node of each run called the other side."""
        found: Counter[tuple[str, str]] = Counter()
        for request in list(self._server.journal):
            run_id, _, node_id = request.headers.get("x-correlation-id", "").partition(".")
            if node_id:
                found[run_id, node_id] += 1
        return found

    async def _check(self, ids: dict[str, str]) -> None:
        report = self.report
        deadline = time.monotonic() + STUCK_SECONDS
        left = set(self.started)
        async with httpx.AsyncClient(base_url=self._program.url, timeout=20) as client:
            while left and time.monotonic() < deadline:
                for run_id in sorted(left):
                    answer = await client.get(f"{_API}/runs/{run_id}")
                    if answer.status_code == HTTPStatus.NOT_FOUND:
                        report.lost.append(run_id)
                        left.discard(run_id)
                    elif answer.json()["status"] in ENDS:
                        left.discard(run_id)
                        self._check_run(answer.json())
                if left:
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        report.stuck += sorted(left)
        report.damaged += await asyncio.to_thread(self._find_damage)
        calls = self._calls()
        report.calls = sum(calls.values())
        for (run_id, node_id), count in self._recorded.items():
            if calls[run_id, node_id] > count:
                report.repeated.append(f"{run_id}.{node_id}")
        unsafe = {run_id for run_id, name in self.started.items() if name == "unsafe"}
        report.sent_twice += [
            f"{run_id}.{node_id}"
            for (run_id, node_id), count in calls.items()
            if run_id in unsafe and count > 1
        ]

    def _find_damage(self) -> list[str]:
        """What is wrong with the database at the end."""
        with closing(sqlite3.connect(self._program.data_dir / "orchestrator.db")) as connection:
            verdicts = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [verdict for verdict in verdicts if verdict != "ok"] + [f"orphan: {row}" for row in orphans]

    def _check_run(self, run: dict[str, Any]) -> None:
        self.report.states[run["status"]] += 1
        name = self.started[run["id"]]
        if run["status"] == "COMPLETED":
            return
        failure: dict[str, Any] = run.get("failure") or {}
        code = failure.get("code")
        if name == "unsafe" and code == "outcome_unknown":
            self.report.unclear += 1
        else:
            self.report.wrong.append(f"{name} {run['id']}: {run['status']} {code}")


def main() -> int:
    """Run a campaign, print its report, and give 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description="Kill the program again and again while it works."
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="repeats the moments of an earlier campaign")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    with TemporaryDirectory(prefix="orchestrator-chaos-") as folder, FakeServer() as server:
        program = Program(Path(folder), ORCHESTRATOR_DEMO="false", ORCHESTRATOR_DATABASE_URL="")
        with program:
            chaos = Chaos(program, server, runs=options.runs, kills=options.kills, seed=seed)
            asyncio.run(chaos.campaign())
    print(*chaos.report.lines(), sep="\n")
    return 0 if chaos.report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
