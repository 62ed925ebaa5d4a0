"""Kills and holds processes that share the work on one PostgreSQL database, and checks that every promise was kept.

    python -m bench.chaos_workers --postgres postgresql://… --workers 3 --runs 1000 --blows 100 --seed 7

The server must allow new databases to be made; the campaign uses one of its own. One process serves; at each blow it or
a worker, drawn at random, is killed and started again, or a worker is held for a while (SIGSTOP, SIGCONT). What is run
and what is checked are those of ``bench.chaos``; ``damaged`` is what ``bench.integrity`` finds at the end, after all
that were held have woken and had time to do harm.
"""

import argparse
import asyncio
import random
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bench.chaos import Chaos
from bench.integrity import damages
from tests.distribution.worker_process import WorkerProcess
from tests.fakes.server import FakeServer
from tests.processes import Program

# Out of ten blows: two kill what serves, four kill a worker, four hold one.
_KILL_WHAT_SERVES, _KILL_A_WORKER = 0.2, 0.6
# So long after the last one woke, calls that it should not have made have arrived.
_SETTLE_SECONDS = 10.0


class WorkersChaos(Chaos):
    """A campaign against several processes."""

    def __init__(
        self,
        program: Program,
        server: FakeServer,
        workers: list[WorkerProcess],
        *,
        runs: int,
        blows: int,
        seed: int,
        hold_seconds: float,
    ) -> None:
        super().__init__(program, server, runs=runs, kills=blows, seed=seed)
        self._workers = workers
        self._hold_seconds = hold_seconds
        self._held: set[int] = set()
        self._sleeping: list[threading.Timer] = []
        self.holds = 0

    def _kill_and_restart(self) -> None:
        self.report.kills += 1
        draw = self._random.random()
        awake = [number for number in range(len(self._workers)) if number not in self._held]
        number = self._random.choice(awake)
        worker = self._workers[number]
        if draw < _KILL_WHAT_SERVES:
            self._program.kill()
            self._note_recorded()
            self._program.start()
        elif draw < _KILL_A_WORKER or len(awake) == 1:
            worker.kill()
            self._note_recorded()
            worker.close()
            worker.start()
        else:
            self.holds += 1
            worker.hold()
            self._note_recorded()
            self._held.add(number)
            timer = threading.Timer(self._hold_seconds, self._release, [number])
            timer.start()
            self._sleeping.append(timer)

    def _release(self, number: int) -> None:
        self._workers[number].release()
        self._held.discard(number)

    def _note_recorded(self) -> None:
        """How often the calls had arrived whose results are on disk now."""
        with psycopg.connect(self._program.settings["ORCHESTRATOR_DATABASE_URL"]) as connection:
            ended = connection.execute(
                "SELECT run_id, node_id FROM node_run WHERE state = 'COMPLETED' AND attempt > 0"
            ).fetchall()
        # Counted afterwards: what goes on meanwhile may be a repetition before the result was recorded.
        calls = self._calls()
        for run_id, node_id in ended:
            self._recorded.setdefault((run_id, node_id), calls[run_id, node_id])

    def _find_damage(self) -> list[str]:
        """Asked at the end, when nobody is held any more: who was asleep may have gone on with what it had begun."""
        for timer in self._sleeping:
            timer.join()
        time.sleep(_SETTLE_SECONDS)
        return damages(self._program.settings["ORCHESTRATOR_DATABASE_URL"])


def main() -> int:
    """Run a campaign, print its report, and give 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos_workers",
        description="Kill and hold workers again and again while they work.",
    )
    parser.add_argument("--postgres", required=True, help="URL of a server on which a database may be made")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--blows", type=int, default=100)
    parser.add_argument("--hold-seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="repeats the draws of an earlier campaign")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    database = f"orchestrator_chaos_{uuid4().hex[:8]}"
    name = sql.Identifier(database)
    with psycopg.connect(options.postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    url = make_url(options.postgres).set(database=database).render_as_string(hide_password=False)
    try:
        chaos = _campaign(url, options, seed)
    finally:
        with psycopg.connect(options.postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    print(*chaos.report.lines(), f"holds among the kills: {chaos.holds}", sep="\n")
    return 0 if chaos.report.is_clean else 1


def _campaign(url: str, options: argparse.Namespace, seed: int) -> WorkersChaos:
    with (
        TemporaryDirectory(prefix="orchestrator-chaos-") as folder,
        FakeServer() as server,
        ExitStack() as stack,
    ):
        settings = {"ORCHESTRATOR_DATABASE_URL": url, "ORCHESTRATOR_WORKERS": "external"}
        program = stack.enter_context(Program(Path(folder), ORCHESTRATOR_DEMO="false", **settings))
        workers = [
            stack.enter_context(WorkerProcess(Path(folder), url, ORCHESTRATOR_PORT=str(program.port)))
            for _ in range(options.workers)
        ]
        chaos = WorkersChaos(
            program,
            server,
            workers,
            runs=options.runs,
            blows=options.blows,
            seed=seed,
            hold_seconds=options.hold_seconds,
        )
        asyncio.run(chaos.campaign())
        return chaos


if __name__ == "__main__":
    sys.exit(main())
