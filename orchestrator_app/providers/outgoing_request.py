"""Makes the request that is really sent: address and headers checked, the body written as JSON."""

import json as jsonlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import httpx
from yarl import URL

from orchestrator_app.errors import AddressNotAllowed, ProviderRefused
from orchestrator_app.providers.answers import host_of

if TYPE_CHECKING:
    from orchestrator_app.domain.json_values import JsonValue

Params: TypeAlias = Mapping[str, str | int | float | bool | None]
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MAX_PORT = 65_535
_MOST_REMEMBERED = 1000
_LONGEST_REMEMBERED = 500
_OWN_HEADERS = {"Accept-Encoding": "gzip", "User-Agent": "Orchestrator"}
_FORBIDDEN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
    }
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_WRITER = jsonlib.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Unset:
    """The type of ``UNSET``."""


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True)
class Address:
    """A web address that may be called.

    Attributes:
        text: As it is sent, byte for byte what was checked.
        url: The same for the library that sends it.
        host: Its host, for sentences.
    """

    text: str
    url: URL
    host: str


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A checked request. ``headers`` are those that the connection does not bring itself."""

    method: str
    address: Address
    headers: dict[str, str]
    content: bytes | None


class Addresses:
    """Reads and checks addresses. Calls go to few of them again and again, so good ones are remembered.

    Args:
        check_url: Refuses addresses that must not be called; it says the same of the same address every time.
    """

    def __init__(self, check_url: Callable[[str], None]) -> None:
        self._check_url = check_url
        self._good: dict[str, Address] = {}

    def read(self, url: str, params: Params | None = None) -> Address:
        """The address with ``params`` added to its query.

        Raises:
            AddressNotAllowed: It is no web address, or one that must not be called.
        """
        known = None if params else self._good.get(url)
        if known is not None:
            return known
        # As it was given and as it is sent.
        self._check_url(url)
        target = _read_address(url, params)
        text = str(target)
        if text != url:
            self._check_url(text)
        try:
            address = Address(text, URL(text, encoded=True), host_of(text))
        except ValueError as error:
            raise no_address() from error
        if not params and len(self._good) < _MOST_REMEMBERED and len(url) <= _LONGEST_REMEMBERED:
            self._good[url] = address
        return address


def build_request(
    method: str,
    address: Address,
    *,
    headers: Mapping[str, str] | None,
    json: "JsonValue | Unset",
    content: bytes | None,
) -> OutgoingRequest:
    """The checked request.

    Raises:
        ProviderRefused: Method, headers or body cannot be sent.
    """
    if method not in METHODS:
        raise ProviderRefused(
            "The method of the call is not known.", hint=f"Use one of {', '.join(sorted(METHODS))}."
        )
    sent = dict(_OWN_HEADERS)
    if not isinstance(json, Unset):
        content = _as_json(json)
        sent["Content-Type"] = "application/json"
    if headers:
        taken = check_headers(headers)
        sent = {name: value for name, value in sent.items() if name.lower() not in taken}
        sent.update(headers)
    return OutgoingRequest(method, address, sent, content or None)


def check_headers(headers: Mapping[str, str]) -> set[str]:
    """Refuse headers that would change where the request ends, or what connection it takes.

    Returns:
        The names in lower case.

    Raises:
        ProviderRefused: The header may not be set, or cannot be sent.
    """
    names: set[str] = set()
    for name, value in headers.items():
        names.add(_checked_name(name))
        if not _HEADER_VALUE.fullmatch(value):
            raise ProviderRefused(
                f"The value of the header {name} has characters that HTTP does not allow there.",
                hint="Line breaks, control characters and most letters beyond English are not possible in headers.",
            )
    return names


@lru_cache(maxsize=1024)
def _checked_name(name: str) -> str:
    """The name in lower case."""
    lower = name.lower()
    if not _HEADER_NAME.fullmatch(name):
        raise ProviderRefused(
            "A header has a name that HTTP does not allow.",
            hint="Use letters, digits and hyphens, without spaces or colons.",
        )
    if lower in _FORBIDDEN_HEADERS or lower.startswith("proxy-"):
        raise ProviderRefused(
            f"The header {name} may not be set: it belongs to the connection.", hint="Remove the header."
        )
    return lower


def _read_address(url: str, params: Params | None) -> httpx.URL:
    try:
        target = httpx.URL(url)
        if params:
            target = target.copy_merge_params(dict(params))
        if target.fragment:
            target = target.copy_with(fragment=None)
        # Not every host can be turned back into letters, or written into a header.
        has_host = bool(target.host and target.netloc)
    except (httpx.InvalidURL, ValueError) as error:
        raise no_address() from error
    has_port = target.port is None or 0 < target.port <= _MAX_PORT
    if target.scheme not in {"http", "https"} or not has_host or not has_port:
        raise no_address()
    return target


def no_address() -> AddressNotAllowed:
    """The error for a text that is no web address."""
    return AddressNotAllowed("That is no complete web address.", hint="Write it like https://host/path.")


def _as_json(value: "JsonValue") -> bytes:
    try:
        return _WRITER.encode(value).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ProviderRefused(
            "The data of the call cannot be written as JSON.",
            hint="NaN, Infinity, halves of characters and endless nesting are not possible in JSON.",
        ) from error
