import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import httpx
import pytest

from orchestrator_app import __main__ as launcher
from orchestrator_app import server
from orchestrator_app.config import Settings
from orchestrator_app.frontend import PROJECT_ROOT, Frontend

# The launcher is tried on a small program of the same shape, so that these tests need no built pages.
LAUNCHER_MODULES = ("__init__", "__main__", "config", "errors", "frontend", "logs", "server")
PROGRAM = """
import contextlib, gc, os
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from orchestrator_app.errors import ConfigurationError
from orchestrator_app.greeting import GREETING

async def hello(request):
    reflex = {name: value for name, value in os.environ.items() if "REFLEX_" in name}
    return JSONResponse({"greeting": GREETING, "folder": os.getcwd(), "reflex": reflex,
                         "collects": gc.isenabled(), "frozen": gc.get_freeze_count()})

@contextlib.asynccontextmanager
async def lifespan(app):
    if os.environ.get("REFUSE"):
        raise ConfigurationError(["The key does not fit.", "The database is newer than the program."])
    yield
    print("stopped", flush=True)

def front():
    return Starlette(routes=[Route("/", hello)], lifespan=lifespan)
"""
BUILD = """
from pathlib import Path
client = Path(".web/build/client")
client.mkdir(parents=True, exist_ok=True)
(client / "index.html").write_text("page")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    package = folder / "orchestrator_app"
    package.mkdir(parents=True)
    for name in LAUNCHER_MODULES:
        shutil.copy(PROJECT_ROOT / "orchestrator_app" / f"{name}.py", package)
    (package / "orchestrator_app.py").write_text(PROGRAM)
    (package / "greeting.py").write_text('GREETING = "hello"')
    stand_in(folder).build_if_needed()
    return folder


def stand_in(folder: Path) -> Frontend:
    """The pages of the small program, which are built without Reflex."""
    return Frontend(folder, command=[sys.executable, "-c", BUILD])


def free_port() -> int:
    with closing(server.listen("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Launched:
    def __init__(self, project: Path, command: str, **environment: str) -> None:
        self.port = int(environment.setdefault("ORCHESTRATOR_PORT", str(free_port())))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator_app", command],
            cwd=project,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with self.process:
            for line in self.process.stdout or ():
                self._lines.put(line.rstrip())

    def wait_for(self, beginning: str) -> str:
        while not (line := self._lines.get(timeout=20)).startswith(beginning):
            pass
        return line

    def get(self) -> dict[str, Any]:
        return httpx.get(f"http://127.0.0.1:{self.port}/").json()

    def end(self) -> tuple[int, list[str]]:
        """Wait until it has ended by itself; its exit status, and what it said that nobody waited for."""
        self._reader.join(20)
        lines: list[str] = []
        while not self._lines.empty():
            lines.append(self._lines.get())
        return self.process.wait(20), lines


@contextmanager
def launched(project: Path, command: str = "serve", **environment: str) -> Generator[Launched]:
    program = Launched(project, command, **environment)
    try:
        yield program
        program.process.terminate()
        program.end()
    finally:
        program.process.kill()
        program.end()


def test_the_program_is_served_until_it_is_asked_to_stop(project: Path):
    with launched(project) as program:
        ready = program.wait_for("Orchestrator runs on")
        assert f"http://127.0.0.1:{program.port} " in ready
        assert program.get()["greeting"] == "hello"
        program.process.send_signal(signal.SIGTERM)
        assert program.end() == (0, ["stopped"])


def test_what_the_start_made_is_never_searched_for_garbage(project: Path):
    with launched(project) as program:
        program.wait_for("Orchestrator runs on")
        said = program.get()
    assert said["collects"]
    assert said["frozen"] > 10_000


def test_the_data_folder_is_made_for_the_owner_alone(project: Path):
    with launched(project, ORCHESTRATOR_DATA_DIR="new/data") as program:
        program.wait_for("Orchestrator runs on")
        assert (project / "new/data").stat().st_mode & 0o777 == 0o700


def test_reflex_is_told_by_the_settings_alone(project: Path):
    with launched(
        project,
        REFLEX_CORS_ALLOWED_ORIGINS="*",
        REFLEX_REDIS_URL="redis://x",
        ORCHESTRATOR_PUBLIC_URL="https://f.example",
    ) as program:
        program.wait_for("Orchestrator runs on")
        reflex = program.get()["reflex"]
    origins = reflex["REFLEX_CORS_ALLOWED_ORIGINS"].split(",")
    assert {
        f"http://127.0.0.1:{program.port}",
        f"http://localhost:{program.port}",
        "https://f.example",
    } == set(origins)
    assert "REFLEX_REDIS_URL" not in reflex
    assert reflex["REFLEX_DIR"] == str(project / "data/reflex")


def test_with_redis_the_state_of_pages_is_kept_there(project: Path):
    with launched(project, ORCHESTRATOR_REDIS_URL="redis://127.0.0.1:9/3") as program:
        program.wait_for("Orchestrator runs on")
        reflex = program.get()["reflex"]
    assert (reflex["REFLEX_STATE_MANAGER_MODE"], reflex["REFLEX_REDIS_URL"]) == (
        "redis",
        "redis://127.0.0.1:9/3",
    )


def test_two_instances_run_side_by_side(project: Path):
    with (
        launched(project, ORCHESTRATOR_DATA_DIR="one") as one,
        launched(project, ORCHESTRATOR_DATA_DIR="two") as two,
    ):
        for program in (one, two):
            program.wait_for("Orchestrator runs on")
        assert one.get()["reflex"]["REFLEX_DIR"] != two.get()["reflex"]["REFLEX_DIR"]


def test_a_taken_port_is_told_in_one_sentence(project: Path):
    with closing(server.listen("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with launched(project, ORCHESTRATOR_PORT=str(port)) as program:
            status, lines = program.end()
    assert status == 1
    assert len(lines) == 1
    assert f"Port {port} of 127.0.0.1 is taken" in lines[0]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ORCHESTRATOR_PORT": "99999"}, "ORCHESTRATOR_PORT"),
        ({"ORCHESTRATOR_DATABASE_URL": "mysql://x"}, "ORCHESTRATOR_DATABASE_URL must start with"),
        ({"ORCHESTRATOR_REDIS_URL": "memcached://x"}, "ORCHESTRATOR_REDIS_URL must start with"),
        (
            {"ORCHESTRATOR_DATA_DIR": "/dev/null/data"},
            "ORCHESTRATOR_DATA_DIR: the folder /dev/null/data cannot be made",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    project: Path, environment: dict[str, str], sentence: str
):
    with launched(project, **environment) as program:
        status, lines = program.end()
    assert status == 78
    assert len(lines) == 1
    assert lines[0].startswith(sentence)


def test_what_the_program_finds_wrong_at_its_start_is_told_as_sentences(project: Path):
    with launched(project, REFUSE="yes") as program:
        assert program.end() == (78, ["The key does not fit.", "The database is newer than the program."])


def test_pages_that_do_not_fit_their_sources_are_not_served(project: Path):
    (project / "rxconfig.py").write_text("changed")
    with launched(project) as program:
        status, lines = program.end()
    assert status == 1
    assert lines == ["The pages are not built, or were built from other sources. `make run` builds them."]


def test_development_starts_anew_when_a_source_changes(project: Path):
    with launched(project, "dev") as program:
        program.wait_for("Orchestrator runs on")
        (project / "orchestrator_app/greeting.py").write_text('GREETING = "good morning"')
        program.wait_for("A source has changed.")
        program.wait_for("Orchestrator runs on")
        assert program.get()["greeting"] == "good morning"
        program.process.send_signal(signal.SIGTERM)
        assert program.end() == (130, ["stopped"])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", program.port))


def test_building_says_what_takes_so_long(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    shutil.rmtree(project / ".web")
    monkeypatch.setattr(launcher, "Frontend", lambda: stand_in(project))
    monkeypatch.chdir(project)
    assert launcher.main(["build"]) == 0
    assert capsys.readouterr().out == "Building the pages …\n"
    assert launcher.main(["build"]) == 0
    assert capsys.readouterr().out == ""


def test_an_interrupted_command_ends_quietly(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def interrupted() -> Frontend:
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "Frontend", interrupted)
    monkeypatch.chdir(project)
    assert launcher.main(["build"]) == 130
    assert capsys.readouterr() == ("", "")


def test_the_settings_of_the_person_who_runs_the_tests_do_not_matter():
    assert Settings().port == 8000
