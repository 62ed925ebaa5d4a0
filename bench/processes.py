"""The processes that take part: the program, the echo server, the plain caller; and what the system says of them."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.load import CpuClock
from bench.plain_calls import PlainCalls
from tests.processes import ROOT, Program

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # of /proc/<pid>/stat, counted from behind the name


@contextmanager
def program(**settings: str) -> Generator[Program]:
    """The whole program, started as `make run` starts it, on SQLite in an empty data folder."""
    with (
        TemporaryDirectory(prefix="orchestrator-bench-") as folder,
        new_program(Path(folder), **settings) as running,
    ):
        yield running


def new_program(data_dir: Path, **settings: str) -> Program:
    """The program before its start; it does not use the database of the user's own instance."""
    return Program(data_dir, ORCHESTRATOR_DEMO="false", ORCHESTRATOR_DATABASE_URL="", **settings)


@contextmanager
def echo_server() -> Generator[str]:
    """The address of a running echo server."""
    with _side_process("bench.echo") as process:
        if process.stdout is None:
            raise RuntimeError("The echo server must be started with pipes.")
        yield process.stdout.readline().strip()


@contextmanager
def plain_caller() -> Generator[PlainCalls]:
    """A process that makes plain calls."""
    with _side_process("bench.plain_calls") as process:
        yield PlainCalls(process)


@contextmanager
def _side_process(module: str) -> Generator[subprocess.Popen[str]]:
    """A process that ends with its standard input, and so however the benchmark ends."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(  # noqa: S603 - the command is written in this file
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def cpu_clock(process_id: int) -> CpuClock:
    """Reads the CPU time of a process and of those that it started."""
    return lambda: sum(_cpu_seconds(process) for process in (process_id, *children(process_id)))


def children(process_id: int) -> list[int]:
    """The processes that it started itself."""
    lists = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(child) for file in lists for child in file.read_text().split()]


def memory_mb(process_id: int) -> float:
    """Resident memory of the process alone."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _CLOCK_TICKS
