"""The built pages: whether they are up to date with their sources, and how they are built.

It knows nothing of Reflex but its command line, so that the question is answered without importing it.
"""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from orchestrator_app.errors import Unavailable

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# Whatever the pages are made of: components and states, and the catalogs and views that they show.
_SOURCES = (
    "orchestrator_app/ui",
    "orchestrator_app/services",
    "orchestrator_app/domain",
    "orchestrator_app/orchestrator_app.py",
    "assets",
    "rxconfig.py",
    "reflex.lock",
    "requirements/run.txt",
)
_WRITTEN_BY_THE_BUILD = "reflex.lock"
_NOT_SOURCES = frozenset({"__pycache__", "external"})  # Reflex links shared assets into assets/external
_EXPORT_COMMAND = (sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip")
_SHOWN_LOG_LINES = 30
_STOP_SECONDS = 5.0


class Frontend:
    """The pages of one checkout."""

    def __init__(self, root: Path = PROJECT_ROOT, *, command: Sequence[str] = _EXPORT_COMMAND) -> None:
        self._root = root
        self._command = tuple(command)
        self._build_dir = root / ".web" / "build"
        self._stamp = self._build_dir / "sources.sha256"
        self._cache = root / ".cache"
        self._log = self._cache / "frontend-build.log"

    def is_built(self) -> bool:
        """Whether there are pages, made from whatever sources."""
        return self._stamp.is_file()

    def is_current(self) -> bool:
        """Whether the pages were made from the sources as they are now."""
        return self.is_built() and self._stamp.read_text(encoding="utf-8") == _digest(self._sources())

    def build_if_needed(self) -> bool:
        """Build the pages unless they are up to date; a second caller waits for the first.

        Returns:
            Whether anything was built.

        Raises:
            Unavailable: The build failed.
        """
        with self._one_at_a_time():
            if self.is_current():
                return False
            before = self._sources()
            self._build()
            self._tidy_lock()
            if not (self._build_dir / "client" / "index.html").is_file():
                raise Unavailable("The build left no pages behind.", hint=f"Its log is {self._log}.")
            after = self._sources()
            # The build may complete its own lock file. Any other change came while it ran: the stamp then does
            # not fit the sources, and the next start builds again.
            edited = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            completed_lock_only = all(name.startswith(_WRITTEN_BY_THE_BUILD) for name in edited)
            self._stamp.write_text(_digest(after if completed_lock_only else before), encoding="utf-8")
            return True

    def _sources(self) -> dict[str, str]:
        """The hash of each source file, by its path."""
        files: list[Path] = []
        for name in _SOURCES:
            path = self._root / name
            files += [path] if path.is_file() else path.rglob("*")
        return {
            str(name): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
            if file.is_file() and not _NOT_SOURCES.intersection((name := file.relative_to(self._root)).parts)
        }

    def _tidy_lock(self) -> None:
        """Give the lock the same form after every build; Reflex and Bun write it on one line and on many."""
        packages = self._root / _WRITTEN_BY_THE_BUILD / "package.json"
        if packages.is_file():
            tidy = json.dumps(json.loads(packages.read_text(encoding="utf-8")), indent=2, sort_keys=True)
            packages.write_text(f"{tidy}\n", encoding="utf-8")

    @contextmanager
    def _one_at_a_time(self) -> Generator[None]:
        self._cache.mkdir(exist_ok=True)
        with (self._cache / "frontend-build.lock").open("wb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _build(self) -> None:
        environment = {
            **os.environ,
            "REFLEX_DIR": str(self._cache / "reflex"),
            "REFLEX_CHECK_LATEST_VERSION": "false",
            "REFLEX_TELEMETRY_ENABLED": "false",
        }
        with self._log.open("wb") as log, _terminating_cleanly():
            process = subprocess.Popen(  # noqa: S603 - the command is written in this file
                self._command,
                cwd=self._root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the build starts processes of its own, which must end with it
            )
            try:
                status = process.wait()
            finally:
                _end_group(process)
        if status:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise Unavailable(
                "\n".join([*lines[-_SHOWN_LOG_LINES:], "The pages could not be built; see above."]),
                hint=f"The whole log is {self._log}.",
            )


def _digest(sources: dict[str, str]) -> str:
    lines = "\n".join(f"{name} {digest}" for name, digest in sorted(sources.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


@contextmanager
def _terminating_cleanly() -> Generator[None]:
    """Turn a request to terminate into an exception, so that the build's processes are ended too."""

    def leave(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the build when it was interrupted."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
