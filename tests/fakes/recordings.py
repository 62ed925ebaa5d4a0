"""Recorded answers of real servers, and how an answer of a fake is compared with them."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent.parent / "recordings"

# Below these names stands what differs from call to call or from node to node.
OPEN = frozenset({"headers", "parameters", "context", "extra"})
# Values that have to be the same, wherever they stand.
EXACT = frozenset(
    {"status", "finished", "mode", "executionStatus", "message", "hint", "code", "lastNodeExecuted"}
)


def recording(source: str, name: str) -> dict[str, Any]:
    """One recorded request with its answer."""
    return json.loads((FOLDER / source / f"{name}.json").read_text(encoding="utf-8"))


def names(source: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / source).glob("*.json"))


def send(request: dict[str, Any], places: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    """Send a recorded request, with what the recorder masked put back: status, headers (lower case) and body."""
    url = urlsplit(_unmasked(request["url"], places))
    headers = {name: _unmasked(value, places) for name, value in request["headers"].items()}
    body = request["body"]
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
    if data is not None:
        headers.setdefault("content-type", "application/json")
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    try:
        connection.request(request["method"], f"{url.path}?{url.query}", data, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, _read(content)
    finally:
        connection.close()


def _read(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content


def _unmasked(text: str, places: dict[str, str]) -> str:
    for mask, value in places.items():
        text = text.replace(mask, value)
    return text


def differences(recorded: Any, seen: Any, place: str = "body") -> list[str]:
    """Where two answers differ in shape, or in a value that has to be the same. Lists are compared by their first."""
    if isinstance(recorded, dict) and isinstance(seen, dict):
        found = [f"{place}.{name} is missing" for name in recorded.keys() - seen.keys()]
        found += [f"{place}.{name} is too much" for name in seen.keys() - recorded.keys()]
        for name in sorted((recorded.keys() & seen.keys()) - OPEN):
            found += differences(recorded[name], seen[name], f"{place}.{name}")
        return found
    if isinstance(recorded, list) and isinstance(seen, list):
        if bool(recorded) != bool(seen):
            return [f"{place} has {len(seen)} entries, not {len(recorded)}"]
        return differences(recorded[0], seen[0], f"{place}[0]") if recorded else []
    if _type(recorded) != _type(seen):
        return [f"{place} is {_type(seen)}, not {_type(recorded)}"]
    if place.rpartition(".")[2] in EXACT and recorded != seen:
        return [f"{place} is {seen!r}, not {recorded!r}"]
    return []


def _type(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__
