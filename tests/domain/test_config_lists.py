from typing import Any

import pytest

from orchestrator_app.domain.config_checks import Finding, check_config
from tests.builders import RUNNABLE_CONFIGS, a_node


def findings(kind: str, **config: Any) -> list[Finding]:
    return list(check_config(a_node(kind=kind, config=RUNNABLE_CONFIGS[kind] | config)))


def only(kind: str, **config: Any) -> Finding:
    found = findings(kind, **config)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("headers", "place", "code", "sentence"),
    [
        (
            {"X Key": "1"},
            "headers.X Key",
            "bad_header",
            "“X Key” cannot be the name of a header. Use letters, digits and hyphens only.",
        ),
        (
            {"": "1"},
            "headers.",
            "bad_header",
            "“” cannot be the name of a header. Use letters, digits and hyphens only.",
        ),
        (
            {"Host": "evil"},
            "headers.Host",
            "bad_header",
            "The header “Host” cannot be set here: the connection sets it. Remove it.",
        ),
        (
            {"Proxy-Authorization": "x"},
            "headers.Proxy-Authorization",
            "bad_header",
            "The header “Proxy-Authorization” cannot be set here: the connection sets it. Remove it.",
        ),
        (
            {"X-Key": "1", "x-key": "2"},
            "headers.x-key",
            "bad_header",
            "The header “x-key” is there twice, with small and with capital letters. Remove one.",
        ),
        (
            {"x-key": "1", "X-Key": "2"},
            "headers.X-Key",
            "bad_header",
            "The header “X-Key” is there twice, with small and with capital letters. Remove one.",
        ),
        ({"X-Key": 5}, "headers.X-Key", "wrong_type", "The header “X-Key” must be text, not a number."),
        (
            {"X-Key": "a\r\nX-Other: b"},
            "headers.X-Key",
            "bad_header",
            "The header “X-Key” holds a line break or another control character. Keep its value on one line.",
        ),
    ],
)
def test_a_header_that_cannot_be_sent_is_named(headers, place, code, sentence):
    found = only("RemoteWebhook", headers=headers)
    assert (found.field, found.code, found.message) == (place, code, sentence)
    assert found.blocks == ("save" if code == "wrong_type" else "run")


def test_a_header_may_hold_a_template_without_syntax_errors():
    assert findings("RemoteWebhook", headers={"Authorization": "Bearer {{vars.token}}", "X-Empty": ""}) == []
    found = only("RemoteWebhook", headers={"Authorization": "Bearer {{vars.}}"})
    assert (found.code, found.field) == ("bad_expression", "headers.Authorization")
    assert found.message.startswith("The header “Authorization”: Line 1, column ")


def mapping(source: Any = "data", target: Any = "x") -> dict[str, Any]:
    return {"from": source, "to": target}


@pytest.mark.parametrize(
    "source", ["data.id", "=5", '={"a": 1}', "=hello", "Hello {{data.name}}", "$sum(data.items.price)"]
)
@pytest.mark.parametrize("target", ["a", "a.b[0].c", "output.a", 'a."first name"'])
def test_a_mapping_takes_expressions_literals_and_templates_to_paths(source, target):
    assert findings("DataMapper", mappings=[mapping(source, target)]) == []


@pytest.mark.parametrize(
    ("item", "code", "place", "sentence"),
    [
        (
            "a → b",
            "wrong_type",
            "mappings[0]",
            "Mapping 1 must be an object with “from” and “to”, and nothing else.",
        ),
        (
            mapping() | {"type": "x"},
            "wrong_type",
            "mappings[0]",
            "Mapping 1 must be an object with “from” and “to”, and nothing else.",
        ),
        (mapping(source=5), "wrong_type", "mappings[0]", "“from” and “to” of Mapping 1 must be text."),
        (mapping(target=None), "wrong_type", "mappings[0]", "“from” and “to” of Mapping 1 must be text."),
        (
            {"to": "x"},
            "missing_value",
            "mappings[0].from",
            "Mapping 1 has no “from”. Enter the value to take, for instance data.id.",
        ),
        (
            mapping(target=" "),
            "missing_value",
            "mappings[0].to",
            "Mapping 1 has no “to”. Enter the path to put the value at, for instance customer.id.",
        ),
    ],
)
def test_a_broken_mapping_is_named_by_its_number(item, code, place, sentence):
    found = only("DataMapper", mappings=[item])
    assert (found.code, found.field, found.message) == (code, place, sentence)
    assert found.blocks == ("save" if code == "wrong_type" else "run")


def test_a_mapping_with_two_syntax_errors_has_two_findings():
    found = findings("DataMapper", mappings=[mapping(), mapping("data.", "a..b")])
    assert [(finding.code, finding.field) for finding in found] == [
        ("bad_expression", "mappings[1].from"),
        ("bad_expression", "mappings[1].to"),
    ]
    assert all(finding.message.startswith("Mapping 2: Line 1, column ") for finding in found)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (
            "a.b",
            "a.b",
            "Mapping 2 would overwrite what Mapping 1 puts there. Give it another path, or remove one.",
        ),
        (
            "a.b",
            "output.a",
            "Mapping 2 would overwrite what Mapping 1 puts there. Give it another path, or remove one.",
        ),
        (
            "a.b",
            "a[0]",
            "Mapping 2 needs a list where Mapping 1 makes an object. Change one of the two paths.",
        ),
        (
            "a[0].b",
            "a.b",
            "Mapping 2 needs an object where Mapping 1 makes a list. Change one of the two paths.",
        ),
    ],
)
def test_mappings_that_can_never_work_together_are_told_before_a_run(first, second, sentence):
    found = only("DataMapper", mappings=[mapping(target=first), mapping(target=second)])
    assert found == Finding("mappings_clash", "mappings[1].to", sentence, "run")


@pytest.mark.parametrize(("first", "second"), [("a", "a.b"), ("a", "a[0]"), ("a.b", "a.c"), ("a[0]", "a[1]")])
def test_mappings_that_may_work_together_are_left_to_the_run(first, second):
    assert findings("DataMapper", mappings=[mapping(target=first), mapping(target=second)]) == []


def case(expression: Any = "data.x", handle: Any = "yes") -> dict[str, Any]:
    return {"expression": expression, "handle": handle}


@pytest.mark.parametrize(
    ("item", "code", "place", "sentence"),
    [
        (
            5,
            "wrong_type",
            "cases[1]",
            "Case 2 must be an object with “expression” and “handle”, and nothing else.",
        ),
        (
            case() | {"label": "x"},
            "wrong_type",
            "cases[1]",
            "Case 2 must be an object with “expression” and “handle”, and nothing else.",
        ),
        (
            case(expression=True),
            "wrong_type",
            "cases[1]",
            "“expression” and “handle” of Case 2 must be text.",
        ),
        (
            case(expression=" "),
            "missing_value",
            "cases[1].expression",
            "Case 2 has no expression. Enter one that is true or false, for instance data.total > 100.",
        ),
        (
            case(handle=""),
            "bad_handle",
            "cases[1].handle",
            "Case 2 needs a branch name of 1 to 200 characters other than “error”.",
        ),
        (
            case(handle="error"),
            "bad_handle",
            "cases[1].handle",
            "Case 2 needs a branch name of 1 to 200 characters other than “error”.",
        ),
        (
            case(handle="x" * 201),
            "bad_handle",
            "cases[1].handle",
            "Case 2 needs a branch name of 1 to 200 characters other than “error”.",
        ),
        (
            case(handle="first"),
            "bad_handle",
            "cases[1].handle",
            "Two cases share the branch name “first”. Give each its own.",
        ),
    ],
)
def test_a_broken_case_is_named_by_its_number(item, code, place, sentence):
    found = only("Condition", cases=[case(handle="first"), item])
    assert (found.code, found.field, found.message) == (code, place, sentence)
    assert found.blocks == ("save" if code == "wrong_type" else "run")


def test_a_case_with_a_syntax_error_names_line_and_column():
    found = only("Condition", cases=[case("data.total >")])
    assert (found.code, found.field) == ("bad_expression", "cases[0].expression")
    assert found.message.startswith("Case 1: Line 1, column ")


@pytest.mark.parametrize(
    ("kind", "key", "value", "sentence"),
    [
        ("Condition", "cases", [{}] * 101, "“Cases” has 101 entries; at most 100 are allowed."),
        ("DataMapper", "mappings", [{}] * 501, "“Mappings” has 501 entries; at most 500 are allowed."),
        (
            "RemoteWebhook",
            "headers",
            {f"X-{i}": "" for i in range(101)},
            "“Headers” has 101 entries; at most 100 are allowed.",
        ),
    ],
)
def test_too_long_lists_are_refused_as_a_whole(kind, key, value, sentence):
    found = only(kind, **{key: value})
    assert found == Finding("too_many", key, f"{sentence} Remove some, or split the node.", "save")


def test_the_longest_lists_are_accepted():
    assert findings("Condition", cases=[case(handle=f"b{i}") for i in range(100)]) == []
    assert findings("DataMapper", mappings=[mapping(target=f"a{i}") for i in range(500)]) == []
    assert findings("RemoteWebhook", headers={f"X-{i}": "" for i in range(100)}) == []


@pytest.mark.parametrize(
    ("inputs", "place", "code", "sentence"),
    [
        ([], "inputs", "wrong_type", "“Inputs” must be an object of names and values, not a list."),
        (
            {"age": 5},
            "inputs.age",
            "wrong_type",
            "The input “age” must be text, not a number. Write other values as {{ 5 }}.",
        ),
        ({"a": "{{ }"}, "inputs.a", "bad_expression", "The input “a”: "),
        ({"a": "1", "a.b": "2"}, "inputs.a.b", "bad_input", "The inputs “a” and “a.b” cannot both be there."),
        ({"": "1"}, "inputs.", "bad_input", "“” cannot be the name of an input."),
        (
            {f"n{number}": "1" for number in range(201)},
            "inputs",
            "too_many",
            "“Inputs” has 201 entries; at most 200 are allowed. Remove some, or split the node.",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["RemoteWebhook", "LocalFlow"])
def test_an_input_that_cannot_be_given_is_a_finding(
    kind: str, inputs: Any, place: str, code: str, sentence: str
):
    found = only(kind, inputs=inputs)
    assert (found.field, found.code) == (place, code)
    assert found.message.startswith(sentence)


def test_inputs_with_templates_are_fine():
    assert findings("RemoteWebhook", inputs={"form.name": "{{ data.name }}", "form.age": "{{ 5 }}"}) == []
