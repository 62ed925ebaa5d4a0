"""Evaluates JSONata in a process of its own, which is killed when it takes too long; ``runner.evaluator`` starts it.

It knows nothing of the rest of the program, so that it starts fast and isolated from it (``python -I``). Each message
is four bytes of length and the content. A request is the JSON list of the sources, a line break and the JSON document;
for each source, up to the first that fails, there is one answer: ``["value", …]``, ``["missing"]``,
``["error", sentence]`` or ``["memory"]``. The first message says ``["ready"]``.
"""

import json
import math
import os
import re
import resource
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from jsonata import Jsonata  # pyright: ignore[reportMissingTypeStubs]
from jsonata.jexception import JException  # pyright: ignore[reportMissingTypeStubs]
from jsonata.utils import Utils  # pyright: ignore[reportMissingTypeStubs]

MAX_RESULT_DEPTH = 200
LENGTH_BYTES = 4
_CACHED_CHARACTERS = 40_000
_MIN_INTEGER: Final = -(2**63)
_MAX_INTEGER: Final = 2**64 - 1


class ResultRefusedError(Exception):
    """The result of an expression is no JSON, or too much; the message is a sentence."""


class ExpressionCache:
    """Compiled expressions, the least recently used of which go first.

    Its size is counted in characters of source: a compiled expression takes 500 bytes and more for each.
    """

    def __init__(self, most_characters: int = _CACHED_CHARACTERS) -> None:
        self._most_characters = most_characters
        self._characters = 0
        self._compiled: OrderedDict[str, Any] = OrderedDict()

    def compiled(self, source: str) -> Any:
        """The compiled expression, from the cache or fresh."""
        found = self._compiled.pop(source, None)
        if found is None:
            found = Jsonata(source)
            # Checking that the document is JSON costs far more than most evaluations, and it has just been read as JSON.
            found.set_validate_input(validate_input=False)
            # Else null and nothing look the same.
            found.set_output_convert_nulls(output_convert_nulls=False)
            self._characters += len(source)
        self._compiled[source] = found
        while self._characters > self._most_characters:
            oldest, _ = self._compiled.popitem(last=False)
            self._characters -= len(oldest)
        return found


def answers(request: bytes, cache: ExpressionCache, most_answer_bytes: int) -> Iterator[bytes]:
    """Evaluate the sources of a request one by one, and stop behind the first that fails."""
    sources, _, document = request.partition(b"\n")
    for source in json.loads(sources):
        kind, content = _answer(source, document, cache, most_answer_bytes)
        yield content
        if kind not in {"value", "missing"}:
            return


def _answer(source: str, document: bytes, cache: ExpressionCache, most_bytes: int) -> tuple[str, bytes]:
    """The kind of answer, and the whole of it as it is sent."""
    try:
        expression = cache.compiled(source)
        # The library looks for the time of the evaluation, and for the scope of $eval, in the expression compiled last.
        Jsonata.CURRENT.jsonata = expression
        # The document is read anew for each expression, because some change it. The empty bindings give each
        # evaluation variables of its own; without them one would find what another one assigned.
        result = expression.evaluate(json.loads(document), {})
        answer = ["missing"] if result is None else ["value", as_json(result)]
        content = _encoded(answer)
        _check_size(content, most_bytes)
    except MemoryError:
        answer = ["memory"]
        content = _encoded(answer)
    except Exception as error:  # noqa: BLE001 - the library raises whatever Python raises inside it
        answer = ["error", sentence_of(error)]
        content = _encoded(answer)
    return answer[0], content


def _encoded(answer: list[Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def _check_size(content: bytes, most_bytes: int) -> None:
    if len(content) > most_bytes:
        raise ResultRefusedError(f"Its result is larger than {most_bytes / 2**20:.3g} MB.")


def as_json(value: Any, depth: int = 0) -> Any:
    """A result of JSONata as plain JSON data.

    Raises:
        ResultRefusedError: It is or contains what JSON has not.
    """
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _whole_characters(value)
    if isinstance(value, int | float):
        return _plain_number(value)
    if depth == MAX_RESULT_DEPTH:
        raise ResultRefusedError(f"Its result is nested more than {MAX_RESULT_DEPTH} levels deep.")
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        return {_whole_characters(key): as_json(item, depth + 1) for key, item in members.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [as_json(item, depth + 1) for item in items]
    if isinstance(value, re.Pattern):
        raise ResultRefusedError("Its result contains a regular expression, which is no JSON.")
    raise ResultRefusedError("Its result contains a function, which is no JSON. Call it with ( ).")


def _plain_number(value: float) -> int | float:
    if isinstance(value, int):
        if _MIN_INTEGER <= value <= _MAX_INTEGER:
            return value
        return float(value)
    if math.isfinite(value):
        return value
    raise ResultRefusedError("Its result contains a number that is too large.")


def _whole_characters(text: str) -> str:
    """Join the halves of characters that the escapes of two halves leave in a text."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise ResultRefusedError(
            "Its result contains half of a character, from an escape such as \\ud83d."
        ) from error


_KINDS = {"n": "numbers", "s": "texts", "o": "objects"}
_SENTENCES = {
    "D1001": "A number gets too large.",
    "D1002": "Only a number can be negated.",
    "D1009": "Two keys of an object come out equal.",
    "D2014": "A range may have at most 10,000,000 items.",
    "D3001": "A number gets too large.",
    "D3060": "$sqrt needs a number that is not negative.",
    "D3110": "$toMillis needs a date and time as in 2030-01-31T12:00:00Z.",
    "D3120": "The text given to $eval is no JSONata.",
    "D3121": "The expression given to $eval failed.",
    "D3138": "$single found more than one match.",
    "D3139": "$single found no match.",
    "T0410": "Argument {0} of ${1} is missing or of a wrong type.",
    "T0411": "A function without its first argument takes the value that it stands behind; that is of a wrong type.",
    "T0412": "Argument {0} of ${1} must be a list of {2}.",
    "T1003": "A key of an object must be text.",
    "T1005": "{0} is no function. Did you mean ${0}?",
    "T1006": "What is called is no function.",
    "T2001": "The left side of {0} must be a number.",
    "T2002": "The right side of {0} must be a number.",
    "T2003": "A range [a..b] needs whole numbers.",
    "T2004": "A range [a..b] needs whole numbers.",
    "T2006": "A function must stand right of ~>.",
    "T2009": "Only two numbers or two texts can be compared by size.",
    "T2010": "Only two numbers or two texts can be compared by size.",
    "T2011": "The update of a transform must be an object.",
    "T2012": "The deletions of a transform must be texts.",
}
_OF_THE_USER = frozenset({"D3137", "D3141"})
_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (RecursionError, "It calls itself too often, or is nested too deeply."),
    (ZeroDivisionError, "It divides by zero."),
    (OverflowError, "A number gets too large."),
    (ValueError, "A value cannot be read as the number, date or text that is needed."),
    (TypeError, "Values of different types are combined."),
)


def sentence_of(error: Exception) -> str:
    """What went wrong, without values of the data: the library's own messages may quote all of it."""
    if isinstance(error, ResultRefusedError):
        return str(error)
    if isinstance(error, JException):
        return _sentence_of_code(error)
    return next((sentence for kind, sentence in _FAILURES if isinstance(error, kind)), "JSONata fails on it.")


def _sentence_of_code(error: Any) -> str:
    code = str(error.error)
    if code in _OF_THE_USER:
        return f"{error.current!s:.1000}"
    if code in _SENTENCES:
        return _SENTENCES[code].format(
            error.current, error.expected, _KINDS.get(str(error.extra), "the right type")
        )
    return f"JSONata refuses it ({code})." if re.fullmatch("[A-Z][0-9]{4}", code) else "JSONata refuses it."


def memory_limit(statm: str, page_bytes: int, data_megabytes: int) -> int:
    """Bytes of address space: what the process has now, of which most is code, and the allowance for data."""
    pages = int(statm.split(maxsplit=1)[0])
    return pages * page_bytes + data_megabytes * 2**20


def read_message(stream: BinaryIO) -> bytes | None:
    """The next message, or None when the other side has closed."""
    header = stream.read(LENGTH_BYTES)
    if len(header) < LENGTH_BYTES:
        return None
    content = stream.read(int.from_bytes(header, "big"))
    return content if len(content) == int.from_bytes(header, "big") else None


def write_message(stream: BinaryIO, content: bytes) -> None:
    """Send one message."""
    stream.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    stream.flush()


def main() -> None:  # pragma: no cover - runs in the child
    """Serve requests until the other side closes."""
    data_megabytes, most_answer_bytes, cpu_seconds = map(int, sys.argv[1:])
    # The library prints now and then; that must not get between the messages.
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    cache = ExpressionCache()
    statm = Path("/proc/self/statm")
    if statm.exists():  # elsewhere than on Linux only time is bounded
        limit = memory_limit(statm.read_text(encoding="ascii"), resource.getpagesize(), data_megabytes)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    write_message(channel, b'["ready"]')
    while (request := read_message(sys.stdin.buffer)) is not None:
        _allow_processor_time(cpu_seconds)
        for answer in answers(request, cache, most_answer_bytes):
            write_message(channel, answer)
            _allow_processor_time(cpu_seconds)


def _allow_processor_time(seconds: int) -> None:  # pragma: no cover - would limit the tests themselves
    """Die after so much more work: a backstop for the case that nobody is there any more to kill this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + seconds, hard))


if __name__ == "__main__":  # pragma: no cover - runs in the child
    main()
