"""From config values to what the controls of the drawer show, and from what is typed there back to config values."""

import json
from collections.abc import Sequence
from typing import Any

from orchestrator_app.domain.definition import ERROR_HANDLE, Definition, Node
from orchestrator_app.domain.json_text import read_json
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.node_kinds import NODE_KINDS, ConfigField, setting
from orchestrator_app.domain.parsing import MAX_ID_LENGTH
from orchestrator_app.errors import ExpressionError

Row = dict[str, str]

# The fields that are lists of rows, and the columns of each.
ROW_KEYS = {
    "headers": ("name", "value"),
    "inputs": ("name", "value"),
    "mappings": ("from", "to"),
    "cases": ("expression", "handle"),
}
# Their controls show what counts when nothing is set; the others stay empty.
_SHOWS_DEFAULT = {"choice", "milliseconds", "integer", "boolean"}
_MOST_DIGITS = 18


def value_text(node: Node, key: str) -> str:
    """A config value as its control shows it."""
    field = NODE_KINDS[node.kind].field(key)
    value = node.config.get(key)
    if value is None and field is not None and field.type in _SHOWS_DEFAULT:
        value = setting(node, key)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return "" if value is None else str(value)


def field_value(field: ConfigField, text: str) -> JsonValue:
    """The config value that a control's text means; None when it is empty.

    Raises:
        ValueError: The text cannot be such a value; the message says why.
    """
    if not text.strip():
        return None
    match field.type:
        case "milliseconds" | "integer":
            return _whole_number(text)
        case "boolean":
            return text == "true" if text in {"true", "false"} else None
        case "choice":
            if text not in field.choices:
                raise ValueError(f"Choose one of: {', '.join(field.choices)}.")
            return text
        case "json":
            return _json_object(text)
        case _:
            return text


def _whole_number(text: str) -> int:
    digits = text.strip().replace(" ", "").replace("_", "")
    try:
        number = int(digits)
    except ValueError:
        raise ValueError(f"“{text[:30]}” is no whole number.") from None
    if len(digits) > _MOST_DIGITS:
        raise ValueError("The number is too large.")
    return number


def _json_object(text: str) -> JsonObject:
    try:
        value = read_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except ExpressionError as error:
        raise ValueError(f"{error.message} {error.hint}".strip()) from None
    if not isinstance(value, dict):
        raise ValueError("This must be a JSON object: { … }.")  # noqa: TRY004 - one kind of error for a bad text
    return value


def rows_of(node: Node, key: str) -> list[Row]:
    """The rows of headers, inputs, mappings or cases."""
    present = node.config.get(key)
    if isinstance(present, dict):
        return [{"name": name, "value": str(value)} for name, value in present.items()]
    items: list[Any] = present if isinstance(present, list) else []
    rows = [
        {column: str(item.get(column, "")) for column in ROW_KEYS[key]}
        for item in items
        if isinstance(item, dict)
    ]
    return [row | {"was": row["handle"]} for row in rows] if key == "cases" else rows


def rows_value(key: str, rows: Sequence[Row], before: Node) -> tuple[JsonValue, dict[str, str]]:
    """The config value that rows mean, and what of them was not taken, with the reason, by ``key[index]``.

    Args:
        key: headers, inputs, mappings or cases.
        rows: As they stand in the drawer. For cases, ``was`` is the branch that a row stood for before; it becomes the
            one for which it stands now.
        before: The node whose rows they are.
    """
    match key:
        case "headers" | "inputs":
            return _named_values(key, rows)
        case "mappings":
            return [{"from": row["from"], "to": row["to"]} for row in rows], {}
        case _:
            return _cases(rows, str(setting(before, "defaultHandle")))


def _named_values(key: str, rows: Sequence[Row]) -> tuple[JsonValue, dict[str, str]]:
    what = {"headers": "header", "inputs": "input"}[key]
    values: dict[str, JsonValue] = {}
    refused: dict[str, str] = {}
    for index, row in enumerate(rows):
        name = row["name"].strip()
        if name in values:
            refused[f"{key}[{index}]"] = f"The {what} “{name}” is there already, so this one is not taken."
        elif name:
            values[name] = row["value"]
    return values, refused


def _cases(rows: Sequence[Row], default: str) -> tuple[JsonValue, dict[str, str]]:
    """A name that is no branch's own is not taken: the edges of two branches could not be told apart any more."""
    refused: dict[str, str] = {}
    names: list[str] = []
    for index, row in enumerate(rows):
        name, was = row["handle"].strip(), row.get("was", "")
        later = {other.get(column, "").strip() for other in rows[index + 1 :] for column in ("handle", "was")}
        reason = branch_problem(name, {*names, *later, default})
        if reason and was and name != was:
            refused[f"cases[{index}]"] = f"{reason} Until then this branch is still called “{was}”."
            name = was
        names.append(name)
        row["was"] = name
    return [
        {"expression": row["expression"], "handle": name} for row, name in zip(rows, names, strict=True)
    ], refused


def branch_problem(name: str, others: set[str]) -> str:
    """Why a branch cannot be called so, or an empty text."""
    if not name:
        return "A branch needs a name."
    if name == ERROR_HANDLE or len(name) > MAX_ID_LENGTH:
        return f"A branch name has at most {MAX_ID_LENGTH} characters and is not “{ERROR_HANDLE}”."
    return f"There is a branch “{name}” already." if name in others else ""


def suggestions(definition: Definition, node: Node) -> list[Row]:
    """What expressions of this node can name: the roots, and the output of every node before it."""
    parents: dict[str, list[str]] = {}
    for edge in definition.edges:
        parents.setdefault(edge.target, []).append(edge.source)
    before: set[str] = set()
    waiting = [node.id]
    while waiting:
        further = [parent for parent in parents.get(waiting.pop(), []) if parent not in before]
        before.update(further)
        waiting += further
    names = [
        (f"nodes.`{other.label}`.output", other.kind) for other in definition.nodes if other.id in before
    ]
    roots = [
        ("data", "input of this node"),
        ("run.input", "input of the run"),
        ("run.id", "id of the run"),
        ("run.callbackUrl", "address that continues a waiting run"),
        ("run.correlationToken", "its token alone"),
    ]
    return [{"label": label, "detail": detail} for label, detail in [*roots, *names]]
