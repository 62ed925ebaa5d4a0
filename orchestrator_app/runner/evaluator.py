"""Evaluates JSONata in worker processes, which are killed when an expression takes too much time or memory."""

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, cast

from orchestrator_app.domain.expressions import MISSING, Missing
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import ExpressionError, Unavailable

START_SECONDS = 30.0
_WORKER_FILE = Path(__file__).with_name("jsonata_worker.py")
_LENGTH_BYTES = 4
_READY = b'["ready"]'
_BYTES_PER_SECOND = 10_000_000
_SPARE_PROCESSOR_SECONDS = 5
# So much later than it should a time limit ends things only when this process stood still, and not the other one.
_HELD_SECONDS = 1.0
_SHOWN_LENGTH = 80
_SPLIT_HINT = "Let it look at less data, or split it over several Data mappers."


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may take.

    Attributes:
        seconds: Time, to which is added what reading the document takes.
        memory_megabytes: Memory for the data of a worker, where the system can bound it (Linux).
        result_bytes: Size of a result as JSON.
    """

    seconds: float = 1.0
    memory_megabytes: int = 256
    result_bytes: int = 16 * 2**20


class Evaluator:
    """A pool of workers, each of which serves one caller at a time, in the order in which they came.

    Processes start when they are first needed. No answer can reach the wrong caller: a worker whose caller was
    cancelled, or which did not answer in time, is killed, and another process takes its place.
    """

    def __init__(self, *, workers: int = 2, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._workers = [_Worker(self._limits) for _ in range(workers)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._is_open = False

    async def start(self) -> None:
        """Take work from now on."""
        self._is_open = True

    async def warm(self) -> None:
        """Start the processes now, so that the first evaluations need not wait for that.

        Raises:
            Unavailable: They cannot be started.
        """
        for _ in self._workers:
            async with self._lent_worker():
                pass

    async def stop(self) -> None:
        """Take no more work, end what is under way and end all processes."""
        self._is_open = False
        for worker in self._workers:
            worker.kill()  # whoever waits for its answer gives it back at once
        returned = [await self._idle.get() for _ in self._workers]
        for worker in returned:
            worker.discard()
            self._idle.put_nowait(worker)
        await asyncio.gather(*(worker.ended() for worker in self._workers))

    async def evaluate(self, sources: Sequence[str], document: JsonObject) -> list[JsonValue | Missing]:
        """Evaluate expressions over a document; ``MISSING`` stands for an expression that finds nothing.

        Raises:
            ExpressionError: One did not work; ``context["index"]`` tells which. The others' values are lost.
            Unavailable: The evaluator is stopped, or cannot start its processes.
        """
        if not sources:
            return []
        request = _request(sources, document)
        while True:
            with contextlib.suppress(_HeldError):
                return await self._evaluate(sources, request)

    async def _evaluate(self, sources: Sequence[str], request: bytes) -> list[JsonValue | Missing]:
        async with self._lent_worker() as worker:
            try:
                return await worker.evaluate(sources, request)
            except _WorkerEndedError as error:
                self._check_open()
                raise _failed(
                    sources,
                    error.index,
                    f"needed more than {self._limits.memory_megabytes} MB, or is nested too deeply.",
                    _SPLIT_HINT,
                ) from error

    @contextlib.asynccontextmanager
    async def _lent_worker(self) -> AsyncGenerator["_Worker", None]:
        worker = await self._idle.get()
        try:
            self._check_open()
            try:
                await worker.ready()
            finally:
                self._check_open()  # it may have been closed meanwhile, which is also why a start may have failed
            yield worker
        finally:
            self._idle.put_nowait(worker)

    def _check_open(self) -> None:
        if not self._is_open:
            raise Unavailable("No expressions are evaluated now: the program is stopping.")


class _WorkerEndedError(Exception):
    """The process ended by itself while it evaluated an expression."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class _HeldError(Exception):
    """A time limit has passed only because this very process stood still: nothing is known about the other one."""


@contextlib.asynccontextmanager
async def _time_limit(seconds: float) -> AsyncGenerator[None]:
    """As ``asyncio.timeout``, but it tells a process that stood still from one that is waited for too long.

    Raises:
        TimeoutError: The time has passed.
        _HeldError: It has passed, and this process did not notice for a while.
    """
    began = monotonic()
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        if monotonic() - began > seconds + _HELD_SECONDS:
            raise _HeldError from error
        raise


class _Worker:
    """One place in the pool, with a process or without."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: Process | None = None
        self._endings: set[asyncio.Task[Any]] = set()

    async def ready(self) -> Process:
        """The process, waiting for a request; a new one if there is none or it has died.

        Raises:
            Unavailable: It cannot be started.
        """
        if self._process is not None and self._process.returncode is None:
            return self._process
        self.discard()
        is_ready = False
        try:
            process = self._process = await self._started()
            async with _time_limit(START_SECONDS):
                is_ready = await _read(process) == _READY
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise Unavailable(
                "The process that evaluates expressions cannot be started.",
                hint="See whether the machine is out of memory or processes.",
            ) from error
        finally:
            if not is_ready:
                self.discard()
        return process

    async def evaluate(self, sources: Sequence[str], request: bytes) -> list[JsonValue | Missing]:
        """Send a request and read its answers. Afterwards the process is idle, or on its way out."""
        process = await self.ready()
        seconds = self._limits.seconds + len(request) / _BYTES_PER_SECOND
        values: list[JsonValue | Missing] = []
        is_idle = False
        try:
            cast("asyncio.StreamWriter", process.stdin).write(request)
            for index in range(len(sources)):
                async with _time_limit(seconds):
                    kind, *content = json.loads(await _read(process))
                if kind == "memory":
                    message = f"needed more than {self._limits.memory_megabytes} MB."
                    raise _failed(sources, index, message, _SPLIT_HINT)
                if kind == "error":
                    is_idle = True
                    raise _failed(sources, index, f"did not work. {content[0]}")
                values.append(content[0] if content else MISSING)
            is_idle = True
        except TimeoutError as error:
            message = f"took longer than {self._limits.seconds:g} s."
            raise _failed(sources, len(values), message, _SPLIT_HINT) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise _WorkerEndedError(len(values)) from error
        finally:
            if not is_idle:
                self.discard()
        return values

    def kill(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            # Not by the process object's own method: that looks for the exit status first, and takes it away from
            # those who wait for it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def discard(self) -> None:
        """Kill the process, if there is one, and clear it away; nobody may be reading from it any more."""
        self.kill()
        process, self._process = self._process, None
        if process is not None:
            ending = asyncio.create_task(process.communicate(), name="end of an expression worker")
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def ended(self) -> None:
        """Wait until no discarded process is left."""
        await asyncio.gather(*self._endings)

    async def _started(self) -> Process:
        limits = self._limits
        arguments = (
            limits.memory_megabytes,
            limits.result_bytes,
            math.ceil(limits.seconds) + _SPARE_PROCESSOR_SECONDS,
        )
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WORKER_FILE),
            *map(str, arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # a signal to the program in a terminal is not for its workers
        )


async def _read(process: Process) -> bytes:
    stdout = cast("asyncio.StreamReader", process.stdout)
    length = await stdout.readexactly(_LENGTH_BYTES)
    return await stdout.readexactly(int.from_bytes(length, "big"))


def _environment() -> dict[str, str]:
    """Nothing that the program was told, least of all its keys; only what an interpreter may need to start."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return {"LC_ALL": "C.UTF-8", **kept}


def _request(sources: Sequence[str], document: JsonObject) -> bytes:
    try:
        text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ExpressionError(
            "The data that the expressions look at is not JSON.", context={"index": 0}
        ) from error
    content = f"{json.dumps(list(sources))}\n{text}".encode()
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


def _failed(sources: Sequence[str], index: int, message: str, hint: str = "") -> ExpressionError:
    source = " ".join(sources[index].split())
    shown = f"{source[: _SHOWN_LENGTH - 1]}…" if len(source) > _SHOWN_LENGTH else source
    return ExpressionError(f"{shown} {message}", hint=hint, context={"index": index})
