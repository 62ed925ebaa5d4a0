"""What reaches the log, and in which shape."""

import json
import logging
from collections.abc import Iterator

import pytest

from orchestrator_app.logs import set_up_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_lines_for_people_start_at_the_chosen_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("WARNING", "text")
    logging.getLogger("orchestrator_app.runner").info("a detail")
    logging.getLogger("orchestrator_app.runner").warning("a %s", "warning")
    written = capsys.readouterr().err
    assert "a detail" not in written
    assert "WARNING orchestrator_app.runner: a warning" in written


def test_lines_for_machines_are_json_with_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    try:
        int("broken")
    except ValueError:
        logging.getLogger("orchestrator_app").exception("it failed")
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "orchestrator_app", "it failed")
    assert "ValueError: invalid literal" in line["error"]
    assert line["time"].endswith("+00:00")
