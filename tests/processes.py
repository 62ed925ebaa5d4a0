"""The whole program as a process of its own, as a user runs it: started, asked, stopped and killed by tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 90.0
STOP_SECONDS = 40.0


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def surroundings(**settings: str) -> dict[str, str]:
    """The environment of a program: that of the tests, and its settings.

    Its lines are not counted for the coverage, which would slow it; they are where tests call them themselves.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return own | settings


class Program:
    """One instance with a data folder of its own; it may be started again after a stop or a kill."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = settings
        self.log = data_dir / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes work."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        environment = surroundings(ORCHESTRATOR_PORT=str(self.port), ORCHESTRATOR_DATA_DIR=str(self.data_dir))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator_app", "serve"],
                cwd=ROOT,
                env=environment | self.settings,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()  # nobody else would
                raise AssertionError(f"The program did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop it as an administrator would; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    # --- its REST API ---

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """The JSON answer of the API; an error status raises with the problem in its text."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v1/orchestrator{path}",
            data=content,
            method=method,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=70) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error
        return json.loads(text) if text else None

    def create(self, name: str, nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> str:
        """Create an orchestrator and return its id."""
        definition = {"version": 1, "nodes": nodes, "edges": edges}
        return str(self.ask("POST", "", {"name": name, "definition": definition})["id"])

    def finished(self, run_id: str, seconds: float = 30.0) -> dict[str, Any]:
        """The run once it has ended."""
        deadline = time.monotonic() + seconds
        while True:
            run: dict[str, Any] = self.ask("GET", f"/runs/{run_id}")
            if run["status"] in {"COMPLETED", "FAILED", "CANCELLED"}:
                return run
            if time.monotonic() > deadline:
                raise AssertionError(f"The run has not ended: {json.dumps(run, indent=1)[:4000]}")
            time.sleep(0.05)
