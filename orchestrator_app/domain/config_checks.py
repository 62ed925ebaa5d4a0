"""Checks of one node's config values against the fields of its kind; returns sentences, never raises."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.config_fields import ConfigField, FieldType
from orchestrator_app.domain.definition import ERROR_HANDLE, Blocks, Node
from orchestrator_app.domain.expressions import parse_expression
from orchestrator_app.domain.inputs import input_clashes
from orchestrator_app.domain.json_values import a_type, is_blank, is_list, is_object, quoted
from orchestrator_app.domain.mapping import parse_source, parse_target
from orchestrator_app.domain.node_kinds import NODE_KINDS, PARALLEL, NodeKind
from orchestrator_app.domain.parsing import MAX_ID_LENGTH
from orchestrator_app.domain.templates import parse_body, parse_template
from orchestrator_app.errors import ExpressionError

MAX_TEXT = 100_000
MAX_HEADERS = 100
MAX_INPUTS = 200
MAX_MAPPINGS = 500
MAX_CASES = 100
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FORBIDDEN_HEADERS = {
    "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """A config value that is wrong: stable code, place within the config, sentence, what it blocks."""

    code: str
    field: str
    message: str
    blocks: Blocks = "run"


Check = Callable[[ConfigField, Any], Iterator[Finding]]
Steps = tuple[str | int, ...]


def check_config(node: Node) -> Iterator[Finding]:
    """All findings about a node's config. Wrong types and unknown keys block saving, the rest blocks a run."""
    kind = NODE_KINDS[node.kind]
    for key, value in node.config.items():
        field = kind.field(key)
        if field is None:
            yield _unknown_key(kind, key)
        elif field.type == "body" and isinstance(value, str) and _is_sent_as_text(node):
            yield from _check_text(field, value, parse_template)
        elif not is_blank(value):
            yield from _CHECKS[field.type](field, value)
    for field in kind.fields:
        if field.required and is_blank(node.config.get(field.key)):
            yield Finding("missing_value", field.key, f"“{field.label}” is missing. Fill it in.")


def _unknown_key(kind: NodeKind, key: str) -> Finding:
    if kind is PARALLEL:
        # It has nothing to set here, but had in the definitions of old, which are to be kept as they are.
        message = f"The config key {quoted(key)} has no effect: {kind.title} starts all its branches at once."
        return Finding("ignored_config_key", key, message, "nothing")
    known = ", ".join(field.key for field in kind.fields)
    message = f"{kind.title} has no config key {quoted(key)}. Remove it, or use one of: {known}."
    return Finding("unknown_config_key", key, message, "save")


def _is_sent_as_text(node: Node) -> bool:
    """Whether a header of the node says that its body is something else than JSON."""
    headers = node.config.get("headers")
    for name, value in headers.items() if is_object(headers) else ():
        if name.lower() == "content-type" and isinstance(value, str) and value:
            return "json" not in value.lower()
    return False


def _wrong_type(field: ConfigField, wanted: str, value: object) -> Finding:
    message = f"“{field.label}” must be {wanted}, not {a_type(value)}."
    return Finding("wrong_type", field.key, message, "save")


def _sentence(name: str, error: ExpressionError) -> str:
    return f"{name}: {error.message} {error.hint}".rstrip()


def _bad_expression(place: str, name: str, text: str, parse: Callable[[str], object]) -> Iterator[Finding]:
    """A finding if the text cannot be parsed."""
    try:
        parse(text)
    except ExpressionError as error:
        yield Finding("bad_expression", place, _sentence(name, error))


def _check_text(
    field: ConfigField, value: object, parse: Callable[[str], object] | None = None
) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield _wrong_type(field, "text", value)
    elif len(value) > MAX_TEXT:
        message = f"“{field.label}” has {len(value):,} characters; at most {MAX_TEXT:,} are allowed."
        yield Finding("too_large", field.key, message, "save")
    elif parse is not None:
        yield from _bad_expression(field.key, f"“{field.label}”", value, parse)


def _check_template(field: ConfigField, value: object) -> Iterator[Finding]:
    return _check_text(field, value, parse_template)


def _check_body(field: ConfigField, value: object) -> Iterator[Finding]:
    return _check_text(field, value, parse_body)


def _check_expression(field: ConfigField, value: object) -> Iterator[Finding]:
    return _check_text(field, value, parse_expression)


def _check_number(field: ConfigField, value: object) -> Iterator[Finding]:
    unit = " milliseconds" if field.type == "milliseconds" else ""
    wanted = f"a whole number{' of' + unit if unit else ''}"
    if isinstance(value, float):
        message = f"“{field.label}” must be {wanted}, without a decimal point."
        yield Finding("wrong_type", field.key, message, "save")
    elif isinstance(value, bool) or not isinstance(value, int):
        yield _wrong_type(field, wanted, value)
    elif not field.least <= value <= field.most:
        message = f"“{field.label}” must be between {field.least:,} and {field.most:,}{unit}."
        yield Finding("out_of_range", field.key, message)


def _check_boolean(field: ConfigField, value: object) -> Iterator[Finding]:
    if not isinstance(value, bool):
        yield _wrong_type(field, "true or false", value)


def _check_choice(field: ConfigField, value: object) -> Iterator[Finding]:
    if value not in field.choices:
        message = f"“{field.label}” must be one of: {', '.join(field.choices)}; not {quoted(value)}."
        yield Finding("bad_choice", field.key, message, "save")


def _check_json(field: ConfigField, value: object) -> Iterator[Finding]:
    if not is_object(value):
        yield _wrong_type(field, "an object", value)


def _too_many(field: ConfigField, count: int, most: int) -> Finding:
    message = f"“{field.label}” has {count:,} entries; at most {most:,} are allowed. Remove some, or split the node."
    return Finding("too_many", field.key, message, "save")


def _check_headers(field: ConfigField, value: object) -> Iterator[Finding]:
    if not is_object(value):
        yield _wrong_type(field, "an object of names and values", value)
        return
    if len(value) > MAX_HEADERS:
        yield _too_many(field, len(value), MAX_HEADERS)
        return
    seen: set[str] = set()
    for name, text in value.items():
        place, title, key = f"{field.key}.{name}", f"The header {quoted(name)}", name.lower()
        if not _HEADER_NAME.fullmatch(name):
            message = f"{quoted(name)} cannot be the name of a header. Use letters, digits and hyphens only."
            yield Finding("bad_header", place, message)
        elif key in _FORBIDDEN_HEADERS or key.startswith("proxy-"):
            yield Finding(
                "bad_header", place, f"{title} cannot be set here: the connection sets it. Remove it."
            )
        elif key in seen:
            message = f"{title} is there twice, with small and with capital letters. Remove one."
            yield Finding("bad_header", place, message)
        elif not isinstance(text, str):
            yield Finding("wrong_type", place, f"{title} must be text, not {a_type(text)}.", "save")
        elif _CONTROL_CHARACTER.search(text):
            message = f"{title} holds a line break or another control character. Keep its value on one line."
            yield Finding("bad_header", place, message)
        else:
            yield from _bad_expression(place, title, text, parse_template)
        seen.add(key)


def _check_inputs(field: ConfigField, value: object) -> Iterator[Finding]:
    if not is_object(value):
        yield _wrong_type(field, "an object of names and values", value)
        return
    if len(value) > MAX_INPUTS:
        yield _too_many(field, len(value), MAX_INPUTS)
        return
    for name, text in value.items():
        place, title = f"{field.key}.{name}", f"The input {quoted(name)}"
        if isinstance(text, str):
            yield from _bad_expression(place, title, text, parse_template)
        else:
            message = f"{title} must be text, not {a_type(text)}. Write other values as {{{{ 5 }}}}."
            yield Finding("wrong_type", place, message, "save")
    for clash in input_clashes(value):
        yield Finding("bad_input", f"{field.key}.{clash.name}", clash.message)


def _entries(
    field: ConfigField, value: object, keys: tuple[str, str], most: int
) -> Iterator[Finding | tuple[str, str, str, str]]:
    """For each entry of a list its place, its name and its two texts, or what is wrong with its shape."""
    if not is_list(value):
        yield _wrong_type(field, "a list", value)
        return
    if len(value) > most:
        yield _too_many(field, len(value), most)
        return
    for index, item in enumerate(value):
        # “Mappings” becomes “Mapping 1”, “Cases” becomes “Case 1”.
        place, name = f"{field.key}[{index}]", f"{field.label[:-1]} {index + 1}"
        if not is_object(item) or not set(item) <= set(keys):
            message = f"{name} must be an object with “{keys[0]}” and “{keys[1]}”, and nothing else."
            yield Finding("wrong_type", place, message, "save")
            continue
        first, second = (item.get(key, "") for key in keys)
        if not isinstance(first, str) or not isinstance(second, str):
            yield Finding("wrong_type", place, f"“{keys[0]}” and “{keys[1]}” of {name} must be text.", "save")
        else:
            yield place, name, first, second


def _check_mappings(field: ConfigField, value: object) -> Iterator[Finding]:
    made: dict[Steps, tuple[str, type | None]] = {}
    for entry in _entries(field, value, ("from", "to"), MAX_MAPPINGS):
        if isinstance(entry, Finding):
            yield entry
            continue
        place, name, source, target = entry
        if source.strip():
            yield from _bad_expression(f"{place}.from", name, source, parse_source)
        else:
            message = f"{name} has no “from”. Enter the value to take, for instance data.id."
            yield Finding("missing_value", f"{place}.from", message)
        if target.strip():
            yield from _check_target(f"{place}.to", name, target, made)
        else:
            message = f"{name} has no “to”. Enter the path to put the value at, for instance customer.id."
            yield Finding("missing_value", f"{place}.to", message)


def _check_target(
    place: str, name: str, text: str, made: dict[Steps, tuple[str, type | None]]
) -> Iterator[Finding]:
    """A finding if the path cannot be read, or can never be filled after the mappings before it.

    Args:
        place: Where in the config the path stands.
        name: The mapping's name in sentences.
        text: The path.
        made: Every place that earlier mappings fill or make, which one it was, and whether it made an object (the
            type of member names), a list (that of indexes) or put its value there (None). The path is added to it.
    """
    try:
        steps = parse_target(text).steps
    except ExpressionError as error:
        yield Finding("bad_expression", place, _sentence(name, error))
        return
    if steps in made:
        message = (
            f"{name} would overwrite what {made[steps][0]} puts there. Give it another path, or remove one."
        )
        yield Finding("mappings_clash", place, message)
        return
    for depth, step in enumerate(steps):
        earlier, kind = made.setdefault(steps[:depth], (name, type(step)))
        if kind not in {None, type(step)}:
            wanted, present = ("a list", "an object") if isinstance(step, int) else ("an object", "a list")
            message = f"{name} needs {wanted} where {earlier} makes {present}. Change one of the two paths."
            yield Finding("mappings_clash", place, message)
            return
    made[steps] = (name, None)


def _check_cases(field: ConfigField, value: object) -> Iterator[Finding]:
    seen: set[str] = set()
    for entry in _entries(field, value, ("expression", "handle"), MAX_CASES):
        if isinstance(entry, Finding):
            yield entry
            continue
        place, name, expression, handle = entry
        if expression.strip():
            yield from _bad_expression(f"{place}.expression", name, expression, parse_expression)
        else:
            message = (
                f"{name} has no expression. Enter one that is true or false, for instance data.total > 100."
            )
            yield Finding("missing_value", f"{place}.expression", message)
        if not handle or len(handle) > MAX_ID_LENGTH or handle == ERROR_HANDLE:
            message = (
                f"{name} needs a branch name of 1 to {MAX_ID_LENGTH} characters other than “{ERROR_HANDLE}”."
            )
            yield Finding("bad_handle", f"{place}.handle", message)
        elif handle in seen:
            message = f"Two cases share the branch name {quoted(handle)}. Give each its own."
            yield Finding("bad_handle", f"{place}.handle", message)
        seen.add(handle)


_CHECKS: dict[FieldType, Check] = {
    "text": _check_text,
    "connection": _check_text,
    "template": _check_template,
    "body": _check_body,
    "expression": _check_expression,
    "milliseconds": _check_number,
    "integer": _check_number,
    "boolean": _check_boolean,
    "choice": _check_choice,
    "headers": _check_headers,
    "inputs": _check_inputs,
    "mappings": _check_mappings,
    "cases": _check_cases,
    "json": _check_json,
}
