"""Expressions: JSONata whose syntax is checked here, and plain dotted paths that are looked up without JSONata."""

import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from orchestrator_app.domain.json_values import JsonValue, type_name
from orchestrator_app.errors import ExpressionError

# Importing the parser raises the recursion limit of the whole process tenfold, which is not for a parser to decide.
_RECURSION_LIMIT = sys.getrecursionlimit()
from jsonata.jexception import JException  # noqa: E402  # pyright: ignore[reportMissingTypeStubs]
from jsonata.parser import Parser  # noqa: E402  # pyright: ignore[reportMissingTypeStubs]

sys.setrecursionlimit(_RECURSION_LIMIT)

MAX_SOURCE_LENGTH = 10_000
MAX_PATH_STEPS = 100
_MAX_NESTING = 100
_MAX_CHAIN = 250
_MAX_PARSER_STEPS = 20_000
_MAX_REGEX_LENGTH = 500
_SHOWN_KEYS = 10
_SHOWN_LENGTH = 60
_COMPARED_KEYS = 200


class NoValue(Enum):
    """What stands where a value would stand."""

    MISSING = "missing"
    UNCLEAR = "unclear"


MISSING: Final = NoValue.MISSING
"""There is no such value. Not the same as ``null``, which is one."""
UNCLEAR: Final = NoValue.UNCLEAR
"""A path means more than steps from object to object here, so that JSONata itself has to evaluate it."""

Missing: TypeAlias = Literal[NoValue.MISSING]
Unclear: TypeAlias = Literal[NoValue.UNCLEAR]
Path: TypeAlias = tuple[str | int, ...]
"""Names of object members and, counted from 0, places in lists."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A JSONata expression without syntax errors.

    Attributes:
        source: The text, without white space around it.
        path: The steps, if the expression is a plain dotted path such as ``a.b[0].c``; otherwise None.
    """

    source: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}"


def place_of(text: str, offset: int) -> Place:
    """Where a character, counted from 0, stands in a text."""
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def error_at(place: Place, sentence: str, *, hint: str = "") -> ExpressionError:
    """An error that begins with the place and carries it in its context."""
    context = {"line": place.line, "column": place.column}
    return ExpressionError(f"{place}: {sentence}", hint=hint, context=context)


def parse_expression(source: str, *, text: str | None = None, start: int = 0) -> Expression:
    """Check the syntax of an expression.

    Args:
        source: The JSONata text; white space around it does not count.
        text: The template in which it stands, so that an error can tell the place in it.
        start: Offset of the source in ``text``.

    Raises:
        ExpressionError: It is not JSONata, or longer or more involved than any sensible expression.
    """
    checked = _checked(source.strip())
    if isinstance(checked, Expression):
        return checked
    offset = start + len(source) - len(source.lstrip()) + checked.offset
    raise error_at(place_of(source if text is None else text, offset), checked.sentence, hint=checked.hint)


def lookup(path: Path, document: JsonValue) -> JsonValue | Missing | Unclear:
    """Follow a path through a document.

    Where JSONata would do more than take the next step, the answer is ``UNCLEAR``: a name on a list asks every
    item, and an index on anything but a list takes it for a list of one.
    """
    value = document
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list):
                return UNCLEAR
            if step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, list):
            return UNCLEAR
        elif not isinstance(value, dict) or step not in value:
            return MISSING
        else:
            value = value[step]
    return value


def path_text(path: Path) -> str:
    """A path as it is written: ``nodes.`My label`.output[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            is_plain = _NAME.fullmatch(step) and step not in _KEYWORDS
            text += ("." if text else "") + (step if is_plain else f"`{step}`")
    return text


def explain_missing(path: Path, document: JsonValue) -> tuple[str, str]:
    """A sentence on where a path ends without a value, and a hint if a key is spelled much like the wanted one.

    The sentence names keys of the data, but never values.
    """
    value, found = document, 0
    for step in path:
        inside = lookup((step,), value)
        if isinstance(inside, NoValue):
            break
        value, found = inside, found + 1
    sentence = f"{path_text(path)} is not there; {_contents(path[:found], value)}"
    wanted = path[found] if found < len(path) else None
    if not isinstance(wanted, str) or not isinstance(value, dict):
        return sentence, ""
    known = [key for key in islice(value, _COMPARED_KEYS) if len(key) <= _SHOWN_LENGTH]
    close = get_close_matches(wanted, known, 1) if len(wanted) <= _SHOWN_LENGTH else []
    return sentence, f"Did you mean {path_text((*path[:found], close[0]))}?" if close else ""


def _contents(path: Path, value: JsonValue) -> str:
    """What there is at a place, in a few words: ``data.customer has: email, name``."""
    name = path_text(path)
    if isinstance(value, list):
        return f"{name} is a list of {len(value)}"
    if not isinstance(value, dict):
        return f"{name} is {type_name(value)}"
    if not value:
        return f"{name or 'the data'} is empty"
    keys = [
        f"{key[: _SHOWN_LENGTH - 1]}…" if len(key) > _SHOWN_LENGTH else key
        for key in islice(value, _SHOWN_KEYS)
    ]
    more = f" and {len(value) - _SHOWN_KEYS} more" if len(value) > _SHOWN_KEYS else ""
    return f"{f'{name} has' if name else 'there are'}: {', '.join(sorted(keys))}{more}"


@dataclass(frozen=True, slots=True)
class _Fault:
    """A syntax error: where in the source, what it is and perhaps how to mend it."""

    offset: int
    sentence: str
    hint: str = ""


class _TooInvolvedError(Exception):
    """The parser has taken more steps than any sensible expression needs."""


_NAME = re.compile(r"[^\W\d]\w*")
_STEP = r"(?:[^\W\d]\w*|`[^`]*`)"
_QUOTED_STEP = r"""(?:[^\W\d]\w*|`[^`]*`|"[^"\\]*"|'[^'\\]*')"""
_INDEXES = r"(?:\[(?:0|[1-9][0-9]{0,8})\])*"
_PLAIN_PATH = re.compile(rf"{_STEP}{_INDEXES}(?:\.{_QUOTED_STEP}{_INDEXES})*")
_ONE_STEP = re.compile(r"""\[([0-9]+)\]|`([^`]*)`|"([^"]*)"|'([^']*)'|(\w+)""")
_KEYWORDS = frozenset({"and", "or", "in", "true", "false", "null"})
_INLINE_FLAGS = re.compile(r"\(\?[aiLmsux-]")

_SENTENCES = {
    "S0101": "A quote is opened, but not closed.",
    "S0102": "This number is too large.",
    "S0104": r"Four hex digits are missing after \u.",
    "S0105": "A backtick ` is opened, but not closed.",
    "S0106": "A comment is opened with /*, but not closed.",
    "S0201": "{0} is not expected here.",
    "S0202": "{0} is expected here, not {1}.",
    "S0203": "{0} is missing at the end.",
    "S0207": "The expression stops too early: something is missing at the end.",
    "S0208": "A parameter of a function must be a variable such as $x, not {0}.",
    "S0211": "{0} is not expected here.",
    "S0212": "Only a variable such as $x can stand left of :=.",
    "S0213": "{0} cannot be a step of a path. If it is a name, put it in backticks.",
    "S0217": "% (the parent) has nothing here to refer to.",
    "S0302": "A regular expression is opened with /, but not closed.",
}
_AT_THE_END = frozenset({"S0203", "S0207"})
_HINTS = (
    (re.compile("=="), "JSONata compares with a single =."),
    (re.compile("&&"), "JSONata writes and for &&."),
    (re.compile(r"\|\|"), "JSONata writes or for ||."),
    (re.compile("!(?!=)"), "JSONata writes $not(x) for !x."),
    (re.compile("=>"), "JSONata writes a function as function($x){ … }."),
    (re.compile(r"\\[\"']"), "Inside an expression quotes are written as they are, without a backslash."),
)
_TOO_INVOLVED = _Fault(
    0,
    "The expression is nested too deeply or too long a chain.",
    "Split it: let an earlier Data mapper work out a part of it.",
)


@lru_cache(maxsize=1024)
def _checked(source: str) -> Expression | _Fault:
    if not source:
        return _Fault(
            0, "The expression is empty.", "Write a path such as data.customer.email, or any JSONata."
        )
    if len(source) > MAX_SOURCE_LENGTH:
        return _Fault(
            MAX_SOURCE_LENGTH,
            f"The expression has {len(source):,} characters; at most {MAX_SOURCE_LENGTH:,} are allowed.",
            "Split it: let an earlier Data mapper work out a part of it.",
        )
    if _PLAIN_PATH.fullmatch(source):
        steps: list[str | int] = []
        words: set[str] = set()
        for match in _ONE_STEP.finditer(source):
            index, *quoted, word = match.groups()
            steps.append(
                int(index)
                if index is not None
                else next(name for name in (*quoted, word) if name is not None)
            )
            words.add(word)
        if len(steps) <= MAX_PATH_STEPS and not words & _KEYWORDS:
            return Expression(source, tuple(steps))
    return _syntax_fault(source) or Expression(source)


def _syntax_fault(source: str) -> _Fault | None:
    """Let JSONata's parser read the source, within bounds."""
    parser: Any = Parser()
    parser.expression = _bounded(parser.expression, _MAX_NESTING)
    parser.process_ast = _remembered(_bounded(parser.process_ast, _MAX_CHAIN))
    try:
        parser.parse(source, _regex_check())
    except JException as error:
        return _translated(source, error)
    except (_TooInvolvedError, RecursionError):
        return _TOO_INVOLVED
    except Exception as error:  # noqa: BLE001 - the parser stumbles over some wrong texts in ways of its own
        return _stumbled(source, parser.lexer.position, error)
    return None


def _remembered(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Look at each part once: the parser goes twice into every part of a ``?:`` or ``??``, at every level."""
    known: dict[int, tuple[Any, Any]] = {}

    def remembered(part: Any) -> Any:
        found = known.get(id(part))
        if found is None:
            # The part is kept beside its result, so that its id is not given to another one.
            found = known[id(part)] = (part, step(part))
        return found[1]

    return remembered


def _bounded(step: Callable[[Any], Any], most_depth: int) -> Callable[[Any], Any]:
    depth = calls = 0

    def bounded(argument: Any) -> Any:
        nonlocal depth, calls
        depth += 1
        calls += 1
        if depth > most_depth or calls > _MAX_PARSER_STEPS:
            raise _TooInvolvedError
        result = step(argument)
        depth -= 1
        return result

    return bounded


def _regex_check() -> Callable[[str, object], None]:
    """Compile the first, short regular expressions only: long ones, and inline flags, can take many seconds.

    What is not compiled here is compiled when it is evaluated, where time is bounded.
    """
    left = _MAX_REGEX_LENGTH

    def check(pattern: str, _flags: object) -> None:
        nonlocal left
        left -= len(pattern)
        if left >= 0 and not _INLINE_FLAGS.search(pattern):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)

    return check


def _stumbled(source: str, position: int, error: Exception) -> _Fault:
    if isinstance(error, IndexError):
        sentence = "The expression stops too early: a quote, comment or bracket is not closed."
        return _Fault(len(source), sentence, _hint(source))
    sentence = "The expression cannot be read from here on."
    if isinstance(error, re.error):
        sentence = f"The regular expression is wrong: {error.msg}."
    elif isinstance(error, KeyError):
        sentence = f"{error.args[0]} is not expected here."
    return _Fault(_word_before(position, source), sentence, _hint(source))


def _word_before(position: int, source: str) -> int:
    """The parser points behind the word that it stumbled over."""
    return max(0, min(position, len(source)) - 1)


def _hint(source: str) -> str:
    return next((hint for mark, hint in _HINTS if mark.search(source)), "")


def _translated(source: str, error: Any) -> _Fault:
    """The parser's complaint in our words."""
    code = str(error.error)
    if code == "S0301":
        sentence = (
            "A regular expression is empty." if error.current is None else f"\\{error.current} is not known."
        )
    elif code in _SENTENCES:
        sentence = _SENTENCES[code].format(_shown(error.current), _shown(error.expected))
    else:
        sentence = f"{error}."
    offset = len(source) if code in _AT_THE_END else _word_before(error.location, source)
    return _Fault(offset, sentence, _hint(source))


def _shown(token: object) -> str:
    text = str(token).lower() if isinstance(token, bool) else str(token)
    return f"{text[: _SHOWN_LENGTH - 1]}…" if len(text) > _SHOWN_LENGTH else text
