"""A Redis server of a test's own, which it may stop and start again."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.processes import free_port

READY_SECONDS = 10.0


def redis_program() -> str | None:
    """Where the server's program is, or None."""
    return shutil.which("redis-server")


class RedisServer:
    """Keeps everything in memory, and forgets it when it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        program = redis_program()
        assert program is not None
        self._process = subprocess.Popen(
            [
                program,
                "--port",
                str(self.port),
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                str(self._folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it; what it knew is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
