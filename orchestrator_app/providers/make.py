"""Make: lists and previews scenarios, runs them through the API or their webhooks, and follows their executions."""

import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import CredentialRefused, ProviderRefused
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import origin_of, send
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Choice, Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.make_api import PROVIDER, ZONES, MakeApi, hook_origins, zone_problem
from orchestrator_app.providers.make_blueprint import read_blueprint
from orchestrator_app.providers.make_check import check_connection
from orchestrator_app.providers.make_execution import Memo, begun_at, look_at_log, look_at_run
from orchestrator_app.providers.make_hooks import answer_of_hook, hook_headers
from orchestrator_app.providers.make_preview import preview_of
from orchestrator_app.providers.make_run import run_scenario
from orchestrator_app.providers.make_scenarios import (
    Names,
    Place,
    Scope,
    names_of,
    read_scenario,
    scenario_page,
    scope_of,
    team_of,
)
from orchestrator_app.providers.make_search import look_for_call
from orchestrator_app.providers.make_target import Hook, Target, find_hook, find_target
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview

_TARGET_SECONDS = 30.0
_NAMES_SECONDS = 300.0
_MOST_KEPT = 500
_EXECUTE = Capability.EXECUTE.value
_ONLY_THE_CALLBACK = "Make tells no id of what this call started, so only its call back can tell the end."


class MakeProvider(Provider):
    """Make (once Integromat), in any of its zones. Without a connection it calls plain webhook addresses."""

    key: ClassVar[str] = PROVIDER
    title: ClassVar[str] = "Make"
    calls_back_itself: ClassVar[bool] = True
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.CANCEL}
    limits: ClassVar[Mapping[Capability, str]] = {
        Capability.RESPONSE: "runs of up to 40 seconds; webhooks with a module “Webhook response”",
        Capability.POLL: "what a webhook started is guessed by its time in the log",
        Capability.CALLBACK: "for webhooks by an HTTP module of the scenario",
        Capability.FORM: "scenarios that declare inputs",
    }
    refusals: ClassVar[Mapping[Capability, str]] = {
        Capability.CANCEL: "Make has no way to cancel a single execution, so it goes on there until it has ended.",
    }
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "zone",
            "Zone",
            help="As the browser shows it when you are signed in to Make. A private instance: its complete address.",
            is_origin=True,
            placeholder="https://eu1.make.com",
            options=tuple(Choice(f"https://{zone}", zone) for zone in ZONES),
            takes_others=True,
        ),
        CredentialField(
            "apiToken",
            "API token",
            help="Made in Make under Profile, API access. Needs the scopes scenarios:read, scenarios:write, "
            "scenarios:run, organizations:read, teams:read and hooks:read.",
            is_secret=True,
        ),
        CredentialField(
            "organizationId",
            "Organization",
            help="Found by a test of the connection. Needed only if the token sees several and no team is chosen.",
            required=False,
            is_discovered=True,
            takes_others=True,
        ),
        CredentialField(
            "teamId",
            "Team",
            help="Found by a test of the connection. Empty means the whole organization.",
            required=False,
            is_discovered=True,
            takes_others=True,
        ),
        CredentialField(
            "hookApiKey",
            "Webhook API key",
            help="Only for webhooks that ask for a key (x-make-apikey).",
            is_secret=True,
            required=False,
        ),
    )
    looks_per_minute: ClassVar[int] = 40  # the smallest plan allows 60 requests in a minute

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        self._targets: dict[tuple[str, str, str], tuple[float, Target]] = {}
        self._names: dict[tuple[str, str, Scope], tuple[float, Names]] = {}

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        """Without a token only a webhook can be called, and only itself can tell the end."""
        if connection is not None and MakeApi(self.client, connection).has_token:
            return self.capabilities
        return frozenset({Capability.EXECUTE, Capability.RESPONSE, Capability.CALLBACK})

    def bound_origins(self, connection: Connection) -> frozenset[str]:
        """The API's origin, and where the webhooks of the zone are."""
        return (frozenset({origin_of(MakeApi(self.client, connection).base)}) | hook_origins(connection)) - {
            ""
        }

    def problems(self, values: Mapping[str, str]) -> dict[str, str]:
        """Addresses that look like a zone and are none, and names where Make wants numbers."""
        found: dict[str, str] = {}
        if problem := zone_problem(values.get("zone", "")):
            found["zone"] = problem
        for key, what in (("organizationId", "organization"), ("teamId", "team")):
            if (value := values.get(key, "").strip()) and not value.isdecimal():
                found[key] = f"The {what} is a number in Make, as it stands in the address of its page."
        return found

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Ask what the token may do and which teams it sees."""
        return await check_connection(MakeApi(self.client, connection), connection.values)

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """One page of the scenarios of the chosen team or organization."""
        api = self._api(connection, Capability.LIST)
        place = Place.read(cursor) if cursor else Place(await scope_of(api, connection.values))
        names = await self._names_of(connection, api, place.scope, is_fresh=not cursor)
        rows, following = await scenario_page(api, place, query)
        return WorkflowPage(tuple(read_scenario(row, api.web, names) for row in rows), following)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The blueprint's graph, the declared inputs, and what starts the scenario."""
        operation = Capability.PREVIEW.value
        api = self._api(connection, Capability.PREVIEW)
        row = await api.scenario(workflow_id, operation)
        blueprint = await api.blueprint(workflow_id, operation)
        declared = await api.inputs(workflow_id, operation)
        names = await self._names_of(connection, api, team_of(row), is_fresh=False)
        graph = read_blueprint(blueprint)
        try:
            hook = await find_hook(api, row, operation, blueprint)
        except (CredentialRefused, ProviderRefused):
            hook = Hook("", problem="the API token may not see its webhook. Give it the scope hooks:read.")
        workflow = read_scenario(row, api.web, names, graph.digest)
        return preview_of(workflow, graph, declared, hook)

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Run the scenario, or call its webhook, whichever starts it. An address in the node is that of a webhook."""
        if call.url:
            return await self._call_hook(connection, call, Target(call.workflow_id, "", "", call.url))
        if connection is None:
            raise self._needs_token(Capability.EXECUTE)
        api = self._api(connection, Capability.EXECUTE)
        if not call.workflow_id:
            raise self._refused(
                "There is neither a webhook nor a scenario to start.", "Choose a scenario in the node."
            )
        target = await self._target(connection, api, call.workflow_id)
        if target.hook_url:
            return await self._call_hook(connection, call, target)
        try:
            return await run_scenario(self.client, api, target, call)
        except ProviderRefused:
            self._targets.clear()  # it may have been changed since it was looked up
            raise

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Look at the execution by its id, or look for it in the logs."""
        if connection is None:
            raise self._needs_token(Capability.POLL)
        api = self._api(connection, Capability.POLL)
        known = Memo.read(memo, call)
        if known.is_guess and call.completion == "callback":
            # A guess must not end a wait for what the scenario itself is going to tell.
            return RemoteLook("running", message=_ONLY_THE_CALLBACK, is_certain=False, memo=known.as_json())
        try:
            if known.is_guess:
                return await look_at_log(api, known)
            if known.execution:
                return await look_at_run(api, known)
            return await look_for_call(api, call, known)
        except ProviderRefused as error:
            if error.remote_status == HTTPStatus.NOT_FOUND:
                await api.ensure_there(Capability.POLL.value)
            raise

    async def called_back(
        self, connection: Connection | None, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        """Make itself says only which execution has ended; a module of the scenario sends the result as it is.

        The result is fetched at our own address with our own token: the address in the callback is not trusted.
        """
        known = Memo.read(memo, call)
        execution = text_at(body, "executionId")
        if not (execution and text_at(body, "statusUrl")):
            return RemoteLook("completed", body, remote_id=known.execution, memo=memo)
        if known.execution and execution != known.execution:
            message = f"A call back came about another execution ({execution})."
            return RemoteLook("running", remote_id=known.execution, message=message, memo=memo)
        if connection is None:
            raise self._needs_token(Capability.CALLBACK)
        api = self._api(connection, Capability.CALLBACK)
        look = await look_at_run(api, Memo(known.scenario, known.team, execution))
        if look.state != "unknown":
            return look
        return RemoteLook("running", remote_id=execution, message=look.message, memo=look.memo)

    def _api(self, connection: Connection, capability: Capability) -> MakeApi:
        api = MakeApi(self.client, connection)
        if not api.has_token:
            raise self._needs_token(capability)
        return api

    def _needs_token(self, capability: Capability) -> CredentialRefused:
        return CredentialRefused(
            "This needs a connection to Make with its zone and an API token.",
            hint="Choose the connection in the node, or make one on the page Connections.",
            provider=PROVIDER,
            operation=capability.value,
        )

    async def _target(self, connection: Connection, api: MakeApi, scenario_id: str) -> Target:
        place = (connection.id, api.base, scenario_id)
        kept = self._targets.get(place)
        if kept is None or kept[0] < time.monotonic():
            found = await find_target(api, scenario_id, _EXECUTE)
            if not found.is_active:
                return found
            if len(self._targets) >= _MOST_KEPT:
                self._targets.clear()
            kept = self._targets[place] = (time.monotonic() + _TARGET_SECONDS, found)
        return kept[1]

    async def _names_of(self, connection: Connection, api: MakeApi, scope: Scope, *, is_fresh: bool) -> Names:
        place = (connection.id, api.base, scope)
        kept = self._names.get(place)
        if is_fresh or kept is None or kept[0] < time.monotonic():
            if len(self._names) >= _MOST_KEPT:
                self._names.clear()
            kept = self._names[place] = (time.monotonic() + _NAMES_SECONDS, await names_of(api, scope))
        return kept[1]

    async def _call_hook(
        self, connection: Connection | None, call: RemoteCall, target: Target
    ) -> RemoteAnswer:
        api = MakeApi(self.client, connection) if connection else None
        has_api = api is not None and api.has_token
        if call.completion == "poll" and not (has_api and target.scenario):
            raise self._refused(
                "What a webhook starts can only be looked for in the log of its scenario, and no connection and scenario "
                "are chosen.",
                "Choose connection and scenario in the node, or the completion callback.",
            )
        headers = hook_headers(connection, target.hook_url)
        began = time.monotonic()
        answer = await send(self.client, call, url=target.hook_url, headers=headers)
        result = answer_of_hook(call, answer)
        since = begun_at(call, answer, time.monotonic() - began)
        memo = Memo(target.scenario, target.team, since=since, is_guess=True)
        return replace(result, memo=memo.as_json())

    def _refused(self, message: str, hint: str) -> ProviderRefused:
        return ProviderRefused(message, hint=hint, provider=PROVIDER, operation=_EXECUTE)
