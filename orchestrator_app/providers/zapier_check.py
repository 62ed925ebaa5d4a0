"""Testing a connection to Zapier: the shape of a Catch Hook address, or what an access token may do."""

from http import HTTPStatus

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderError, UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.connection import ConnectionCheck
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.zapier_api import ZapierApi, is_bad_token

_OPERATION = Capability.TEST.value
_PROFILE = "/v1/profiles/me"
_ZAPS = "/v2/zaps"
_RUNS = "/v2/zap-runs"
_ONE = {"limit": "1"}
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NEEDS = {
    _ZAPS: "Listing and showing Zaps needs the scope zap.",
    _RUNS: "Polling needs the scope zap:runs.",
}


def check_hook(address: str, problem: str) -> ConnectionCheck:
    """Judge a Catch Hook address by its shape: calling it would start the Zap."""
    if not address:
        return ConnectionCheck("untested", "Enter the Catch Hook address of the Zap.")
    if problem:
        return ConnectionCheck("refused", problem)
    return ConnectionCheck(
        "connected",
        "The address has the shape of a Catch Hook. Nothing was sent, for that would start the Zap; and Zapier "
        "accepts every call, so whether a Zap listens shows only when it calls back.",
    )


async def check_token(api: ZapierApi, address: str, problem: str) -> ConnectionCheck:
    """Ask who the token belongs to, then for one Zap and for one run, and say what that showed."""
    if not api.has_token:
        return ConnectionCheck("untested", "Enter an access token of the Zapier API.")
    if problem:
        return ConnectionCheck("refused", problem)
    try:
        profile = await api.get(_PROFILE, _OPERATION)
        zaps = await api.get(_ZAPS, _OPERATION, _ONE)
        if is_bad_token(zaps):
            api.raise_for(zaps, _ZAPS, _OPERATION)
        runs = await api.get(_RUNS, _OPERATION, _ONE)
        may = {_ZAPS: _may(api, _ZAPS, zaps), _RUNS: _may(api, _RUNS, runs)}
        if not any(may.values()):
            api.raise_for(zaps, _ZAPS, _OPERATION)
    except CredentialRefused as error:
        return ConnectionCheck("refused", f"{error.message} {error.hint}")
    except UnreadableAnswer as error:
        return ConnectionCheck(
            "unreachable",
            f"{error.message} This is not the API of Zapier: check its address in the connection, or leave it empty.",
        )
    except ProviderError as error:
        status = "untested" if isinstance(error, ProviderBusy) else "unreachable"
        return ConnectionCheck(status, f"{error.message} {error.hint}".strip())
    sentences = [f"Zapier at {api.host} answers and accepts the access token."]
    sentences += [_NEEDS[path] for path, is_allowed in may.items() if not is_allowed]
    if not address:
        sentences.append("To start a Zap, enter its Catch Hook address here or in the node.")
    facts = [
        ("Account", _account(profile)),
        ("List of Zaps (scope zap)", _words(may[_ZAPS])),
        ("History of runs (scope zap:runs)", _words(may[_RUNS])),
    ]
    return ConnectionCheck("connected", " ".join(sentences), facts=tuple(fact for fact in facts if fact[1]))


def _may(api: ZapierApi, path: str, answer: HttpAnswer) -> bool:
    """Whether this is allowed; what is no refusal but a failure is raised."""
    if answer.status in _REFUSALS:
        return False
    # The history is experimental at Zapier: it may be taken away, and nothing else depends on it.
    if path == _RUNS and answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return False
    api.raise_for(answer, path, _OPERATION)
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        raise UnreadableAnswer(f"{api.host} answers, but there is no list in its answer.")
    return True


def _words(is_allowed: bool) -> str:  # noqa: FBT001 - one word for each of two outcomes
    return "allowed" if is_allowed else "not allowed"


def _account(answer: HttpAnswer) -> str:
    """Whose token it is; empty where the token may not tell."""
    if answer.status != HTTPStatus.OK:
        return ""
    try:
        body = answer.json()
    except UnreadableAnswer:
        return ""
    found = body[0] if isinstance(body, list) and body else body
    profile: JsonObject = found if isinstance(found, dict) else {}
    names = " ".join(part for part in (text_at(profile, "first_name"), text_at(profile, "last_name")) if part)
    name, email = text_at(profile, "full_name") or names, text_at(profile, "email")
    return f"{name} ({email})" if name and email else name or email
