"""Makes the request that is really sent: address and headers checked, the body written as JSON."""

import json as jsonlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import httpx

from orchestrator_app.errors import AddressNotAllowed, ProviderRefused

if TYPE_CHECKING:
    from orchestrator_app.domain.json_values import JsonValue

Params: TypeAlias = Mapping[str, str | int | float | bool | None]
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MAX_PORT = 65_535
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


def build_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None,
    json: "JsonValue | Unset",
    content: bytes | None,
    params: Params | None,
    check_url: Callable[[str], None],
) -> httpx.Request:
    """The checked request. ``check_url`` sees the address as it was given and as it is sent.

    Raises:
        AddressNotAllowed: The address is none, or ``check_url`` refuses it.
        ProviderRefused: Method, headers or body cannot be sent.
    """
    if method not in METHODS:
        raise ProviderRefused(
            "The method of the call is not known.", hint=f"Use one of {', '.join(sorted(METHODS))}."
        )
    check_url(url)
    target = _read_address(url, params)
    dispatched = str(target)
    if dispatched != url:
        check_url(dispatched)
    sent = dict(_OWN_HEADERS)
    if not isinstance(json, Unset):
        content = _as_json(json)
        sent["Content-Type"] = "application/json"
    if headers:
        check_headers(headers)
        taken = {name.lower() for name in headers}
        sent = {name: value for name, value in sent.items() if name.lower() not in taken}
        sent.update(headers)
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]
    try:
        return httpx.Request(method, target, headers=raw, content=content)
    except ValueError as error:  # a host that httpx could read, but cannot write into a header
        raise no_address() from error


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that would change where the request ends, or what connection it takes.

    Raises:
        ProviderRefused: The header may not be set, or cannot be sent.
    """
    for name, value in headers.items():
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
        if not _HEADER_VALUE.fullmatch(value):
            raise ProviderRefused(
                f"The value of the header {name} has characters that HTTP does not allow there.",
                hint="Line breaks, control characters and most letters beyond English are not possible in headers.",
            )


def _read_address(url: str, params: Params | None) -> httpx.URL:
    try:
        target = httpx.URL(url)
        if params:
            target = target.copy_merge_params(dict(params))
        if target.fragment:
            target = target.copy_with(fragment=None)
        has_host = bool(
            target.host
        )  # turns international names back into letters, which not all of them can be
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
