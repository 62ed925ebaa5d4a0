import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import set_up


class Commands:
    """What would have been run; the tests change nothing on the machine."""

    def __init__(self) -> None:
        self.run: list[str] = []

    def __call__(self, command: Sequence[str | Path], _problem: str) -> None:
        line = " ".join(str(part) for part in command)
        self.run.append(line)

    def about(self, word: str) -> list[str]:
        return [line for line in self.run if word in line]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """An empty checkout with lock files, in which commands are only noted."""
    for folder in ("requirements", "scripts", ".tools", ".venv"):
        (tmp_path / folder).mkdir()
    for lock in ("uv", "run", "dev"):
        (tmp_path / "requirements" / f"{lock}.txt").write_text(lock)
    (tmp_path / "scripts/set_up.py").write_text("")
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "TOOLS", tmp_path / ".tools")
    monkeypatch.setattr(set_up, "UV", tmp_path / ".tools/bin/uv")
    monkeypatch.setattr(set_up, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(set_up, "LOCKS", tmp_path / "requirements")
    monkeypatch.setattr(set_up, "_bring_uv", lambda: None)
    monkeypatch.setattr(set_up, "_is_usable", lambda _python: True)
    noted = Commands()
    monkeypatch.setattr(set_up, "_run", noted)
    return noted


def test_packages_are_installed_once(commands: Commands):
    assert set_up.main(["run"]) == 0
    assert set_up.main(["run"]) == 0
    assert len(commands.about("pip sync --require-hashes")) == 1
    assert "run.txt" in commands.run[0]


def test_a_changed_lock_is_installed(commands: Commands):
    set_up.main(["run"])
    (set_up.LOCKS / "run.txt").write_text("changed")
    set_up.main(["run"])
    assert len(commands.about("run.txt")) == 2


def test_packages_for_development_are_added_when_they_are_needed(commands: Commands):
    set_up.main(["run"])
    set_up.main(["dev"])
    assert [line.rsplit("/", 1)[1] for line in commands.run] == ["run.txt", "dev.txt"]


def test_packages_for_development_stay_when_only_running(commands: Commands):
    set_up.main(["dev"])
    set_up.main(["run"])
    assert len(commands.run) == 1
    (set_up.LOCKS / "run.txt").write_text("changed")
    set_up.main(["run"])
    assert commands.run[-1].endswith("dev.txt")


def test_a_virtual_environment_whose_python_is_gone_is_made_anew(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
):
    set_up.main(["run"])
    monkeypatch.setattr(set_up, "_is_usable", lambda _python: False)
    set_up.main(["run"])
    assert len(commands.about("uv venv")) == 1
    assert len(commands.about("pip sync")) == 2


def test_an_interrupted_installation_is_repeated(commands: Commands, monkeypatch: pytest.MonkeyPatch):
    set_up.main(["run"])
    (set_up.LOCKS / "run.txt").write_text("changed")

    def interrupted(_command: Sequence[str | Path], _problem: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(set_up, "_run", interrupted)
        assert set_up.main(["run"]) == 130
    (set_up.LOCKS / "run.txt").write_text("run")
    set_up.main(["run"])
    assert len(commands.about("pip sync")) == 2


def test_the_tests_use_the_browser_that_the_environment_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORCHESTRATOR_TEST_BROWSER", "/somewhere/chromium")
    assert set_up.find_browser() == Path("/somewhere/chromium")


def test_an_installed_browser_is_found_and_nothing_is_installed(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    browser = tmp_path / "chromium"
    browser.write_text("")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    set_up.main(["dev", "--browser"])
    assert set_up.find_browser() == browser
    assert commands.about("apt-get") == []


@pytest.fixture
def without_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_TEST_BROWSER", raising=False)
    monkeypatch.setattr(set_up, "find_browser", lambda: None)


@pytest.mark.usefixtures("without_browser")
def test_root_gets_the_browser_of_debian(commands: Commands, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(set_up, "_can_install_debian_packages", lambda: True)
    assert set_up.main(["dev", "--browser"]) == 0
    assert commands.run[-2].startswith("apt-get update")
    assert commands.run[-1].endswith(" chromium")


@pytest.mark.usefixtures("without_browser", "commands")
def test_others_are_told_how_to_get_a_browser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(set_up, "_can_install_debian_packages", lambda: False)
    assert set_up.main(["dev", "--browser"]) == 1
    assert "sudo apt-get install chromium" in capsys.readouterr().err


@pytest.mark.usefixtures("commands")
def test_an_old_python_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(set_up.sys, "version_info", (3, 10))
    assert set_up.main(["run"]) == 1
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


def test_a_failed_command_shows_the_end_of_its_output(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(set_up.SetUpError, match="It did not work"):
        set_up._run(["sh", "-c", "seq 1 100; echo the cause >&2; exit 1"], "It did not work.")
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1] == "the cause"
    assert len(shown) == set_up.SHOWN_LOG_LINES


def test_make_alone_prints_every_command():
    root = Path(__file__).resolve().parent.parent.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    printed = subprocess.run(
        ["make"], cwd=root, env=environment, capture_output=True, text=True, check=True
    ).stdout
    commands = [line.split()[1] for line in printed.splitlines()]
    wanted = ["help", "run", "scale", "dev", "test", "check", "fix", "bench", "audit", "lock", "clean"]
    assert commands == wanted
