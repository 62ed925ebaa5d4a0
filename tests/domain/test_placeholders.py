"""Finding ``{{ }}`` in a text, whatever JSONata stands in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_app.domain.expressions import Expression, Place
from orchestrator_app.domain.placeholders import Piece, Placeholder, pieces, read_placeholder
from orchestrator_app.errors import ExpressionError

EXPRESSIONS = [
    "a",
    " a.b[0].c ",
    '{"a": {"b": 1}}',
    '{"a":{"b":{}}}',
    ' {"a": "}}"} ',
    "'}}' & \"}}\"",
    r'"\"}}"',
    r"'\'}}'",
    "nodes.`}}`.output",
    "/* }} ' */ a",
    r"$match(a, /\}\}/)",
    r"$match(a, /[/]\}\}\/\}\}/i)",
    r"a and /\}\}/",
    r"$replace(a, /\{\{/, '{{')",
    "(a)/b}.c",
    "a / b / c",
    "a[0]/2",
    "`a`/2",
    '"{{"',
    "it's",
    "a\n  .b",
    "|$|{'a': 1}|",
    "function($x){ {'y': $x} }",
]


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        list(pieces(text))
    return caught.value


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_braces_quotes_and_slashes_of_an_expression_do_not_end_it(source: str):
    text = f"before {{{{{source}}}}} between {{{{{source}}}}}"
    assert [piece.text for piece in pieces(text)] == ["before ", source, " between ", source, ""]


def test_a_piece_knows_where_it_begins():
    assert list(pieces("ab{{ c }}d")) == [
        Piece(0, "ab", is_expression=False),
        Piece(4, " c ", is_expression=True),
        Piece(9, "d", is_expression=False),
    ]


def test_a_placeholder_knows_line_and_column_of_its_expression():
    text = "first\n{{  a.b }}"
    piece = list(pieces(text))[1]
    assert read_placeholder(text, piece) == Placeholder(Expression("a.b", ("a", "b")), Place(2, 5))


@settings(deadline=None)
@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_braces_is_one_piece(text: str):
    assert list(pieces(text)) == [Piece(0, text, is_expression=False)]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(EXPRESSIONS), st.text().filter(lambda t: "{" not in t and "}" not in t)),
        max_size=5,
    )
)
def test_texts_and_expressions_come_back_as_they_were_put_in(parts: list[tuple[str, str]]):
    text = "".join(f"{{{{{source}}}}}{behind}" for source, behind in parts)
    expected = ["", *(word for source, behind in parts for word in (source, behind))]
    assert [piece.text for piece in pieces(text)] == expected


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a\n {{ b", "Line 2, column 2", "Write }} behind the expression."),
        ("{{", "Line 1, column 1", "Write }} behind the expression."),
        ("{{ a }", "Line 1, column 1", "Write }} behind the expression."),
        ('{{ {"a": 1 }}', "Line 1, column 1", "Write }} behind the expression."),
        ('{{ {"a": {"b": 1 }', "Line 1, column 1", "Inside it a { is opened and not closed."),
        ('{{ "a }}', "Line 1, column 1", 'Inside it a " is opened and not closed.'),
        ("{{ 'a }}", "Line 1, column 1", "Inside it a ' is opened and not closed."),
        ("{{ `a }}", "Line 1, column 1", "Inside it a ` is opened and not closed."),
        ("{{ a /* b }}", "Line 1, column 1", "Inside it a /* is opened and not closed."),
        ("{{ a = /b }}", "Line 1, column 1", "Inside it a / is opened and not closed."),
        ("{{ { /b }}", "Line 1, column 1", "Inside it a / is opened and not closed."),
    ],
)
def test_an_unclosed_placeholder_is_refused_where_it_opens(text: str, place: str, hint: str):
    error = refusal(text)
    assert error.message == f"{place}: {{{{ is opened here, but not closed."
    assert error.hint == hint


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("{}{}{}\"'`/\\* a,()[]\n"), max_size=30))
def test_any_text_is_cut_into_pieces_that_make_it_up_again_or_refused(text: str):
    try:
        found = list(pieces(text))
    except ExpressionError as error:
        refused = error.message
    else:
        refused = ""
        whole = "".join(f"{{{{{piece.text}}}}}" if piece.is_expression else piece.text for piece in found)
        assert whole == text
    assert refused == "" or "{{ is opened here" in refused
