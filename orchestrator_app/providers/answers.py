"""A complete HTTP answer: its text, its JSON, and which error its status stands for."""

import json
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)

MAX_DEPTH = 64
MAX_VALUES = 500_000
MAX_RETRY_AFTER_SECONDS = 3600.0
_REASON_LENGTH = 300
_EXCERPT_LENGTH = 500
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
# The encodings that web servers really use: Python knows others, some of which are no text encodings at all.
_CHARSETS = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "latin1", "windows-1252", "utf-16", "utf-16le",
     "utf-16be", "windows-1251", "windows-1250", "shift_jis", "euc-jp", "euc-kr", "gb2312", "gbk", "gb18030", "big5"}
)  # fmt: skip
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REASON_NAMES = (
    "message",
    "error_description",
    "error",
    "detail",
    "description",
    "title",
    "reason",
    "errors",
)
_RETRYABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer, whatever its status.

    Attributes:
        status: HTTP status.
        headers: Names in lower case; several of one name are joined with a comma.
        content: The body, decompressed.
        url: The address that answered.
        provider: Key of the provider that asked, for errors.
        operation: What it asked for, for errors.
    """

    status: int
    headers: dict[str, str]
    content: bytes
    url: str
    provider: str = ""
    operation: str = ""

    def text(self) -> str:
        """The body as text, in the declared encoding; what cannot be decoded becomes a replacement character."""
        return self.content.decode(self._charset() or "utf-8", errors="replace")

    def json(self) -> JsonValue:
        """The body as JSON.

        Raises:
            UnreadableAnswer: It is a web page, empty, too deep or not JSON at all.
        """
        if not self.content.strip():
            raise self._unreadable("an empty body", "It has to answer with JSON.")
        text = self._json_text()
        brackets = text.count("[") + text.count("{")
        if brackets + text.count(",") > MAX_VALUES:
            outside = _STRING.sub("", text)
            if outside.count("[") + outside.count("{") + outside.count(",") > MAX_VALUES:
                raise self._unreadable(
                    f"more than {MAX_VALUES:,} values", "Ask for less at once, for instance by pages."
                )
        try:
            value = cast("JsonValue", _DECODER.decode(text))
        except RecursionError as error:
            raise self._too_deep() from error
        except ValueError as error:
            raise self._not_json(text) from error
        if brackets > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
            raise self._too_deep()
        return _mend(value) if _ESCAPED_SURROGATE.search(text) else value

    def _json_text(self) -> str:
        """JSON is UTF-8; only what is not gets the declared encoding a chance."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            charset = self._charset()
            try:
                return self.content.decode(charset or "utf-8").removeprefix("\ufeff")
            except UnicodeDecodeError:
                raise self._unreadable(
                    "text in another encoding than UTF-8", "JSON has to be sent as UTF-8."
                ) from error

    def _charset(self) -> str:
        found = _CHARSET.search(self.headers.get("content-type", ""))
        name = found[1].lower() if found else ""
        return name if name in _CHARSETS else ""

    def _not_json(self, text: str) -> UnreadableAnswer:
        if _HTML.match(text):
            return self._unreadable(
                "an HTML page, not JSON: is this the right address?",
                "It may lead to a login page or to the user interface instead of the API.",
            )
        return self._unreadable(
            "something that is not JSON", "The start of the answer is in the run's details."
        )

    def _too_deep(self) -> UnreadableAnswer:
        return self._unreadable(
            f"JSON nested deeper than {MAX_DEPTH} levels", "Let it answer with flatter data."
        )

    def _unreadable(self, what: str, hint: str) -> UnreadableAnswer:
        return UnreadableAnswer(
            f"{host_of(self.url)} answered with {what}{'' if what.endswith('?') else '.'}",
            hint=hint,
            provider=self.provider,
            operation=self.operation,
            remote_status=self.status,
            context={
                "answer": self.content[:_EXCERPT_LENGTH].decode(self._charset() or "utf-8", errors="replace")
            },
        )


def raise_for_answer(answer: HttpAnswer, provider: str, operation: str) -> None:
    """Raise the error that the answer's status stands for; a 2xx answer passes.

    Raises:
        CredentialRefused: 401 or 403.
        ProviderBusy: 429.
        ProviderUnavailable: 408, 425 or 5xx.
        ProviderRefused: Any other 4xx, and redirects.
        UnreadableAnswer: A status that ends nothing (1xx).
    """
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    says = f"{host_of(answer.url)} answered {_status_text(status)}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise ProviderBusy(
            _with_reason(says, answer),
            hint="It limits how often it may be called.",
            provider=provider,
            operation=operation,
            remote_status=status,
            retry_after_seconds=retry_after_seconds(answer.headers.get("retry-after", "")),
        )
    kind, hint = _error_for(status)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        says += ": redirects are not followed."
        target = _redirect_target(answer)
        hint = f"It points to {target}: use that address." if target else hint
    else:
        says = _with_reason(says, answer)
    raise kind(says, hint=hint, provider=provider, operation=operation, remote_status=status)


def _error_for(status: int) -> tuple[type[ProviderError], str]:
    if status < HTTPStatus.OK:
        return UnreadableAnswer, "That is no complete answer."
    if status < HTTPStatus.BAD_REQUEST:
        return ProviderRefused, "Use the address it points to."
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return CredentialRefused, "Check the key of the connection, and what it may do there."
    if status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable, "Try again later, or look into its log."
    return ProviderRefused, "Check the address and the data that is sent."


def api_is_away(title: str, host: str, provider: str, operation: str) -> ProviderUnavailable:
    """The error for a 404 at an address that every server of the platform has: nothing follows from it for the rest."""
    return ProviderUnavailable(
        f"The API of {title} is not there at {host}: it answers 404 also for what every {title} has.",
        hint="It may be switched off there, or a proxy before it may have lost it.",
        provider=provider,
        operation=operation,
        remote_status=HTTPStatus.NOT_FOUND,
    )


def retry_after_seconds(text: str, now: float | None = None) -> float | None:
    """The ``Retry-After`` header, seconds or a date, as seconds between 0 and one hour; None when it says nothing."""
    text = text.strip()
    if re.fullmatch(r"[+-]?\d{1,18}(?:\.\d{1,9})?", text):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def host_of(url: str) -> str:
    """Host and port of an address, for sentences: the rest of it may hold secrets."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "The server"
    except ValueError:
        return "The server"


def reason_of(answer: HttpAnswer) -> str:
    """What the platform itself says about the error, in one line, or empty."""
    try:
        found = _reason(answer.json())
    except UnreadableAnswer:
        return ""
    line = " ".join(found.split())
    return line if len(line) <= _REASON_LENGTH else f"{line[:_REASON_LENGTH]}…"


def _reason(value: JsonValue, *, is_inside: bool = False) -> str:
    if isinstance(value, str):
        return value if is_inside else ""
    if isinstance(value, list):
        return _reason(value[0], is_inside=True) if value and is_inside else ""
    if not isinstance(value, dict):
        return ""
    for name in _REASON_NAMES:
        found = _reason(value.get(name), is_inside=True)
        if found:
            return found
    return ""


def _with_reason(says: str, answer: HttpAnswer) -> str:
    reason = reason_of(answer)
    sentence = f"{says}: {reason}" if reason else says
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _redirect_target(answer: HttpAnswer) -> str:
    """Scheme and host of the redirect; its path may hold a secret."""
    try:
        parts = urlsplit(answer.headers.get("location", ""))
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if parts.scheme in {"http", "https"} and host else ""


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _is_deeper(value: JsonValue, limit: int) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(limit):
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
    return any(isinstance(item, dict | list) for item in level)


def _mend(value: JsonValue) -> JsonValue:
    """Replace halves of characters (an emoji cut in two): they cannot be stored or sent anywhere. Depth is bounded."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        mended: JsonObject = {}
        for name, item in value.items():
            mended[_LONE_SURROGATE.sub("\ufffd", name)] = _mend(item)
        return mended
    return value
