"""Requests to Make's API with a connection's token: its zones, and what its refusals mean."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import (
    HttpAnswer,
    api_is_away,
    host_of,
    raise_for_answer,
    retry_after_seconds,
)
from orchestrator_app.providers.calls import origin_of
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.json_reading import object_at, objects_at, text_at

PROVIDER = "make"
ZONES = (
    "eu1.make.com",
    "eu2.make.com",
    "us1.make.com",
    "us2.make.com",
    "eu1.make.celonis.com",
    "us1.make.celonis.com",
)
# What Orchestrator asks for, each with what does not work without it.
SCOPES = {
    "scenarios:read": "scenarios can be neither listed nor previewed nor polled",
    "scenarios:run": "no scenario can be started",
    "scenarios:write": "Make may refuse to start scenarios",
    "organizations:read": "organizations and teams are not found, and the number of the team has to be entered",
    "teams:read": "teams are not found by name, and the number of the team has to be entered",
    "hooks:read": "scenarios that start with a custom webhook are not found by their name",
}
API_PATH = "/api/v2"
REQUEST_SECONDS = 15.0

_ZONE = re.compile(r"[a-z]+\d+\.make\.(?:com|celonis\.com)")
_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z][\w-]*")  # no number of a machine, and not localhost
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_SCHEME = re.compile(r"(?:token|bearer)\s+", re.IGNORECASE)
_LIMIT_SECONDS = 60.0  # the organization's limit is counted by the minute
_MOST_SUBERRORS = 3


class MakeApi:
    """The API of one zone, as one connection may use it."""

    def __init__(self, client: HttpClient, connection: Connection) -> None:
        self._client = client
        self._token = _SCHEME.sub("", connection.values.get("apiToken", "").strip(), count=1)
        self.base = api_base(connection.values.get("zone", ""))
        self.web = self.base.removesuffix(API_PATH)
        self.host = host_of(self.base)

    @property
    def has_token(self) -> bool:
        """Whether there is anything to ask with."""
        return bool(self._token and self.base)

    def headers(self) -> dict[str, str]:
        """The headers that carry the token: one made in the profile is a UUID, any other comes from OAuth."""
        kind = "Token" if _UUID4.fullmatch(self._token) else "Bearer"
        return {"Authorization": f"{kind} {self._token}", "Accept": "application/json"}

    async def get(self, path: str, operation: str, params: Mapping[str, str] | None = None) -> HttpAnswer:
        """The complete answer of a GET, whatever its status."""
        return await self._client.request(
            "GET",
            self.base + path,
            headers=self.headers(),
            params=params,
            timeout_seconds=REQUEST_SECONDS,
            provider=PROVIDER,
            operation=operation,
            is_safe_to_repeat=True,
        )

    async def object(self, path: str, operation: str, params: Mapping[str, str] | None = None) -> JsonObject:
        """The JSON object at this path."""
        return self.accepted(await self.get(path, operation, params), operation)

    async def known(self, path: str, operation: str, params: Mapping[str, str] | None = None) -> JsonObject:
        """The same for what is good to have only: an empty object where the token may not see it."""
        try:
            return await self.object(path, operation, params)
        except (CredentialRefused, ProviderRefused):
            return {}

    async def ensure_there(self, operation: str) -> None:
        """Ask for what every token may ask: if that is there, then what Make does not know is really not there.

        Raises:
            ProviderUnavailable: What answers is not Make's API.
        """
        answer = await self.get("/users/me/current-authorization", operation)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise api_is_away("Make", self.host, PROVIDER, operation)
        if answer.status != HTTPStatus.FORBIDDEN:
            self.raise_for(answer, operation)

    async def scenario(self, scenario_id: str, operation: str) -> JsonObject:
        """One scenario without its modules.

        Raises:
            ProviderRefused: With ``remote_status`` 404 when the token sees no such scenario.
        """
        answer = await self.get(scenario_path(scenario_id), operation)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise unknown_scenario(self.host, scenario_id, operation)
        return object_at(self.accepted(answer, operation), "scenario")

    async def blueprint(self, scenario_id: str, operation: str) -> JsonObject:
        """Its modules. They stand at an address of their own, wrapped into ``response``."""
        body = await self.object(f"{scenario_path(scenario_id)}/blueprint", operation)
        return object_at(body, "response", "blueprint") or object_at(body, "blueprint")

    async def inputs(self, scenario_id: str, operation: str) -> list[JsonObject]:
        """The inputs it declares; none where the token may not see them."""
        body = await self.known(f"{scenario_path(scenario_id)}/interface", operation)
        return objects_at(body, "interface", "input")

    def accepted(self, answer: HttpAnswer, operation: str) -> JsonObject:
        """The answer as a JSON object.

        Raises:
            ProviderError: It is a refusal, or not what Make answers.
        """
        self.raise_for(answer, operation)
        body = answer.json()
        if isinstance(body, dict):
            return body
        raise UnreadableAnswer(
            f"{self.host} did not answer as Make does: the answer is not a JSON object.",
            hint="Check the zone of the connection.",
            provider=PROVIDER,
            operation=operation,
            remote_status=answer.status,
        )

    def raise_for(self, answer: HttpAnswer, operation: str) -> None:
        """Raise what a refusal means for the user; accept the rest."""
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise CredentialRefused(
                f"Make at {self.host} does not accept the API token: {said(answer)}",
                hint="Create a token in Make under Profile, API access, and enter it in the connection. A token "
                "works in its own zone only.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
            )
        if answer.status == HTTPStatus.FORBIDDEN:
            raise CredentialRefused(
                f"Make at {self.host} accepts the API token, but the token may not do this: {said(answer)}",
                hint=f"Give the token these scopes: {', '.join(SCOPES)}. Check the team and the zone as well.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
                lacks_permission=True,
            )
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise ProviderBusy(
                f"Make at {self.host} takes no more requests for the moment: {said(answer)}",
                hint="The plan of the organization says how many requests it may make in a minute.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
                retry_after_seconds=wait_seconds(answer, _LIMIT_SECONDS),
            )
        raise_for_answer(answer, PROVIDER, operation)


def scenario_path(scenario_id: str) -> str:
    """Where the API keeps a scenario."""
    return f"/scenarios/{quote(scenario_id, safe='')}"


def unknown_scenario(host: str, scenario_id: str, operation: str) -> ProviderRefused:
    """The error for a scenario that was deleted, or that the token may not see: Make answers both alike."""
    return ProviderRefused(
        f"Make at {host} has no scenario {scenario_id}, or the API token may not see it.",
        hint="It may have been deleted, or belong to another team. Choose a scenario again.",
        provider=PROVIDER,
        operation=operation,
        remote_status=HTTPStatus.NOT_FOUND,
    )


def api_base(address: str) -> str:
    """Address of the API, from a zone or an address as it stands in the browser."""
    address = address.strip().rstrip("/")
    if not address:
        return ""
    if "://" not in address:
        address = f"https://{address}"
    if _ZONE.fullmatch(host_name(address)):  # whatever was copied along with it leads nowhere
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc}{API_PATH}"
    return address.removesuffix(API_PATH).rstrip("/") + API_PATH


def hook_origins(connection: Connection) -> frozenset[str]:
    """Where the webhooks of the connection's zone are. A private instance may have them at its own address too."""
    base = api_base(connection.values.get("zone", ""))
    host = host_name(base)
    if _ZONE.fullmatch(host):
        return frozenset({origin_of(f"https://hook.{host}")})
    beside = f"{urlsplit(base).scheme}://hook.{host}" if _NAME.fullmatch(host) else ""
    return frozenset({origin_of(base), origin_of(beside)}) - {""}


def zone_problem(address: str) -> str:
    """What is wrong with a zone, as a sentence, or empty."""
    host = host_name(api_base(address))
    if host.startswith("hook."):
        return f"{host} takes webhooks only. Enter the zone itself: {host.removeprefix('hook.')}."
    if host.endswith((".make.com", ".integromat.com")) or host in {"make.com", "integromat.com"}:
        known = ", ".join(ZONES)
        return "" if _ZONE.fullmatch(host) else f"{host} is no zone of Make. The zones are {known}."
    return ""


def host_name(address: str) -> str:
    """The host alone, in lower case, or empty."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def wait_seconds(answer: HttpAnswer, default: float) -> float:
    """How long to wait after a 429: what it says itself, else the length of the window that Make counts in."""
    told = retry_after_seconds(answer.headers.get("retry-after", ""))
    return default if told is None else told


def said(answer: HttpAnswer) -> str:
    """What Make gave as its reason, quoted, fit for the end of a sentence."""
    body = refusal_of(answer)
    words = [text_at(body, "message"), text_at(body, "detail")]
    words += [text_at(error, "message") for error in objects_at(body, "suberrors")[:_MOST_SUBERRORS]]
    told = list(dict.fromkeys(word.strip().rstrip(".") for word in words if word.strip()))
    return f"“{'; '.join(told)}”." if told else f"status {answer.status}."


def refusal_of(answer: HttpAnswer) -> JsonObject:
    """The body of a refusal; an empty one when it is not Make's own."""
    try:
        body = answer.json()
    except UnreadableAnswer:
        return {}
    return body if isinstance(body, dict) else {}
