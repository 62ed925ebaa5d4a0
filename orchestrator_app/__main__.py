"""The command line: `python -m orchestrator_app [serve|worker|build|dev]`.

It prepares what Reflex reads from the environment, and imports the program only then.
"""

import argparse
import gc
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
import watchfiles

from orchestrator_app import server
from orchestrator_app.config import Settings, load_settings
from orchestrator_app.errors import ConfigurationError, OrchestratorError, Unavailable
from orchestrator_app.frontend import PROJECT_ROOT, Frontend
from orchestrator_app.logs import set_up_logging

APP_MODULE = "orchestrator_app.orchestrator_app"
WORKER_MODULE = "orchestrator_app.worker"
EXIT_FAILED = 1
EXIT_WRONG_SETTINGS = 78  # EX_CONFIG of sysexits.h: starting again will not help
EXIT_INTERRUPTED = 130

_ONLY_FOR_THE_OWNER = 0o077
_WATCHED_FOLDERS = ("orchestrator_app", "assets")
_LOOK_EVERY_MS = 200
# How many new objects, and how many searches of the younger ones, bring about a search for garbage. Python's usual 700
# make it search several times in each run, for hardly anything.
_SELDOM = (10_000, 20, 20)
_WITH_REDIS = {
    "REFLEX_STATE_MANAGER_MODE": "redis",
    # What a page shows is locked while one of its events is handled, and some of these ask platforms.
    "REFLEX_REDIS_LOCK_EXPIRATION": "60000",
    # Reflex would log the names of tabs.
    "REFLEX_REDIS_LOCK_WARNING_THRESHOLD": "59999",
    # A page that is only looked at changes nothing, so its state ages; it must not vanish under an open page.
    "REFLEX_REDIS_TOKEN_EXPIRATION": str(7 * 86_400),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator_app", description="Orchestrator")
    commands = {"serve": _serve, "worker": _work, "build": _build, "dev": _develop}
    parser.add_argument("command", nargs="?", choices=list(commands), default="serve")
    command = commands[parser.parse_args(arguments).command]
    os.chdir(PROJECT_ROOT)  # here are .env, the pages, and the data folder unless the settings name another
    try:
        return command()
    except ConfigurationError as error:
        _complain(*error.problems)
        return EXIT_WRONG_SETTINGS
    except OrchestratorError as error:
        _complain(f"{error.message} {error.hint}".rstrip())
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _serve() -> int:
    _begin_start()
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    os.umask(_ONLY_FOR_THE_OWNER)
    _make_data_folder(settings.data_dir)
    with server.listen(settings.host, settings.port) as listener:
        if not Frontend().is_current():
            raise Unavailable(
                "The pages are not built, or were built from other sources.", hint="`make run` builds them."
            )
        _prepare_reflex(settings)
        app: server.AsgiApp = importlib.import_module(APP_MODULE).front()
        ready = f"Orchestrator runs on http://{settings.host}:{settings.port} (Ctrl+C stops it)"
        server.run(app, listener, on_ready=lambda: _end_start(ready))


def _work() -> int:
    """Work on runs beside other processes, without serving anything."""
    _begin_start()
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    os.umask(_ONLY_FOR_THE_OWNER)
    _make_data_folder(settings.data_dir)
    work = importlib.import_module(WORKER_MODULE).work
    uvloop.run(work(settings, on_ready=lambda: _end_start("A worker takes runs (Ctrl+C stops it)")))
    return 0


def _build() -> int:
    frontend = Frontend()
    if not frontend.is_current():
        _say("Building the pages …")
        frontend.build_if_needed()
    return 0


def _develop() -> int:
    """Serve in a process of its own, and start it anew whenever a source changes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folders = [PROJECT_ROOT / name for name in _WATCHED_FOLDERS if (PROJECT_ROOT / name).exists()]
    is_source = watchfiles.DefaultFilter(ignore_dirs=(*watchfiles.DefaultFilter.ignore_dirs, "external"))
    changes = watchfiles.watch(
        *folders, watch_filter=is_source, yield_on_timeout=True, rust_timeout=_LOOK_EVERY_MS
    )
    next(changes)  # from now on it notices what changes, also while the pages are built
    while True:
        process = None
        try:
            _build()
            command = [sys.executable, "-m", "orchestrator_app", "serve"]
            # Ctrl+C would else reach it twice, from the terminal and from here, and the second ends it at once.
            process = subprocess.Popen(command, start_new_session=True)  # noqa: S603
        except OrchestratorError as error:
            _complain(f"{error.message} {error.hint}")
        try:
            while not next(changes):
                pass
        finally:
            if process is not None:
                process.terminate()
                process.wait()
        _say("A source has changed.")


def _begin_start() -> None:
    """Look for no garbage: a start makes hardly any, and the search would take a fifth of its time."""
    gc.disable()


def _end_start(sentence: str) -> None:
    """Say that it is over, and leave what it made out of every later search, which holds everything up meanwhile."""
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    gc.enable()
    _say(sentence)


def _make_data_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            [f"ORCHESTRATOR_DATA_DIR: the folder {path} cannot be made: {error.strerror}."]
        ) from error


def _prepare_reflex(settings: Settings) -> None:
    """Set what Reflex reads from the environment; nothing that the user's environment says about Reflex counts."""
    for name in [name for name in os.environ if name.startswith(("REFLEX_", "__REFLEX_"))]:
        del os.environ[name]
    if redis_url := settings.redis_url.get_secret_value():
        os.environ.update(_WITH_REDIS | {"REFLEX_REDIS_URL": redis_url})
    port = str(settings.port)
    inner = settings.data_dir.absolute() / "reflex"
    os.environ.update(
        {
            "REFLEX_ENV_MODE": "prod",
            "REFLEX_BACKEND_HOST": settings.host,
            "REFLEX_BACKEND_PORT": port,
            "REFLEX_FRONTEND_PORT": port,
            "REFLEX_CORS_ALLOWED_ORIGINS": ",".join(settings.allowed_origins),
            # Two instances share one checkout, so nothing may be written into it while they run.
            "REFLEX_DIR": str(inner),
            "REFLEX_UPLOADED_FILES_DIR": str(inner / "uploads"),
            "REFLEX_BACKEND_ONLY": "true",
            "__REFLEX_SKIP_COMPILE": "true",
            # The pages and the backend share one port.
            "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
            # No calls to anybody that the user did not ask for.
            "REFLEX_CHECK_LATEST_VERSION": "false",
            "REFLEX_TELEMETRY_ENABLED": "false",
        }
    )


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _complain(*sentences: str) -> None:
    print(*sentences, sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
