"""A long history: how soon a page of it is read among very many runs, for each way to look for some of them."""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from bench.connection import Connection, get
from bench.figures import Figure
from bench.load import Effort, percentile
from bench.processes import new_program
from tests.processes import Program

RUNS = 1_000_000
QUICK_RUNS = 50_000
ORCHESTRATORS = 400
PAGES = 30
PAGE = 50
_BEGIN_MS = 1_700_000_000_000
_APART_MS = 20_000
# Most runs have ended well, few have failed, and hardly any are open.
_STATES = ("COMPLETED",) * 950 + ("FAILED",) * 45 + ("CANCELLED",) * 4 + ("WAITING",)
_ORCHESTRATOR = (
    "INSERT INTO orchestrator (id, workspace_id, name, description, version, version_id, node_count, created_date,"
    " updated_date) VALUES (?, 'default', ?, '', 1, ?, 0, ?, ?)"
)
_VERSION = "INSERT INTO orchestrator_version (id, orchestrator_id, version, definition, created_date) VALUES (?, ?, 1, ?, ?)"
_RUN = (
    "INSERT INTO orchestrator_run (id, workspace_id, orchestrator_id, orchestrator_name, version_id, version, state,"
    ' "trigger", epoch, wake, seq, owner, input_digest, created_date, started_date, ended_date)'
    " VALUES (?, 'default', ?, ?, ?, 1, ?, 'api', 1, 0, 3, '', '', ?, ?, ?)"
)


def list1m(effort: Effort) -> Iterator[Figure]:
    """A million runs of four hundred orchestrators, written straight into the database; then pages of them over REST."""
    runs = RUNS if effort.rounds > 1 else QUICK_RUNS
    with TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        running = new_program(Path(folder))
        with running:
            pass  # makes the tables
        begin = time.perf_counter()
        _fill(running.data_dir / "orchestrator.db", runs)
        made = f"{runs:,} runs of {ORCHESTRATORS} orchestrators, made in {time.perf_counter() - begin:.0f} s"
        with running:
            found = {what: asyncio.run(_times(running, query)) for what, query in _queries(runs).items()}
    for what, times in found.items():
        for name, share in (("median", 0.5), ("p95", 0.95)):
            yield Figure("list1m", f"{what}: {name}", "ms", [percentile(times, share)], besides=made)
            made = ""


def _queries(runs: int) -> dict[str, str]:
    """What is looked for, and the address that asks for it."""
    since, until = (_time(_BEGIN_MS + share * runs // 100 * _APART_MS) for share in (10, 15))
    return {
        f"newest runs, {PAGES} pages": "",
        f"one state in 20, {PAGES} pages": "status=FAILED",
        f"one state in 1,000, {PAGES} pages": "status=WAITING",
        f"two states, {PAGES} pages": "status=FAILED,WAITING",
        f"one orchestrator, {PAGES} pages": f"orchestratorId={_id(0, 7)}",
        f"one orchestrator and state, {PAGES} pages": f"orchestratorId={_id(0, 7)}&status=FAILED",
        f"a text that many names have, {PAGES} pages": f"q={quote('night')}",
        f"a text that one name has, {PAGES} pages": f"q={quote('Import 399')}",
        "a text that no name has": f"q={quote('no such name')}",
        f"a time long ago, {PAGES} pages": f"from={since}&to={until}",
    }


async def _times(running: Program, query: str) -> list[float]:
    """How long each page took, from the first to the last or the thirtieth, in milliseconds."""
    address = f"{running.url}/api/v1/orchestrator/runs?limit={PAGE}&{query}"
    connection = await Connection.open(running.url)
    times: list[float] = []
    cursor = ""
    while len(times) < PAGES:
        request = get(f"{address}&cursor={cursor}" if cursor else address)
        begin = time.perf_counter()
        status, answer = await connection.send(request)
        times.append((time.perf_counter() - begin) * 1000)
        if status != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"{query}: {status} {answer[:2000].decode()}")
        # Whoever has seen the last page begins anew.
        cursor = json.loads(answer)["nextCursor"] or ""
    connection.close()
    return times


def _fill(file: Path, runs: int) -> None:
    """Write the history in one go."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        connection.execute("BEGIN")
        names = [_name(number) for number in range(ORCHESTRATORS)]
        for number, name in enumerate(names):
            ids = (_id(0, number), name, _id(1, number), _BEGIN_MS, _BEGIN_MS)
            connection.execute(_ORCHESTRATOR, ids)
            connection.execute(_VERSION, (_id(1, number), _id(0, number), "{}", _BEGIN_MS))
        connection.executemany(_RUN, _rows(runs, names))
        connection.execute("COMMIT")


def _rows(runs: int, names: list[str]) -> Iterator[tuple[str | int | None, ...]]:
    chance = random.Random(7)  # noqa: S311 - the same history each time, no secret
    for number in range(runs):
        orchestrator = chance.randrange(ORCHESTRATORS)
        state = chance.choice(_STATES)
        at = _BEGIN_MS + number * _APART_MS
        ended = None if state == "WAITING" else at + 1_000
        ids = (_id(2, number, at), _id(0, orchestrator), names[orchestrator], _id(1, orchestrator))
        yield (*ids, state, at, at, ended)


def _name(number: int) -> str:
    return f"{('Nightly', 'Import', 'Report', 'Letters')[number % 4]} {number}"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _id(kind: int, number: int, at: int = _BEGIN_MS) -> str:
    """An id as the program makes them, which sorts by its time."""
    return f"{at >> 16:08x}-{at & 0xFFFF:04x}-7{kind:03x}-8000-{number:012x}"
