"""JSON values in columns: small ones in place, large ones once per run in the ``payload`` table."""

import hashlib
import json
from typing import Any

import orjson

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.storage.sql import Connection, text

INLINE_BYTES = 8_192
# JSON text never begins with this, so a column value that does is the name of a payload.
_REFERENCE = "@"

_INSERT = text(
    "INSERT INTO payload (run_id, digest, content) VALUES (:run_id, :digest, :content) ON CONFLICT DO NOTHING"
)
_SELECT = text("SELECT content FROM payload WHERE run_id = :run_id AND digest = :digest")


def dumps(value: JsonValue) -> str:
    """Compact JSON text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Integers beyond 64 bits and half surrogates: rare, but a fact that cannot be written would stop its run.
        return json.dumps(value, separators=(",", ":"))


def loads(value: str | None) -> Any:
    """The value of JSON text; None for no text."""
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return json.loads(value)


def plain(value: str) -> str:
    """Text that every database takes: without NUL and half surrogates."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def store(connection: Connection, run_id: str, value: JsonValue) -> str | None:
    """Keep a value and return what its column must hold; None for null."""
    if value is None:
        return None
    content = dumps(value)
    raw = content.encode()
    if len(raw) <= INLINE_BYTES:
        return content
    digest = hashlib.sha256(raw).hexdigest()
    connection.execute(_INSERT, {"run_id": run_id, "digest": digest, "content": content})
    return _REFERENCE + digest


def fetch(connection: Connection, run_id: str, column: str | None) -> Any:
    """The value that ``store`` kept."""
    if column is None or not column.startswith(_REFERENCE):
        return loads(column)
    found = connection.execute(_SELECT, {"run_id": run_id, "digest": column[1:]}).scalar_one()
    return loads(found)
