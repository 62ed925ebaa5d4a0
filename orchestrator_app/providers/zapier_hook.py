"""Catch Hook addresses of Zaps: which ones are called, what is sent to them, and how they are kept out of what is told.

Whoever knows the address can start the Zap, so the address is a secret.
"""

import json
import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import AddressNotAllowed, ProviderRefused
from orchestrator_app.providers.answers import HttpAnswer, host_of, raise_for_answer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.calls import as_json_bytes, call_headers, origin_of
from orchestrator_app.providers.zapier_api import PROVIDER

HOOK_ORIGIN = "https://hooks.zapier.com:443"
_PATH = "/hooks/catch/"
_BEHIND = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*/?")
_BEGINNING = "https://hooks.zapier.com/hooks/catch/"
_METHODS = ("POST", "PUT", "GET")
_FORM = "application/x-www-form-urlencoded"
_EXECUTE = Capability.EXECUTE.value
_NOBODY = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.GONE,
    }
)
_LEAST_SECRET = 4
_MASK = "***"


def address_problem(address: str, api_url: str = "") -> str:
    """What is wrong with a Catch Hook address as a sentence, or empty.

    Args:
        address: The address as it was entered.
        api_url: The connection's own address of the API; Catch Hooks below the same origin are accepted too.
    """
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return f"This is no web address. A Catch Hook address begins with {_BEGINNING}."
    before, path, behind = parts.path.partition(_PATH)
    origin, own = origin_of(address), origin_of(api_url)
    is_zapiers = origin == HOOK_ORIGIN and not before and "@" not in parts.netloc
    if not path or not (is_zapiers or (own and origin == own)):
        return (
            "This is no Catch Hook address of Zapier. Copy it from the trigger “Catch Hook” of the Zap: it begins "
            f"with {_BEGINNING}."
        )
    if not _BEHIND.fullmatch(behind):
        return f"This Catch Hook address is not complete. Copy the whole of it: it begins with {_BEGINNING}."
    return ""


def checked_address(address: str, api_url: str = "") -> str:
    """The address, ready to be called.

    Raises:
        AddressNotAllowed: It is no Catch Hook address.
    """
    if problem := address_problem(address, api_url):
        raise AddressNotAllowed(
            problem,
            hint="For other addresses choose the platform “Any web address” in the node.",
            provider=PROVIDER,
            operation=_EXECUTE,
        )
    return urlunsplit(urlsplit(address.strip())._replace(fragment=""))


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What goes to a Catch Hook. ``content`` is the body and its content type."""

    url: str
    method: str
    content: tuple[bytes | None, str]


def hook_request(call: RemoteCall, address: str, *, has_history: bool) -> HookRequest:
    """The call as a Catch Hook understands it: always one object, for of a list Zapier starts a Zap for each item.

    With ``has_history`` the history of runs can be searched for the call, should its answer be lost.

    Raises:
        ProviderRefused: The method is none that a Catch Hook takes.
    """
    method = call.method.upper()
    if method not in _METHODS:
        raise ProviderRefused(
            f"A Catch Hook of Zapier does not take {method}.",
            hint=f"Choose one of {', '.join(_METHODS)} in the node.",
            provider=PROVIDER,
            operation=_EXECUTE,
        )
    marks = _marks(call, has_history=has_history)
    if method == "GET":
        return HookRequest(_with_query(address, _fields(call.body) | marks), method, (None, ""))
    if call.text_body is None:
        content = as_json_bytes(_fields(call.body) | marks)
        return HookRequest(address, method, (content, "application/json"))
    if _is_form(call):
        text = "&".join(part for part in (call.text_body, urlencode(marks)) if part)
        return HookRequest(address, method, (text.encode(), _FORM))
    # Other texts have no place for fields; what is in the query is found in the history of the Zap too.
    found_by = {name: value for name, value in marks.items() if name == "correlation_id"}
    content = (call.text_body.encode(), "text/plain; charset=utf-8")
    return HookRequest(_with_query(address, found_by), method, content)


def without_address(answer: HttpAnswer, address: str) -> HttpAnswer:
    """The answer without the address, should it repeat it."""
    behind = urlsplit(address).path.partition(_PATH)[2].strip("/")
    parts = [part for part in behind.split("/") if len(part) >= _LEAST_SECRET and not part.isdecimal()]
    hidden = [address, behind, *(part for part in parts if part != "silent")]
    content, headers = answer.content, answer.headers
    for secret in hidden:
        content = content.replace(secret.encode(), _MASK.encode())
        headers = {name: value.replace(secret, _MASK) for name, value in headers.items()}
    return replace(answer, content=content, headers=headers)


def raise_for_hook(answer: HttpAnswer) -> None:
    """Raise what a refusal of a Catch Hook means; accept the rest. Zapier itself accepts every call.

    Raises:
        ProviderRefused: Nothing takes calls at the address.
        ProviderBusy: More calls than Zapier takes.
    """
    if answer.status in _NOBODY:
        raise ProviderRefused(
            f"{host_of(answer.url)} takes no calls at this Catch Hook address (status {answer.status}).",
            hint="Copy the address again from the trigger “Catch Hook” of the Zap.",
            provider=PROVIDER,
            operation=_EXECUTE,
            remote_status=answer.status,
        )
    raise_for_answer(answer, PROVIDER, _EXECUTE)


def _fields(body: JsonValue) -> JsonObject:
    if isinstance(body, dict):
        return dict(body)
    return {} if body is None else {"data": body}


def _marks(call: RemoteCall, *, has_history: bool) -> dict[str, str]:
    """Fields by which the Zap can call back, and by which its run is found in the history. Flat names map best there.

    They win over what the data has under these names: that was handed out for another call.
    """
    if call.callback_url:
        marks = {"callback_url": call.callback_url, "correlation_token": call.callback_token}
    elif call.completion == "poll":
        marks = {"correlation_token": call.correlation_id}
    elif has_history:
        marks = {}
    else:
        return {}
    return marks | {"correlation_id": call.correlation_id}


def _is_form(call: RemoteCall) -> bool:
    headers = {name.lower(): value for name, value in call_headers(call).items()}
    return headers.get("content-type", "").lower().startswith(_FORM)


def _with_query(address: str, fields: JsonObject | dict[str, str]) -> str:
    """The address with these fields in its query; what is not text is written as JSON."""
    parts = urlsplit(address)
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in fields.items()
    }
    query = [*parse_qsl(parts.query, keep_blank_values=True), *texts.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))
