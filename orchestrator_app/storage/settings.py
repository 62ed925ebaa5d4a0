"""Facts about the installation itself: names and values."""

from orchestrator_app.storage.sql import Connection, text

_GET = text("SELECT value FROM setting WHERE name = :name")
_PUT = text(
    "INSERT INTO setting (name, value) VALUES (:name, :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def get(connection: Connection, name: str) -> str | None:
    """The value, or None."""
    return connection.execute(_GET, {"name": name}).scalar_one_or_none()


def put(connection: Connection, name: str, value: str) -> None:
    """Keep a value, in place of an earlier one."""
    connection.execute(_PUT, {"name": name, "value": value})
