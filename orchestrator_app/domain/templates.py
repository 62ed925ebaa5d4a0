"""Templates: text, or the JSON of a request body, in which ``{{ … }}`` stands for the value of an expression."""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from orchestrator_app.domain.expressions import Expression, error_at, place_of
from orchestrator_app.domain.json_text import key_twice, read_json
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.placeholders import Piece, Placeholder, pieces, read_placeholder
from orchestrator_app.errors import ExpressionError


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders, in order."""

    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders in order; rendering takes one value for each."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions of the placeholders, in order."""
        return tuple(placeholder.expression for placeholder in self.placeholders)

    @property
    def is_single(self) -> bool:
        """Whether the template is one placeholder and nothing else, so that its value keeps its type."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Placeholder)

    def render_value(self, values: Sequence[JsonValue]) -> JsonValue:
        """The one value as it is if the template is a single placeholder, else the text."""
        return values[0] if self.is_single else self.render_text(values)

    def render_text(self, values: Sequence[JsonValue]) -> str:
        """The text with the values in it, each as ``text_of`` writes it."""
        rest = iter(values)
        return "".join(part if isinstance(part, str) else text_of(next(rest)) for part in self.parts)


@lru_cache(maxsize=256)
def parse_template(text: str) -> Template:
    """Find the placeholders of a text. A literal ``{{`` is written ``{{"{{"}}``.

    Raises:
        ExpressionError: A ``{{`` is not closed, or holds something that is not JSONata.
    """
    parts = (read_placeholder(text, piece) if piece.is_expression else piece.text for piece in pieces(text))
    return Template(tuple(part for part in parts if part != ""))


def text_of(value: JsonValue) -> str:
    """A value within a text: text as it is, everything else as compact JSON (``null``, ``true``, ``1.5``)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Hole:
    """Where a whole value is put; ``index`` counts the placeholders."""

    index: int


@dataclass(frozen=True, slots=True)
class _Text:
    """A text in quotes: pieces of text, and numbers of the placeholders between them."""

    pieces: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _List:
    items: "tuple[_Shape, ...]"


@dataclass(frozen=True, slots=True)
class _Object:
    members: "tuple[tuple[_Text, _Shape], ...]"


_Shape: TypeAlias = _Hole | _Text | _List | _Object | bool | int | float | None


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """JSON with placeholders. It was read once, so no value can make anything but JSON of it."""

    placeholders: tuple[Placeholder, ...]
    _shape: _Shape = field(repr=False)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions of the placeholders, in order."""
        return tuple(placeholder.expression for placeholder in self.placeholders)

    def render_json(self, values: Sequence[JsonValue]) -> JsonValue:
        """The JSON value: a placeholder outside quotes becomes its value, one inside quotes the text of its value.

        Raises:
            ExpressionError: Two keys of one object come out equal.
        """
        return _rendered(self._shape, values)


@lru_cache(maxsize=256)
def parse_body(text: str) -> BodyTemplate:
    """Read the template of a JSON body, and check that it is JSON whatever the values of its placeholders.

    Raises:
        ExpressionError: It is not, with line, column and the likely cause.
    """
    mark = _unused_character(text)
    body, in_quotes = "", False
    starts: list[tuple[int, Piece]] = []
    placeholders: list[Placeholder] = []
    outside: dict[int, Placeholder] = {}
    for piece in pieces(text):
        starts.append((len(body), piece))
        if piece.is_expression:
            placeholder, hole = read_placeholder(text, piece), f"{mark}{len(placeholders)}{mark}"
            if not in_quotes:
                outside[len(placeholders)] = placeholder
            body += hole if in_quotes else f'"{hole}"'
            placeholders.append(placeholder)
        else:
            body += piece.text
            quotes = sum(match.group() == '"' for match in _QUOTE_OR_ESCAPE.finditer(piece.text))
            in_quotes ^= quotes % 2 == 1
    try:
        value = read_json(body)
    except json.JSONDecodeError as error:
        raise _not_json(text, starts, error, has_placeholders=bool(placeholders)) from error
    return BodyTemplate(tuple(placeholders), _shape(value, re.compile(f"{mark}([0-9]+){mark}"), outside))


_QUOTE_OR_ESCAPE = re.compile(r'\\.|"', re.DOTALL)
_PRIVATE_CHARACTERS = range(0xE000, 0xF900)
_JSON_SENTENCES = (
    ("Expecting property name", "A key in double quotes is expected here."),
    ("Expecting value", "A value is expected here."),
    ("Expecting ':'", "A colon is missing here."),
    ("Expecting ','", "A comma or a closing bracket is missing here."),
    ("Extra data", "The JSON has ended before this."),
    ("Unterminated string", "A quote is opened here, but not closed."),
    ("Invalid control character", r"A line break or tab stands inside quotes. Write it as \n or \t."),
    (
        "Invalid \\",
        r"A backslash is followed by something that JSON does not know. Write \\ for a backslash.",
    ),
    ("Illegal trailing comma", "There is a comma too many here."),
)


def _unused_character(text: str) -> str:
    """A character for private use that the text has neither as it is nor as an escape, to mark placeholders."""
    used = text.lower()
    for code in _PRIVATE_CHARACTERS:
        if chr(code) not in used and f"\\u{code:04x}" not in used:
            return chr(code)
    raise ExpressionError("The body uses every character of Unicode's private area. Leave one of them out.")


def _not_json(
    text: str, starts: Sequence[tuple[int, Piece]], error: json.JSONDecodeError, *, has_placeholders: bool
) -> ExpressionError:
    """The reader's complaint in our words, at its place in the template."""
    start, piece = starts[bisect_right(starts, error.pos, key=lambda item: item[0]) - 1]
    offset = piece.offset - 2 if piece.is_expression else piece.offset + error.pos - start
    sentence = next(
        (ours for theirs, ours in _JSON_SENTENCES if error.msg.startswith(theirs)), f"{error.msg}."
    )
    hint = "Text and keys need double quotes"
    hint += ", also around {{ }} that is to be text or a part of it." if has_placeholders else "."
    return error_at(place_of(text, offset), f"This is not JSON. {sentence}", hint=hint)


def _shape(value: JsonValue, mark: re.Pattern[str], outside: Mapping[int, Placeholder]) -> _Shape:
    """Turn JSON with marks for placeholders into a shape to put values in."""
    if isinstance(value, dict):
        return _Object(
            tuple(
                (_key_shape(key, mark, outside), _shape(item, mark, outside)) for key, item in value.items()
            )
        )
    if isinstance(value, list):
        return _List(tuple(_shape(item, mark, outside) for item in value))
    if isinstance(value, str):
        text = _text_shape(value, mark)
        return next(
            (_Hole(index) for index in text.pieces if isinstance(index, int) and index in outside), text
        )
    return value


def _text_shape(value: str, mark: re.Pattern[str]) -> _Text:
    return _Text(tuple(int(part) if number % 2 else part for number, part in enumerate(mark.split(value))))


def _key_shape(key: str, mark: re.Pattern[str], outside: Mapping[int, Placeholder]) -> _Text:
    text = _text_shape(key, mark)
    for index in text.pieces:
        if isinstance(index, int) and index in outside:
            source = outside[index].expression.source
            raise error_at(
                outside[index].place,
                "{{ }} stands where a key belongs. Keys need double quotes.",
                hint=f'Write "{{{{ {source:.60} }}}}".',
            )
    return text


def _rendered(shape: _Shape, values: Sequence[JsonValue]) -> JsonValue:
    if isinstance(shape, _Hole):
        return values[shape.index]
    if isinstance(shape, _Text):
        return _joined(shape, values)
    if isinstance(shape, _List):
        return [_rendered(item, values) for item in shape.items]
    if isinstance(shape, _Object):
        members: JsonObject = {}
        for key_shape, item in shape.members:
            key = _joined(key_shape, values)
            if key in members:
                raise key_twice(key)
            members[key] = _rendered(item, values)
        return members
    return shape


def _joined(text: _Text, values: Sequence[JsonValue]) -> str:
    return "".join(text_of(values[piece]) if isinstance(piece, int) else piece for piece in text.pieces)
