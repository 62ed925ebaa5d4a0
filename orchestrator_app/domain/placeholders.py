"""Placeholders: where in a text a ``{{ … }}`` begins and ends, and the expression in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator_app.domain.expressions import Expression, Place, error_at, parse_expression, place_of


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One ``{{ … }}`` of a template, and where its expression begins."""

    expression: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template: text as it is, or what stands between ``{{`` and ``}}``.

    Attributes:
        offset: Where it begins; for an expression, behind the ``{{``.
        text: What stands there.
        is_expression: Whether it stood in ``{{ }}``.
    """

    offset: int
    text: str
    is_expression: bool


def pieces(text: str) -> Iterator[Piece]:
    """Cut a template into pieces: text and expressions in turn, text (perhaps empty) first and last.

    Raises:
        ExpressionError: A ``{{`` is not closed.
    """
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        yield Piece(position, text[position:opening], is_expression=False)
        closing = _end_of_expression(text, opening)
        yield Piece(opening + 2, text[opening + 2 : closing], is_expression=True)
        position = closing + 2
    yield Piece(position, text[position:], is_expression=False)


def read_placeholder(text: str, piece: Piece) -> Placeholder:
    """Check the expression of a piece of this text.

    Raises:
        ExpressionError: It is empty or not JSONata.
    """
    expression = parse_expression(piece.text, text=text, start=piece.offset)
    indent = len(piece.text) - len(piece.text.lstrip())
    return Placeholder(expression, place_of(text, piece.offset + indent))


_STOPS = r" \t\n\r.\[\]{}(),@#;:?+\-*/%|=<>^&!~"
_WORD = re.compile(
    rf"""(?P<blank>[ \t\n\r]+|/\*.*?\*/)
    |(?P<operand>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[)\]])
    |(?P<unclosed>/\*|["'`])
    |(?P<name>[^{_STOPS}][^{_STOPS}]*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPERATOR_NAMES = frozenset({"and", "or", "in"})


def _end_of_expression(text: str, opening: int) -> int:
    """Offset of the ``}}`` that closes a ``{{``.

    Reads the words of JSONata, so that braces in quotes, comments and regular expressions do not count. A ``/``
    behind an operand divides; anywhere else it opens a regular expression.
    """
    position, depth, is_behind_operand, culprit = opening + 2, 0, False, ""
    while match := _WORD.match(text, position):
        kind, word = match.lastgroup, match.group()
        position = match.end()
        if word == "}" and depth == 0 and text.startswith("}", position):
            return position - 1
        is_regex = word == "/" and not is_behind_operand
        if is_regex:
            position = _end_of_regex(text, position)
        if kind == "unclosed" or position < 0:
            culprit = word
            break
        if kind != "blank":
            depth = max(0, depth + (word == "{") - (word == "}"))
            is_name = kind == "name" and word not in _OPERATOR_NAMES
            is_behind_operand = is_name or is_regex or kind == "operand" or word == "}"
    culprit = culprit or ("{" if depth else "")
    hint = (
        f"Inside it a {culprit} is opened and not closed." if culprit else "Write }} behind the expression."
    )
    raise error_at(place_of(text, opening), "{{ is opened here, but not closed.", hint=hint)


def _end_of_regex(text: str, start: int) -> int:
    """Offset behind the ``/`` that closes a regular expression, or -1. A ``/`` within brackets does not close it."""
    depth, is_escaped = 0, False
    for position in range(start, len(text)):
        character = text[position]
        if is_escaped:
            is_escaped = False
        elif character == "/" and depth == 0:
            return position + 1
        else:
            is_escaped = character == "\\"
            depth += (character in "([{") - (character in ")]}")
    return -1
