"""The texts of the drawer: every field of every node kind goes from config to control and back."""

import re
from typing import Any

import pytest

from orchestrator_app.domain.definition import Edge
from orchestrator_app.domain.node_kinds import NODE_KINDS, ConfigField
from orchestrator_app.ui.pages.canvas.field_texts import (
    ROW_KEYS,
    branch_problem,
    field_value,
    rows_of,
    rows_value,
    suggestions,
    value_text,
)
from tests.builders import a_definition, a_node

EXAMPLES: dict[str, list[Any]] = {
    "text": ["workflow 7", " spaces ", "ä😀"],
    "template": ["https://x.y/{{ data.id }}"],
    "body": ['{"a": {{ data }}}'],
    "expression": ["data.total > 100"],
    "connection": ["c-1"],
    "milliseconds": [1, 86_400_000],
    "integer": [0, 10],
    "boolean": [True, False],
    "json": [{"type": "object", "required": ["a"], "n": 1.5, "ä": None}],
}
FIELDS = [(kind, field) for kind in NODE_KINDS.values() for field in kind.fields]
PLAIN = [(kind.name, field) for kind, field in FIELDS if field.type not in ROW_KEYS]


def examples(field: ConfigField) -> list[Any]:
    return list(field.choices) if field.type == "choice" else EXAMPLES[field.type]


@pytest.mark.parametrize(("kind", "field"), PLAIN, ids=[f"{kind}.{field.key}" for kind, field in PLAIN])
def test_a_value_comes_back_from_its_text(kind: str, field: ConfigField):
    for value in examples(field):
        text = value_text(a_node("a", kind, {field.key: value}), field.key)
        assert isinstance(text, str)
        assert field_value(field, text) == value


@pytest.mark.parametrize(("kind", "field"), PLAIN, ids=[f"{kind}.{field.key}" for kind, field in PLAIN])
def test_an_empty_control_means_that_the_default_counts(kind: str, field: ConfigField):
    assert field_value(field, "") is None
    assert field_value(field, " \n ") is None
    shown = value_text(a_node("a", kind, {}), field.key)
    if shown:
        assert field_value(field, shown) == field.default


def field_of(kind: str, key: str) -> ConfigField:
    field = NODE_KINDS[kind].field(key)
    assert field is not None
    return field


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        (field_of("RemoteWebhook", "timeout"), "abc", "“abc” is no whole number"),
        (field_of("RemoteWebhook", "timeout"), "1.5", "is no whole number"),
        (field_of("RemoteWebhook", "timeout"), "1e3", "is no whole number"),
        (field_of("RemoteWebhook", "timeout"), "9" * 5_000, "is no whole number"),
        (field_of("RemoteWebhook", "timeout"), "9" * 19, "too large"),
        (field_of("RemoteWebhook", "method"), "STEAL", "Choose one of: POST, GET"),
        (field_of("WaitForCallback", "schema"), "{", "This is not JSON: line 1, column 2"),
        (field_of("WaitForCallback", "schema"), "[1]", "must be a JSON object"),
        (field_of("WaitForCallback", "schema"), '{"a": NaN}', "JSON has no NaN"),
        (field_of("WaitForCallback", "schema"), '{"a": 1, "a": 2}', "twice"),
        (field_of("WaitForCallback", "schema"), '{"a": "\\ud800"}', "half of a character"),
        (field_of("WaitForCallback", "schema"), '{"a":' * 90 + "1" + "}" * 90, "nested"),
        (field_of("WaitForCallback", "schema"), "[" * 100_000, "nested"),
    ],
)
def test_a_text_that_cannot_be_the_value_is_told(field: ConfigField, text: str, words: str):
    with pytest.raises(ValueError, match=re.escape(words)) as refusal:
        field_value(field, text)
    assert len(str(refusal.value)) < 300


def test_numbers_may_be_written_with_gaps():
    assert field_value(field_of("RemoteWebhook", "timeout"), " 30 000 ") == 30_000
    assert field_value(field_of("RemoteWebhook", "timeout"), "30_000") == 30_000


def test_a_yes_or_no_is_nothing_else():
    assert field_value(field_of("RemoteWebhook", "idempotent"), "maybe") is None


def test_a_text_of_an_unknown_key_is_shown_too():
    assert value_text(a_node("a", "RemoteWebhook", {"old": 5}), "old") == "5"


# --- rows ---


def test_rows_of_what_is_no_list_are_none():
    for key in ROW_KEYS:
        assert rows_of(a_node("a", "DataMapper", {key: "nonsense"}), key) == []
        assert rows_of(a_node("a", "DataMapper", {}), key) == []
    assert rows_of(a_node("a", "DataMapper", {"mappings": [5, {"from": 7}]}), "mappings") == [
        {"from": "7", "to": ""}
    ]


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("RemoteWebhook", "headers", {"X-A": "1", "X-B": "{{ data }}"}),
        ("DataMapper", "mappings", [{"from": "data", "to": "a"}, {"from": "", "to": ""}]),
        ("Condition", "cases", [{"expression": "a", "handle": "x"}, {"expression": "", "handle": "y"}]),
    ],
)
def test_rows_come_back_as_the_value(kind: str, key: str, value: Any):
    node = a_node("a", kind, {key: value})
    assert rows_value(key, rows_of(node, key), node) == (value, {})


def test_a_header_without_a_name_waits_and_a_second_one_of_a_name_is_told():
    rows = [{"name": name, "value": value} for name, value in (("", "x"), (" A ", "1"), ("A", "2"))]
    value, refused = rows_value("headers", rows, a_node("a", "RemoteWebhook"))
    assert value == {"A": "1"}
    assert list(refused) == ["headers[2]"]


def a_row(handle: str, was: str = "") -> dict[str, str]:
    return {"expression": "true", "handle": handle, "was": was}


def names_after(*rows: dict[str, str], default: str = "default") -> tuple[list[str], list[str]]:
    value, refused = rows_value("cases", rows, a_node("a", "Condition", {"defaultHandle": default}))
    assert isinstance(value, list)
    assert [row["was"] for row in rows] == [case["handle"] for case in value]  # pyright: ignore[reportCallIssue, reportArgumentType, reportIndexIssue, reportOptionalSubscript]
    return [row["was"] for row in rows], list(refused)


def test_a_branch_is_renamed_only_to_a_name_of_its_own():
    assert names_after(a_row("new", "old"), a_row("b", "b")) == (["new", "b"], [])
    assert names_after(a_row("b", "old"), a_row("b", "b")) == (["old", "b"], ["cases[0]"])
    assert names_after(a_row("a", "a"), a_row("a", "b")) == (["a", "b"], ["cases[1]"])
    assert names_after(a_row("", "old")) == (["old"], ["cases[0]"])
    assert names_after(a_row("error", "old")) == (["old"], ["cases[0]"])
    assert names_after(a_row("else", "old"), default="else") == (["old"], ["cases[0]"])
    assert names_after(a_row("x" * 201, "old")) == (["old"], ["cases[0]"])


def test_what_was_wrong_before_stays_and_is_left_to_the_checks():
    assert names_after(a_row("a", "a"), a_row("a", "a")) == (["a", "a"], [])
    assert names_after(a_row("", "")) == ([""], [])


def test_two_rows_may_not_swap_names_by_typing():
    assert names_after(a_row("b", "a"), a_row("a", "b")) == (["a", "b"], ["cases[0]", "cases[1]"])


def test_why_a_name_is_no_branch():
    assert branch_problem("a", {"b"}) == ""
    assert "needs a name" in branch_problem("", set())
    assert "already" in branch_problem("a", {"a"})


def test_expressions_can_name_what_comes_before():
    nodes = [a_node(name, label=f"Node {name}") for name in "abcd"]
    edges = [Edge("1", "a", "b"), Edge("2", "b", "c"), Edge("3", "a", "c"), Edge("4", "c", "d")]
    labels = [item["label"] for item in suggestions(a_definition(nodes, edges), nodes[2])]
    assert labels[0] == "data"
    assert [label for label in labels if label.startswith("nodes.")] == [
        "nodes.`Node a`.output",
        "nodes.`Node b`.output",
    ]
