"""How a scenario is started: by a run through the API, or by a call of its custom webhook."""

from dataclasses import dataclass, replace
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import ProviderRefused
from orchestrator_app.providers.json_reading import list_at, object_at, text_at
from orchestrator_app.providers.make_api import PROVIDER, MakeApi
from orchestrator_app.providers.make_blueprint import CUSTOM_WEBHOOK, read_blueprint
from orchestrator_app.providers.make_scenarios import is_active, why_not_running

_CALLABLE_HOOK = "gateway-webhook"
_WEBHOOKS = "gateway"


@dataclass(frozen=True, slots=True)
class Hook:
    """What waits for events before a scenario.

    Attributes:
        kind: Make's name of its type: ``gateway-webhook`` is the one that anybody may call.
        url: Its address, or empty when it cannot be called.
        problem: Why it cannot be called, as a sentence, or empty.
    """

    kind: str
    url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A scenario that can be started.

    Attributes:
        scenario: Its id.
        team: Id of its team.
        name: Its name.
        hook_url: The webhook to call; empty when it is run through the API.
        inputs: The names of the inputs that it declares.
        is_active: Whether it is switched on.
    """

    scenario: str
    team: str
    name: str
    hook_url: str = ""
    inputs: frozenset[str] = frozenset()
    is_active: bool = True


async def find_target(api: MakeApi, scenario_id: str, operation: str) -> Target:
    """Ask Make how the scenario is started.

    Raises:
        ProviderRefused: It cannot be started from outside; nothing was sent to it.
    """
    row = await api.scenario(scenario_id, operation)
    hook = await find_hook(api, row, operation)
    target = Target(scenario_id, text_at(row, "teamId"), text_at(row, "name"), is_active=is_active(row))
    if hook is None:
        declared = await api.inputs(scenario_id, operation)
        return replace(target, inputs=frozenset(text_at(field, "name") for field in declared))
    if hook.problem:
        raise _refused(f"The scenario “{target.name}” cannot be called: {hook.problem}", operation)
    if not target.is_active or why_not_running(row):
        reason = why_not_running(row) or "It is not active."
        raise ProviderRefused(
            f"The scenario “{target.name}” does not take calls of its webhook now. {reason}",
            hint="Activate it in Make, then try again.",
            provider=PROVIDER,
            operation=operation,
        )
    return replace(target, hook_url=hook.url)


async def find_hook(
    api: MakeApi, row: JsonObject, operation: str, blueprint: JsonObject | None = None
) -> Hook | None:
    """The hook by which the scenario starts, or None when it has none."""
    number = await _hook_number(api, row, operation, blueprint)
    if number is None:
        return None
    if not number:
        return Hook(_CALLABLE_HOOK, problem="no webhook is chosen in its first module.")
    body = await api.object(f"/hooks/{quote(number, safe='')}", operation)
    return read_hook(object_at(body, "hook"))


async def hook_id_of(api: MakeApi, row: JsonObject, operation: str) -> str:
    """Id of the hook by which the scenario starts, or empty when it has none."""
    return await _hook_number(api, row, operation, None) or ""


async def _hook_number(
    api: MakeApi, row: JsonObject, operation: str, blueprint: JsonObject | None
) -> str | None:
    """The id of the scenario's hook: None when it starts with none, empty when none is chosen."""
    if number := text_at(row, "hookId"):
        return number
    if blueprint is None and _may_have_hook(row):
        blueprint = await api.blueprint(text_at(row, "id"), operation)
    trigger = read_blueprint(blueprint).trigger if blueprint is not None else {}
    if text_at(trigger, "module") != CUSTOM_WEBHOOK:
        return None
    return text_at(trigger, "parameters", "hook")


def read_hook(hook: JsonObject) -> Hook:
    """A hook as Make gives it."""
    kind, url = text_at(hook, "typeName"), text_at(hook, "url")
    if kind != _CALLABLE_HOOK:
        problem = f"it starts by events of an app ({kind or 'unknown'}), not by a custom webhook."
    elif hook.get("gone") is True or hook.get("enabled") is False:
        problem = "its webhook is switched off in Make."
    else:
        problem = "" if url else "Make does not tell the address of its webhook."
    return Hook(kind, "" if problem else url, problem)


def _may_have_hook(row: JsonObject) -> bool:
    """Whether a scenario without a hook in its row may start with one all the same: the row says which apps it uses."""
    return _WEBHOOKS in list_at(row, "usedPackages") or not isinstance(row.get("usedPackages"), list)


def _refused(message: str, operation: str) -> ProviderRefused:
    return ProviderRefused(
        message,
        hint="Let it start with a custom webhook, or on demand without a trigger, or choose another scenario.",
        provider=PROVIDER,
        operation=operation,
    )
