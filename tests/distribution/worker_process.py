"""A worker as a process of its own, as a user runs it: started, stopped, held and killed by tests."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.processes import ROOT, STOP_SECONDS, surroundings


class WorkerProcess:
    """``python -m orchestrator_app worker`` on a database that others use too."""

    def __init__(self, data_dir: Path, database_url: str, **settings: str) -> None:
        own = surroundings(ORCHESTRATOR_DATA_DIR=str(data_dir), ORCHESTRATOR_DATABASE_URL=database_url)
        self._environment = own | settings
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self.close()

    def start(self) -> None:
        """Start it and wait until it takes runs."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator_app", "worker"],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("A worker takes runs"):
            self.kill()  # nobody else would
            raise AssertionError(f"The worker did not start: {line}")

    @property
    def process(self) -> subprocess.Popen[str]:
        """The running process."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Read no more of what it says, once it has ended."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def hold(self) -> None:
        """Let it do nothing, as a machine that is asleep."""
        self.process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on as if nothing had been."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Stop it as an administrator would; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)
