"""Text templates and templates of JSON bodies."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_app.domain.expressions import Expression, Place
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.templates import parse_body, parse_template, text_of
from orchestrator_app.errors import ExpressionError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def body_refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_body(text)
    return caught.value


def test_a_template_holds_texts_and_placeholders_in_order():
    template = parse_template("Hello {{name}},\n{{ $sum(a) }}")
    assert template.expressions == (Expression("name", ("name",)), Expression("$sum(a)"))
    assert [placeholder.place for placeholder in template.placeholders] == [Place(1, 9), Place(2, 4)]
    assert template.render_text(["Ann", 3]) == "Hello Ann,\n3"


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "x", [1], {"a": None}])
def test_a_single_placeholder_keeps_the_type_of_its_value(value: JsonValue):
    template = parse_template("{{ a }}")
    assert template.is_single
    assert template.render_value([value]) is value


@pytest.mark.parametrize("text", ["{{a}} ", "{{a}}{{a}}", "x", ""])
def test_any_other_template_gives_text(text: str):
    template = parse_template(text)
    assert not template.is_single
    assert template.render_value([1] * len(template.expressions)) == text.replace("{{a}}", "1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('é " \n', 'é " \n'),
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        ([1, "é"], '[1,"é"]'),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
    ],
)
def test_a_value_within_text_is_text_or_compact_json(value: JsonValue, text: str):
    assert text_of(value) == text
    assert parse_template("<{{a}}>").render_text([value]) == f"<{text}>"


def test_two_braces_can_be_written_as_an_expression():
    assert parse_template('{{"{{"}}').expressions == (Expression('"{{"'),)


@settings(deadline=None)
@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_braces_is_unchanged(text: str):
    template = parse_template(text)
    assert template.expressions == ()
    assert template.render_text([]) == text
    assert template.render_value([]) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {{ }}", "Line 1, column 6: The expression is empty."),
        ("a\n{{ b c }}", "Line 2, column 6: c is not expected here."),
        ("{{ a", "Line 1, column 1: {{ is opened here, but not closed."),
    ],
)
@pytest.mark.parametrize("parse", [parse_template, parse_body])
def test_a_wrong_placeholder_is_refused_with_its_place(parse: Any, text: str, message: str):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "values", "result"),
    [
        ("{{a}}", [{"x": [1]}], {"x": [1]}),
        ('{"a": {{a}}, "b": [{{b}}, 1]}', ["x", None], {"a": "x", "b": [None, 1]}),
        ('{"a": "{{a}}"}', [5], {"a": "5"}),
        ('{"a": "Hello {{a}} and {{b}}!"}', ['"Ann"\n', {"x": 1}], {"a": 'Hello "Ann"\n and {"x":1}!'}),
        ('{"{{a}}-{{b}}": true}', ["k", 1], {"k-1": True}),
        (r'{"a": "\"{{a}}\" \\"}', ["x"], {"a": '"x" \\'}),
        ('{"a": {{ {"b": {"c": "}}"}} }}}', [1], {"a": 1}),
        ('{"a": "{{ data["x y"] }}"}', ["v"], {"a": "v"}),
        ('  [1, 2.5, "x", true, null, {}]  ', [], [1, 2.5, "x", True, None, {}]),
        ('"\ue000 \\ue001 {{a}}"', ["v"], "\ue000 \ue001 v"),
    ],
)
def test_a_body_takes_json_outside_quotes_and_text_inside(
    text: str, values: list[JsonValue], result: JsonValue
):
    body = parse_body(text)
    assert len(body.placeholders) == len(body.expressions) == len(values)
    assert body.render_json(values) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Line 1, column 1: This is not JSON. A value is expected here."),
        ("Hello {{a}}", "Line 1, column 1: This is not JSON. A value is expected here."),
        (
            '{"a": 1 {{a}}}',
            "Line 1, column 9: This is not JSON. A comma or a closing bracket is missing here.",
        ),
        (
            '{"a": 1{{a}}}',
            "Line 1, column 8: This is not JSON. A comma or a closing bracket is missing here.",
        ),
        (
            '{"a": {{a}}1}',
            "Line 1, column 12: This is not JSON. A comma or a closing bracket is missing here.",
        ),
        ("{{a}}{{b}}", "Line 1, column 6: This is not JSON. The JSON has ended before this."),
        ("{{a}} x", "Line 1, column 7: This is not JSON. The JSON has ended before this."),
        ('{\n "a" {{a}}}', "Line 2, column 6: This is not JSON. A colon is missing here."),
        ('{a: "{{a}}"}', "Line 1, column 2: This is not JSON. A key in double quotes is expected here."),
        (
            '{"a": "{{a}}\n"}',
            "Line 1, column 13: This is not JSON. A line break or tab stands inside quotes.",
        ),
        (r'{"a": "\x"}', "Line 1, column 8: This is not JSON. A backslash is followed by something"),
        (r'{"a": "\{{a}}"}', "Line 1, column 8: This is not JSON. A backslash is followed by something"),
        ('{"a": "x}', "Line 1, column 7: This is not JSON. A quote is opened here, but not closed."),
        ('{"a": "{{a}}', "Line 1, column 7: This is not JSON. A quote is opened here, but not closed."),
        ('{"a": [1,]}', "Line 1, column "),
        ("-{{a}}", "Line 1, column 1: This is not JSON. A value is expected here."),
        ("{ {{a}}: 1}", "Line 1, column 5: {{ }} stands where a key belongs. Keys need double quotes."),
        ('{"a": 1, "a": {{a}}}', 'The key "a" stands twice in one object.'),
        ("[NaN]", "JSON has no NaN."),
        ("[" * 65 + "{{a}}" + "]" * 65, "The JSON is nested more than 64 levels deep."),
    ],
)
def test_a_body_that_could_give_anything_but_json_is_refused(text: str, message: str):
    assert body_refusal(text).message.startswith(message)


def test_the_hint_for_wrong_json_is_about_quotes():
    assert body_refusal("{a: 1}").hint == "Text and keys need double quotes."
    assert "also around {{ }}" in body_refusal('{"a": x{{a}}}').hint
    assert body_refusal("{ {{ a.b }}: 1}").hint == 'Write "{{ a.b }}".'


def test_keys_that_come_out_equal_are_refused():
    body = parse_body('{"{{a}}": 1, "{{b}}": 2}')
    assert body.render_json(["x", "y"]) == {"x": 1, "y": 2}
    with pytest.raises(ExpressionError, match='The key "x" stands twice'):
        body.render_json(["x", "x"])


def test_a_body_that_leaves_no_character_as_a_mark_is_refused():
    assert (
        "private area"
        in body_refusal(json.dumps("".join(map(chr, range(0xE000, 0xF900))), ensure_ascii=False)).message
    )


def test_each_rendering_gives_data_of_its_own():
    body = parse_body('{"a": [1], "b": {{b}}}')
    first = body.render_json([1])
    assert isinstance(first, dict)
    first["a"] = "changed"
    assert body.render_json([2]) == {"a": [1], "b": 2}


# Bodies as trees: ("hole",) a placeholder outside quotes, ("text", pieces) a text in quotes in whose gaps placeholders
# stand, ("list", items), ("object", {pieces of the key: item}).
PIECE = st.text().filter(lambda text: "{" not in text)
PIECES = st.lists(PIECE, min_size=1, max_size=3).map(tuple)
TREES = st.recursive(
    st.just(("hole",)) | st.tuples(st.just("text"), PIECES),
    lambda inner: (
        st.tuples(st.just("list"), st.lists(inner, max_size=3))
        | st.tuples(st.just("object"), st.dictionaries(PIECES, inner, max_size=3))
    ),
    max_leaves=8,
)


class Written:
    """The text of a tree, and what it must become."""

    def __init__(self, values: st.DataObject, *, is_ascii: bool) -> None:
        self.values: list[JsonValue] = []
        self._drawn = values
        self._is_ascii = is_ascii

    def value(self) -> JsonValue:
        self.values.append(self._drawn.draw(JSON))
        return self.values[-1]

    def quoted(self, pieces: tuple[str, ...]) -> tuple[str, str]:
        escaped = [json.dumps(piece, ensure_ascii=self._is_ascii)[1:-1] for piece in pieces]
        text, result = f'"{escaped[0]}', pieces[0]
        for piece, raw in zip(escaped[1:], pieces[1:], strict=True):
            text += "{{ v }}" + piece
            result += text_of(self.value()) + raw
        return f'{text}"', result

    def tree(self, tree: Any) -> tuple[str, Any]:
        if tree[0] == "hole":
            return "{{ v }}", self.value()
        if tree[0] == "text":
            return self.quoted(tree[1])
        if tree[0] == "list":
            items = [self.tree(item) for item in tree[1]]
            return f"[{','.join(text for text, _ in items)}]", [result for _, result in items]
        members = [(self.quoted(key), self.tree(item)) for key, item in tree[1].items()]
        text = ",".join(f"{key}:{item}" for (key, _), (item, _) in members)
        return f"{{ {text} }}", [(key, item) for (_, key), (_, item) in members]


def as_data(result: Any, rendered: Any) -> Any:
    """The expected tree with its objects as dicts; they stand as pairs, so that equal keys can be noticed."""
    if isinstance(result, list) and isinstance(rendered, dict):
        return {key: as_data(item, rendered[key]) for key, item in result}
    if isinstance(result, list) and isinstance(rendered, list):
        return [as_data(item, other) for item, other in zip(result, rendered, strict=True)]
    return result


def has_equal_keys(result: Any, tree: Any) -> bool:
    if tree[0] == "list":
        return any(has_equal_keys(item, inner) for item, inner in zip(result, tree[1], strict=True))
    if tree[0] == "object":
        keys = [key for key, _ in result]
        inner = zip(result, tree[1].values(), strict=True)
        return len(set(keys)) < len(keys) or any(has_equal_keys(item, child) for (_, item), child in inner)
    return False


@settings(deadline=None, max_examples=200)
@given(tree=TREES, data=st.data(), is_ascii=st.booleans())
def test_a_valid_body_gives_valid_json_whatever_the_values(tree: Any, data: st.DataObject, is_ascii: bool):  # noqa: FBT001
    written = Written(data, is_ascii=is_ascii)
    text, expected = written.tree(tree)
    try:
        body = parse_body(text)
        rendered = body.render_json(written.values)
    except ExpressionError as error:
        refused = error.message
    else:
        refused = ""
        assert rendered == as_data(expected, rendered)
        assert json.loads(json.dumps(rendered, allow_nan=False)) == rendered
    assert bool(refused) == has_equal_keys(expected, tree)
    assert refused == "" or "stands twice" in refused


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(['"', "{{a}}", "{", "}", "[", "]", ",", ":", "1", "\\", " ", "a", "-", ".", "\n"]),
        max_size=12,
    )
)
def test_any_body_is_json_with_any_values_or_refused(words: list[str]):
    try:
        body = parse_body("".join(words))
    except ExpressionError:
        return
    values: list[JsonValue] = [1, 'x"\n', None, [1]]
    for value in values:
        json.dumps(body.render_json([value] * len(body.placeholders)), allow_nan=False)
