"""Prepares a checkout: brings uv, installs the locked packages, finds a browser for the tests.

`make` calls it before every other command. It needs only Python >= 3.11 and its standard library, and does
nothing when everything is in place.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
UV = TOOLS / "bin" / "uv"
VENV = ROOT / ".venv"
LOCKS = ROOT / "requirements"
OLDEST_PYTHON = (3, 11)
SHOWN_LOG_LINES = 30

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSERS = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)


class SetUpError(Exception):
    """Something is missing that only the user can bring; the text says what to do."""


def find_browser() -> Path | None:
    """The browser that the tests drive: the one the environment names, else an installed Chromium or Chrome."""
    if named := os.environ.get("ORCHESTRATOR_TEST_BROWSER"):
        return Path(named)
    for name in BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    return next((path for path in MAC_BROWSERS if path.exists()), None)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def _one_at_a_time() -> Generator[None]:
    """Let a second `make` in the same checkout wait until the first has set it up."""
    with (ROOT / "scripts" / "set_up.py").open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str | Path], problem: str) -> None:
    """Run quietly; on failure, show the end of what it printed and say what was tried."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(  # noqa: S603 - the commands are written in this file
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        _say("\n".join(done.stdout.splitlines()[-SHOWN_LOG_LINES:]))
        raise SetUpError(problem)


def _can_install_debian_packages() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install_debian_package(name: str) -> None:
    problem = f"Debian's package {name} could not be installed; see above."
    _run(["apt-get", "update", "-q"], problem)
    _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", name], problem)


def _digest(*names: str) -> str:
    return hashlib.sha256(b"\0".join((LOCKS / name).read_bytes() for name in names)).hexdigest()


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _bring_uv() -> None:
    """Install the pinned uv into .tools."""
    stamp, wanted = TOOLS / ".installed", _digest("uv.txt")
    if UV.exists() and _content(stamp) == wanted:
        return
    _say("Installing uv into .tools …")
    shutil.rmtree(TOOLS, ignore_errors=True)
    install = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        LOCKS / "uv.txt",
    ]
    problem = "uv could not be installed with pip; see above. Is the package index reachable?"
    if importlib.util.find_spec("ensurepip") is None and importlib.util.find_spec("pip") is None:
        # Debian's Python comes without pip and without what makes virtual environments.
        if not _can_install_debian_packages():
            raise SetUpError(
                f"This Python ({sys.executable}) has neither pip nor venv. Install them (Debian, Ubuntu: "
                "sudo apt-get install python3-venv) and run make again."
            )
        _say("Installing Debian's package python3-venv …")
        _install_debian_package("python3-venv")
        importlib.invalidate_caches()
    if importlib.util.find_spec("ensurepip") is not None:
        _run(
            [sys.executable, "-m", "venv", TOOLS],
            f"A virtual environment could not be made in {TOOLS}; see above.",
        )
        _run([TOOLS / "bin" / "python", "-m", "pip", *install], problem)
    else:
        _run([sys.executable, "-m", "pip", *install, "--target", TOOLS], problem)
    stamp.write_text(wanted, encoding="utf-8")


def _is_usable(python: Path) -> bool:
    """Whether the virtual environment's Python still runs (an upgrade of the system's may have removed it)."""
    if not python.exists():
        return False
    code = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0  # noqa: S603


def _install_packages(*, for_development: bool) -> None:
    """Bring .venv to what the lock files say; packages for development stay once they are there."""
    python, stamp = VENV / "bin" / "python", VENV / ".installed"
    profiles = {"dev": f"dev {_digest('run.txt', 'dev.txt')}", "run": f"run {_digest('run.txt')}"}
    installed = _content(stamp)
    usable = _is_usable(python)
    if usable and (installed == profiles["dev"] or (not for_development and installed == profiles["run"])):
        return
    profile = "dev" if for_development or installed.startswith("dev ") else "run"
    _say("Installing the Python packages into .venv …")
    if not usable:
        _run(
            [UV, "venv", "--clear", "--python", sys.executable, VENV],
            "The virtual environment could not be made.",
        )
    stamp.unlink(missing_ok=True)
    # Compiled here, so that it is not done by every process where the environment forbids to keep the result.
    _run(
        [
            UV,
            "pip",
            "sync",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            python,
            LOCKS / f"{profile}.txt",
        ],
        "The Python packages could not be installed; see above. Is the package index reachable?",
    )
    stamp.write_text(profiles[profile], encoding="utf-8")


def _bring_browser() -> None:
    """Install Debian's Chromium for the browser tests, unless a browser is there."""
    if find_browser():
        return
    if not _can_install_debian_packages():
        raise SetUpError(
            "The browser tests need Chromium or Chrome. Install it (Debian: sudo apt-get install chromium), or name "
            "its program in ORCHESTRATOR_TEST_BROWSER, and run make again."
        )
    _say("Installing Debian's Chromium for the browser tests …")
    _install_debian_package("chromium")


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "profile", choices=["run", "dev"], help="run: what the program needs; dev: also what tests need"
    )
    parser.add_argument("--browser", action="store_true", help="also bring a browser for the tests")
    options = parser.parse_args(arguments)
    if sys.version_info < OLDEST_PYTHON:
        _say(
            f"Python 3.11 or newer is needed, and {sys.executable} is older. Name a newer one: make PYTHON=python3.12"
        )
        return 1
    try:
        with _one_at_a_time():
            _bring_uv()
            _install_packages(for_development=options.profile == "dev")
            if options.browser:
                _bring_browser()
    except SetUpError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
