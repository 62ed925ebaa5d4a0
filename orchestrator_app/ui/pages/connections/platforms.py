"""The platforms and their connections as the page shows them, and the words for what each platform can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.connection import MODE_FIELD
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.ui.routes import WORKFLOWS


@dataclass(frozen=True, slots=True)
class PlatformLook:
    """What a platform is for, in a line, and the colour of its mark."""

    purpose: str
    color: str


# In the order of the page. A platform that is not here comes last and is shown without a purpose.
LOOKS: dict[str, PlatformLook] = {
    "n8n": PlatformLook("Workflows on a server of your own or in n8n Cloud.", "plum"),
    "make": PlatformLook("Scenarios, started by API or by custom webhook.", "violet"),
    "zapier": PlatformLook("Zaps that begin with a Catch Hook.", "orange"),
    "flowise": PlatformLook("Chatflows and agentflows that answer a question or a form.", "blue"),
    "custom": PlatformLook("Any other web address, with a secret header if it needs one.", "teal"),
}
_UNKNOWN = PlatformLook("", "gray")

ABILITIES: dict[Capability, str] = {
    Capability.TEST: "Test a connection",
    Capability.TEAMS: "Choose an organization and a team",
    Capability.LIST: "List and search workflows",
    Capability.PREVIEW: "Show a workflow as a graph",
    Capability.FORM: "Know what a workflow asks for",
    Capability.EXECUTE: "Start a workflow",
    Capability.RESPONSE: "Take the result from the answer",
    Capability.POLL: "Ask for the result until it is there",
    Capability.CALLBACK: "Be called back with the result",
    Capability.CANCEL: "Stop a workflow that runs",
    Capability.LINK: "Open a workflow or its execution there",
}


@dataclass(frozen=True)
class AbilityRow:
    """Something that a platform can do: ``can`` is yes, partly or no; ``note`` says when, or why not."""

    label: str
    can: str
    note: str


@dataclass(frozen=True)
class ConnectionRow:
    """A stored connection; empty texts and zeros stand for nothing.

    Attributes:
        mode: Which kind of connection it is, where the platform has several.
        lacks: What it cannot do although its platform can with another kind of connection, as a sentence.
        workflows: How many workflows its list has, in words; empty as long as the list was not read.
        browse_path: Where its workflows are shown; empty if the platform does not list them.
    """

    id: str
    provider: str
    name: str
    address: str
    mode: str
    status: str
    detail: str
    checked_date: int
    lacks: str
    workflows: str
    is_syncing: bool
    synced_date: int
    sync_failure: str
    browse_path: str


@dataclass(frozen=True)
class PlatformRow:
    """A platform that connections can be made to."""

    key: str
    title: str
    initial: str
    color: str
    purpose: str
    connections: list[ConnectionRow]
    abilities: list[AbilityRow]
    ability_count: str


def platform_rows(found: Sequence[ProviderView]) -> list[PlatformRow]:
    """The platforms that have something to fill in, in the order of the page."""
    order = list(LOOKS)
    connectable = [view for view in found if view.fields]
    connectable.sort(key=lambda view: order.index(view.key) if view.key in LOOKS else len(order))
    return [_platform(view) for view in connectable]


def _platform(view: ProviderView) -> PlatformRow:
    look = LOOKS.get(view.key, _UNKNOWN)
    abilities = [_ability(view, capability) for capability in Capability]
    count = sum(ability.can != "no" for ability in abilities)
    return PlatformRow(
        key=view.key,
        title=view.title,
        initial=view.title[:1],
        color=look.color,
        purpose=look.purpose,
        connections=[_connection(view, connection) for connection in view.connections],
        abilities=abilities,
        ability_count=f"{count} of {len(abilities)}",
    )


def _ability(view: ProviderView, capability: Capability) -> AbilityRow:
    if capability not in view.capabilities:
        return AbilityRow(ABILITIES[capability], "no", view.refusals.get(capability, ""))
    limit = view.limits.get(capability, "")
    if limit:
        return AbilityRow(ABILITIES[capability], "partly", f"Partly: {limit}")
    return AbilityRow(ABILITIES[capability], "yes", "")


def _connection(platform: ProviderView, view: ConnectionView) -> ConnectionRow:
    lacking = [
        ABILITIES[capability]
        for capability in Capability
        if capability in platform.capabilities and capability not in view.capabilities
    ]
    sync = view.sync
    is_known = sync is not None and (sync.synced_date is not None or sync.is_syncing)
    return ConnectionRow(
        id=view.id,
        provider=view.provider,
        name=view.name,
        address=_address(platform.fields, view.settings),
        mode=_mode(platform.fields, view.settings),
        status=view.status,
        detail=view.status_detail,
        checked_date=view.checked_date or 0,
        # Of one that no key opens, nothing is known.
        lacks=_lacks(lacking) if view.capabilities else "",
        workflows=_workflows(sync.workflows) if sync is not None and is_known else "",
        is_syncing=sync is not None and sync.is_syncing,
        synced_date=(sync.synced_date or 0) if sync is not None else 0,
        # Of one that does not work, the status tells already why nothing can be read.
        sync_failure=sync.failure if sync is not None and view.status == "connected" else "",
        browse_path=f"{WORKFLOWS}?provider={view.provider}&connection={view.id}"
        if Capability.LIST in view.capabilities
        else "",
    )


def _address(fields: Sequence[dict[str, Any]], settings: dict[str, str]) -> str:
    """Where the connection leads: the first of its addresses that is filled in."""
    return next(
        (settings[field["key"]] for field in fields if field["isOrigin"] and settings.get(field["key"])), ""
    )


def _mode(fields: Sequence[dict[str, Any]], settings: dict[str, str]) -> str:
    options = next((field["options"] for field in fields if field["key"] == MODE_FIELD), ())
    return next((option["label"] for option in options if option["value"] == settings.get(MODE_FIELD)), "")


def _lacks(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    words = ", ".join(f"{label[0].lower()}{label[1:]}" for label in labels)
    return f"Not with this connection: {words}."


def _workflows(count: int) -> str:
    return f"{count:,} workflow{'' if count == 1 else 's'}"
