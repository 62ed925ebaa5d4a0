"""Listing the scenarios of a team or an organization of Make, page by page, with the names of folders and teams."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import ProviderRefused, UnreadableAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.json_reading import number_at, objects_at, text_at, time_at
from orchestrator_app.providers.make_api import PROVIDER, MakeApi
from orchestrator_app.providers.remote_workflow import RemoteWorkflow

_OPERATION = Capability.LIST.value
_PAGE = 100
_EMPTY_PAGES = 20
_MOST_FOLDER_TEAMS = 20  # a request each
_TEAM = "teamId"
_ORGANIZATION = "organizationId"
_NOTES = {
    "isinvalid": "Make has stopped this scenario because of errors.",
    "isPaused": "Make has paused this scenario because of the subscription.",
    "islocked": "Make has locked this scenario.",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose scenarios are listed: exactly one of the two parameters that Make takes, and its number."""

    parameter: str
    id: str


@dataclass(frozen=True, slots=True)
class Names:
    """The names of folders and teams by their ids."""

    folders: Mapping[str, str] = field(default_factory=dict[str, str])
    teams: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list of a scope a page begins."""

    scope: Scope
    offset: int = 0

    def as_cursor(self) -> str:
        """As it is handed out."""
        text = json.dumps([self.scope.parameter, self.scope.id, self.offset])
        return base64.urlsafe_b64encode(text.encode()).decode()

    @classmethod
    def read(cls, cursor: str) -> "Place":
        """What ``as_cursor`` made.

        Raises:
            ProviderRefused: It is no cursor.
        """
        try:
            read: Any = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
            parameter, number, offset = read
            if parameter in {_TEAM, _ORGANIZATION} and str(number).isdecimal() and int(offset) >= 0:
                return cls(Scope(parameter, str(number)), int(offset))
        except (ValueError, TypeError, binascii.Error):
            pass
        raise _refused("This is no place in the list of scenarios.", "Read the list from its beginning.")


async def scope_of(api: MakeApi, values: Mapping[str, str]) -> Scope:
    """The chosen team, else the chosen organization, else the only one that the token sees.

    Raises:
        ProviderRefused: There are several, or none.
    """
    if team := values.get("teamId", "").strip():
        return Scope(_TEAM, team)
    if organization := values.get("organizationId", "").strip():
        return Scope(_ORGANIZATION, organization)
    seen = objects_at(await api.known("/organizations", _OPERATION), "organizations")
    if len(seen) == 1:
        return Scope(_ORGANIZATION, text_at(seen[0], "id"))
    if not seen:
        raise _refused(
            "No team is chosen, and the API token sees no organization of Make.",
            "Enter the number of the team in the connection, or give the token the scope organizations:read.",
        )
    raise _refused(
        f"No team is chosen, and the API token sees {len(seen)} organizations of Make.",
        "Test the connection and choose a team or an organization in it.",
    )


async def names_of(api: MakeApi, scope: Scope) -> Names:
    """The names of folders and teams, as far as the token may see them."""
    if scope.parameter == _TEAM:
        body = await api.known(f"/teams/{quote(scope.id, safe='')}", _OPERATION)
        teams = {scope.id: text_at(body, "team", "name")}
    else:
        listed = await api.known("/teams", _OPERATION, {_ORGANIZATION: scope.id})
        teams = {text_at(team, "id"): text_at(team, "name") for team in objects_at(listed, "teams")}
    folders: dict[str, str] = {}
    for team in list(teams)[:_MOST_FOLDER_TEAMS]:
        body = await api.known("/scenarios-folders", _OPERATION, {_TEAM: team})
        rows = objects_at(body, "scenariosFolders")
        folders |= {text_at(folder, "id"): text_at(folder, "name") for folder in rows}
    return Names(folders, teams)


async def scenario_page(api: MakeApi, place: Place, query: str) -> tuple[list[JsonObject], str]:
    """Rows with ``query`` in the name, and the next page's cursor or empty.

    Make cannot search: pages on which nothing is left are passed over.
    """
    wanted = query.strip().casefold()
    for _ in range(_EMPTY_PAGES):
        body = await api.object("/scenarios", _OPERATION, _parameters(place))
        if not isinstance(body.get("scenarios"), list):
            raise UnreadableAnswer(
                f"{api.host} did not answer as Make does: there is no list of scenarios in the answer.",
                hint="Check the zone of the connection.",
                provider=PROVIDER,
                operation=_OPERATION,
            )
        listed = objects_at(body, "scenarios")
        # A server may give fewer rows than it is asked for; it says so.
        size = min(_PAGE, int(number_at(body, "pg", "limit")) or _PAGE)
        place = Place(place.scope, place.offset + len(listed))
        is_last = not listed or len(listed) < size
        rows = [row for row in listed if wanted in text_at(row, "name").casefold()]
        if rows or is_last:
            return rows, "" if is_last else place.as_cursor()
    return [], place.as_cursor()


def team_of(row: JsonObject) -> Scope:
    """The team to which a scenario belongs."""
    return Scope(_TEAM, text_at(row, "teamId"))


def read_scenario(row: JsonObject, web: str, names: Names, digest: str = "") -> RemoteWorkflow:
    """A scenario as it stands in lists; ``digest`` is that of its modules, which lists do not tell."""
    scenario_id = text_at(row, "id")
    team = text_at(row, "teamId")
    return RemoteWorkflow(
        id=scenario_id,
        name=text_at(row, "name") or scenario_id,
        is_active=is_active(row),
        updated_at=time_at(row, "lastEdit"),
        tags=tuple(name for label in objects_at(row, "labels") if (name := text_at(label, "name"))),
        link=f"{web}/{quote(team, safe='')}/scenarios/{quote(scenario_id, safe='')}/edit" if team else "",
        folder=names.folders.get(text_at(row, "folderId"), ""),
        team=names.teams.get(team, ""),
        kind=scheduling_of(row),
        note=why_not_running(row),
        content_hash=digest,
    )


def is_active(row: JsonObject) -> bool:
    """Whether it is switched on. The schedule says nothing about it: it is kept while a scenario is off."""
    return row.get("isActive") is True


def scheduling_of(row: JsonObject) -> str:
    """When Make starts it by itself: ``on-demand``, ``immediately``, ``daily`` and so on."""
    return text_at(row, "scheduling", "type")


def why_not_running(row: JsonObject) -> str:
    """Why it cannot run although it is there, as a sentence, or empty."""
    return next((note for name, note in _NOTES.items() if row.get(name) is True), "")


def _parameters(place: Place) -> dict[str, str]:
    return {
        place.scope.parameter: place.scope.id,
        "pg[limit]": str(_PAGE),
        "pg[offset]": str(place.offset),
        "pg[sortBy]": "id",  # stable while scenarios are renamed and edited
        "pg[sortDir]": "asc",
    }


def _refused(message: str, hint: str) -> ProviderRefused:
    return ProviderRefused(message, hint=hint, provider=PROVIDER, operation=_OPERATION)
