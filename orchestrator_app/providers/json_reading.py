"""Reading JSON that others sent: every function takes any shape and gives a value of the wanted type."""

from datetime import datetime

from orchestrator_app.domain.json_values import JsonObject, JsonValue


def object_at(value: JsonValue, *path: str) -> JsonObject:
    """The object at this path of names, or an empty one."""
    found = _at(value, path)
    return found if isinstance(found, dict) else {}


def objects_at(value: JsonValue, *path: str) -> list[JsonObject]:
    """The objects in the list at this path; anything else in the list is left out."""
    found = _at(value, path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def list_at(value: JsonValue, *path: str) -> list[JsonValue]:
    """The list at this path, or an empty one."""
    found = _at(value, path)
    return found if isinstance(found, list) else []


def text_at(value: JsonValue, *path: str) -> str:
    """The text at this path; a number is written out, anything else gives an empty text."""
    found = _at(value, path)
    if isinstance(found, bool):
        return ""
    return str(found) if isinstance(found, str | int) else ""


def number_at(value: JsonValue, *path: str) -> float:
    """The number at this path, or zero."""
    found = _at(value, path)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else 0.0


def time_at(value: JsonValue, *path: str) -> int | None:
    """The ISO 8601 time at this path as UTC epoch milliseconds, or None."""
    try:
        return round(datetime.fromisoformat(text_at(value, *path)).timestamp() * 1000)
    except ValueError:
        return None


def _at(value: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
