"""Testing a connection to Make: tells a wrong zone, a bad token and a missing scope apart, and finds the teams."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import ProviderBusy, ProviderError, UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.connection import Choice, ConnectionCheck
from orchestrator_app.providers.json_reading import list_at, object_at, objects_at, text_at
from orchestrator_app.providers.make_api import SCOPES, MakeApi, refusal_of, said

_OPERATION = Capability.TEST.value
_MOST_ORGANIZATIONS = 20
_ZONE_HINT = (
    "Enter the zone that the browser shows when you are signed in to Make, for instance eu1.make.com."
)


async def check_connection(api: MakeApi, values: Mapping[str, str]) -> ConnectionCheck:
    """Ask what the token may do, then for organizations and teams."""
    if not api.has_token:
        return ConnectionCheck("untested", "Enter the zone and an API token.")
    try:
        answer = await api.get("/users/me/current-authorization", _OPERATION)
        if refused := _refused(api, answer):
            return refused
        api.raise_for(answer, _OPERATION)
        scopes = _scopes(object_at(answer.json(), "authorization"))
        organizations = objects_at(await api.known("/organizations", _OPERATION), "organizations")
        teams = await _teams(api, organizations)
        limit = await _limit(api, values.get("organizationId", ""), organizations)
    except ProviderBusy as error:
        return ConnectionCheck("untested", f"{error.message} {error.hint}")
    except ProviderError as error:
        return ConnectionCheck("unreachable", f"{error.message} {error.hint} {_ZONE_HINT}")
    missing = [f"Without the scope {scope}, {lost}." for scope, lost in SCOPES.items() if scope not in scopes]
    missing = missing if scopes else []
    facts = [("Permissions", ", ".join(scopes) or "Make does not tell what this token may do.")]
    facts += [("Missing permission", sentence) for sentence in missing]
    facts += [("Requests in a minute", limit)] if limit else []
    details = [f"Make at {api.host} answers and accepts the API token.", *missing]
    details += _about_team(values, organizations, teams)
    return ConnectionCheck(
        "connected",
        " ".join(details),
        choices={
            "organizationId": tuple(_choice(row, "") for row in organizations),
            "teamId": tuple(_choice(row, organization) for row, organization in teams),
        },
        facts=tuple(facts),
    )


def _refused(api: MakeApi, answer: HttpAnswer) -> ConnectionCheck | None:
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and _is_from_make(answer):
        return ConnectionCheck(
            "refused",
            f"Make at {api.host} does not accept the API token: {said(answer)} Create a token in Make under Profile, "
            "API access. A token works in its own zone only.",
        )
    if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and not _is_from_make(answer):
        return ConnectionCheck(
            "unreachable", f"Something answers at {api.host}, but it is not Make's API. {_ZONE_HINT}"
        )
    return None


def _is_from_make(answer: HttpAnswer) -> bool:
    if answer.status != HTTPStatus.OK:
        return bool(text_at(refusal_of(answer), "message"))
    try:
        return bool(object_at(answer.json(), "authorization"))
    except UnreadableAnswer:
        return False


def _scopes(authorization: JsonObject) -> list[str]:
    listed = list_at(authorization, "scope") or text_at(authorization, "scope").split()
    return [scope for scope in listed if isinstance(scope, str)]


async def _teams(api: MakeApi, organizations: Sequence[JsonObject]) -> list[tuple[JsonObject, str]]:
    """The teams of all organizations, each with the name of its organization."""
    found: list[tuple[JsonObject, str]] = []
    for organization in organizations[:_MOST_ORGANIZATIONS]:
        listed = await api.known("/teams", _OPERATION, {"organizationId": text_at(organization, "id")})
        found += [(team, text_at(organization, "name")) for team in objects_at(listed, "teams")]
    return found


async def _limit(api: MakeApi, chosen: str, organizations: Sequence[JsonObject]) -> str:
    """How many requests the organization may make in a minute, or empty."""
    organization = chosen or (text_at(organizations[0], "id") if len(organizations) == 1 else "")
    if not organization:
        return ""
    body = await api.known(f"/organizations/{quote(organization, safe='')}", _OPERATION)
    return text_at(body, "organization", "license", "apiLimit")


def _about_team(
    values: Mapping[str, str], organizations: Sequence[JsonObject], teams: Sequence[tuple[JsonObject, str]]
) -> list[str]:
    """What is to be said about the chosen organization and team."""
    known_teams = {text_at(team, "id") for team, _ in teams}
    known_organizations = {text_at(organization, "id") for organization in organizations}
    team, organization = values.get("teamId", ""), values.get("organizationId", "")
    if team and known_teams and team not in known_teams:
        return [f"It does not see team {team}: choose another."]
    if not team and organization and known_organizations and organization not in known_organizations:
        return [f"It does not see organization {organization}: choose another."]
    if not team and not organization and len(organizations) > 1:
        return ["It sees several organizations: choose one, or a team."]
    if not team and not organization and not organizations:
        return ["It sees no organization: enter the number of the team, as it stands in the address of Make."]
    return []


def _choice(row: JsonObject, organization: str) -> Choice:
    name = text_at(row, "name") or text_at(row, "id")
    return Choice(text_at(row, "id"), f"{name} ({organization})" if organization else name)
