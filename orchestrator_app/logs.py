"""What the program says to its log: in lines for people or in JSON for machines."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal


class _Lines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(level: str, shape: Literal["text", "json"]) -> None:
    """Send everything to the standard error stream, from the given level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if shape == "json" else _Lines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The migration tool tells each step; only its warnings are news.
    logging.getLogger("alembic").setLevel(logging.WARNING)
