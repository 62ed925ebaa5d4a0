import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.frontend import PROJECT_ROOT, Frontend

BUILD = """
from pathlib import Path
with Path("builds.txt").open("a") as builds:
    builds.write("built\\n")
client = Path(".web/build/client")
client.mkdir(parents=True, exist_ok=True)
(client / "index.html").write_text("page")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (
        "orchestrator_app/ui",
        "orchestrator_app/domain",
        "assets/external",
        "reflex.lock",
        "requirements",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "orchestrator_app/ui/page.py").write_text("page = 1")
    (tmp_path / "rxconfig.py").write_text("config = 1")
    (tmp_path / "reflex.lock/bun.lock").write_text("{}")
    (tmp_path / "requirements/run.txt").write_text("reflex==0.10.1")
    return tmp_path


def frontend(project: Path, build: str = BUILD) -> Frontend:
    return Frontend(project, command=[sys.executable, "-c", build])


def number_of_builds(project: Path) -> int:
    return len((project / "builds.txt").read_text().splitlines())


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.01)
    return path.read_text()


def test_pages_are_built_once_and_then_left_alone(project: Path):
    pages = frontend(project)
    assert not pages.is_current()
    assert pages.build_if_needed()
    assert pages.is_current()
    assert not pages.build_if_needed()
    assert number_of_builds(project) == 1


@pytest.mark.parametrize(
    "name",
    [
        "orchestrator_app/ui/page.py",
        "orchestrator_app/ui/canvas/canvas.jsx",
        "orchestrator_app/orchestrator_app.py",
        "assets/favicon.ico",
        "rxconfig.py",
        "reflex.lock/bun.lock",
        "requirements/run.txt",
    ],
)
def test_a_changed_source_asks_for_a_new_build(project: Path, name: str):
    pages = frontend(project)
    pages.build_if_needed()
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("changed")
    assert not pages.is_current()


def test_a_renamed_source_asks_for_a_new_build(project: Path):
    pages = frontend(project)
    pages.build_if_needed()
    (project / "orchestrator_app/ui/page.py").rename(project / "orchestrator_app/ui/other_page.py")
    assert not pages.is_current()


@pytest.mark.parametrize(
    "name", ["orchestrator_app/ui/__pycache__/page.pyc", "assets/external/link.jsx", "README.md"]
)
def test_what_the_pages_are_not_made_of_asks_for_no_build(project: Path, name: str):
    pages = frontend(project)
    pages.build_if_needed()
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("changed")
    assert pages.is_current()


def test_a_build_may_complete_its_own_lock(project: Path):
    pages = frontend(project, BUILD + "Path('reflex.lock/bun.lock').write_text('more')")
    pages.build_if_needed()
    assert pages.is_current()


def test_every_build_leaves_the_lock_in_the_same_form(project: Path):
    packages = project / "reflex.lock/package.json"
    forms: list[str] = []
    for text in ('{"b": 1, "a": {}}', '{\n  "a": {},\n  "b": 1\n}'):
        frontend(project, BUILD + f"Path('reflex.lock/package.json').write_text({text!r})").build_if_needed()
        forms.append(packages.read_text())
        (project / "rxconfig.py").write_text(text)
    assert forms[0] == forms[1] == '{\n  "a": {},\n  "b": 1\n}\n'


def test_a_source_edited_during_the_build_is_built_next_time(project: Path):
    pages = frontend(project, BUILD + "Path('orchestrator_app/ui/page.py').write_text('edited')")
    pages.build_if_needed()
    assert not pages.is_current()


def test_a_failed_build_shows_the_end_of_its_log(project: Path):
    pages = frontend(project, "print('line 1'); print('\\n' * 40); print('the cause'); raise SystemExit(3)")
    with pytest.raises(Unavailable, match="the cause\n") as caught:
        pages.build_if_needed()
    assert "line 1" not in caught.value.message
    assert str(project / ".cache/frontend-build.log") in caught.value.hint
    assert not pages.is_current()


def test_a_build_without_pages_is_a_failed_build(project: Path):
    pages = frontend(project, "pass")
    with pytest.raises(Unavailable, match="no pages"):
        pages.build_if_needed()
    assert not pages.is_current()


def build_in_another_process(project: Path, build: str) -> subprocess.Popen[bytes]:
    script = f"""
        from pathlib import Path
        from orchestrator_app import frontend
        frontend._STOP_SECONDS = 0.2
        command = [{sys.executable!r}, "-c", {build!r}]
        frontend.Frontend(Path({str(project)!r}), command=command).build_if_needed()
    """
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], env=environment)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        if not state.stdout.strip() or state.stdout.startswith("Z"):
            return
        assert time.monotonic() < deadline, "a process of the build is still running"
        time.sleep(0.01)


def test_two_builds_at_once_are_one(project: Path):
    builders = [build_in_another_process(project, BUILD) for _ in range(3)]
    assert [builder.wait(30) for builder in builders] == [0, 0, 0]
    assert number_of_builds(project) == 1


# The build starts a process of its own, as the real one does, and then both wait.
ENDLESS_BUILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child.txt", "w").write(str(child.pid))
time.sleep(600)
"""

STUBBORN_BUILD = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("child.txt", "w").write(str(os.getpid()))
time.sleep(600)
"""


@pytest.mark.parametrize("build", [ENDLESS_BUILD, STUBBORN_BUILD])
def test_a_terminated_build_leaves_no_process_behind(project: Path, build: str):
    builder = build_in_another_process(project, build)
    child = int(wait_for(project / "child.txt"))
    builder.send_signal(signal.SIGTERM)
    assert builder.wait(30) == 128 + signal.SIGTERM
    wait_until_gone(child)
    assert not Frontend(project).is_built()
