"""Platforms in memory behind the real provider interface, and the services that work with them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, cast

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import ProviderError, ProviderRefused
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Choice, Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.remote_workflow import (
    PreviewEdge,
    PreviewNode,
    RemoteWorkflow,
    WorkflowPage,
    WorkflowPreview,
)
from orchestrator_app.runner.hub import Hub
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.gateway import Gateway
from orchestrator_app.storage.database import Database
from tests.steered import SteeredClock

WS = "default"
KEY = "the-secret-key-1"
PIN = "pin-87654321"
GOOD = {"baseUrl": "https://memory.example", "apiKey": KEY}

FLOW = RemoteWorkflow("w1", "Nightly orders", is_active=True, updated_at=1_000, content_hash="h1")

ListStep = ProviderError | Callable[[], Awaitable[None]] | None
"""What happens when a page is asked for: an error, something to do before, or nothing special."""


class MemoryProvider(Provider):
    """Does what the test says, and remembers the connections it was given.

    Attributes:
        flows: Its workflows.
        page_size: How many of them are on a page.
        has_no_end: Its pages lead in a circle.
        list_steps: What the next pages meet, one each.
        cursors: Which pages were asked for.
        graphs: Previews that are not made from ``flows``.
        down: What every list and preview meets.
    """

    key: ClassVar[str] = "memory"
    title: ClassVar[str] = "Memory"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.CANCEL}
    limits: ClassVar[Mapping[Capability, str]] = {Capability.POLL: "with a key"}
    refusals: ClassVar[Mapping[Capability, str]] = {Capability.CANCEL: "Memory cannot stop what it began."}
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField("baseUrl", "Address", help="Where it is.", is_origin=True, placeholder="https://x"),
        CredentialField("hookUrl", "Webhook address", is_origin=True, required=False),
        CredentialField("region", "Region", required=False),
        CredentialField("apiKey", "API key", is_secret=True),
        CredentialField("pin", "PIN", is_secret=True, required=False),
    )

    def __init__(self) -> None:
        super().__init__(cast("HttpClient", None))
        self.check = ConnectionCheck("connected", "It answers.")
        self.answer: RemoteAnswer | ProviderError = RemoteAnswer("completed", {"ok": True})
        self.look: RemoteLook | ProviderError = RemoteLook("completed", {"ok": True})
        self.flows = [FLOW]
        self.page_size = 100
        self.has_no_end = False
        self.list_steps: list[ListStep] = []
        self.cursors: list[str] = []
        self.graphs: dict[str, WorkflowPreview] = {}
        self.previewed: list[str] = []
        self.down: ProviderError | None = None
        self.seen: list[Connection | None] = []

    def _given(self, connection: Connection | None, outcome: Any) -> Any:
        self.seen.append(connection)
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome

    async def test(self, connection: Connection) -> ConnectionCheck:
        return self._given(connection, self.check)

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        self.cursors.append(cursor)
        step = self.list_steps.pop(0) if self.list_steps else None
        if callable(step):
            await step()
            step = None
        self._given(connection, step or self.down)
        if self.has_no_end:
            return WorkflowPage(tuple(self.flows), "b" if cursor == "a" else "a")
        begin = int(cursor or 0)
        end = begin + self.page_size
        return WorkflowPage(tuple(self.flows[begin:end]), str(end) if end < len(self.flows) else "")

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        self.previewed.append(workflow_id)
        self._given(connection, self.down)
        if workflow_id in self.graphs:
            return self.graphs[workflow_id]
        flow = next((flow for flow in self.flows if flow.id == workflow_id), None)
        if flow is None:
            raise ProviderRefused("There is no such workflow.", provider=self.key, remote_status=404)
        return graph(flow)

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        return self._given(connection, self.answer)

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        return self._given(connection, self.look)


class OpenProvider(MemoryProvider):
    """A platform that needs no connection."""

    key: ClassVar[str] = "open"
    title: ClassVar[str] = "Open"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.EXECUTE, Capability.LIST})
    credential_fields: ClassVar[tuple[CredentialField, ...]] = ()


class ModalProvider(MemoryProvider):
    """A platform with two kinds of connection: an address alone, which lists nothing, or a token."""

    key: ClassVar[str] = "modal"
    title: ClassVar[str] = "Modal"
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "mode", "Kind", options=(Choice("hook", "Hook address"), Choice("token", "Access token"))
        ),
        CredentialField("hook", "Hook", is_secret=True, modes=("hook",)),
        CredentialField("token", "Token", is_secret=True, modes=("token",)),
        CredentialField(
            "zone",
            "Zone",
            is_origin=True,
            options=(Choice("https://eu.example", "eu"),),
            takes_others=True,
            modes=("token",),
        ),
        CredentialField("team", "Team", required=False, is_discovered=True, modes=("token",)),
    )

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        if connection is not None and connection.values.get("mode") == "token":
            return self.capabilities
        return frozenset({Capability.TEST, Capability.EXECUTE})

    def problems(self, values: Mapping[str, str]) -> dict[str, str]:
        hook = values.get("hook", "")
        if hook and not hook.startswith("https://hooks.example/"):
            return {"hook": "Hook must begin with https://hooks.example/."}
        return {}


@dataclass
class Office:
    """The services around connections, with what they work on."""

    database: Database
    memory: MemoryProvider
    open: OpenProvider
    modal: ModalProvider
    clock: SteeredClock
    hub: Hub
    connections: Connections
    gateway: Gateway
    catalog: Catalog
    providers: dict[str, Provider]
    events: list[Any] = field(default_factory=list[Any])

    async def connect(self, name: str = "Ours", **values: str) -> str:
        """The id of a new connection."""
        view = await self.connections.connect(WS, "memory", name=name, credentials=GOOD | values)
        return view.id


def graph(flow: RemoteWorkflow, *steps: str, digest: str = "d") -> WorkflowPreview:
    """A workflow as a chain of steps, by default a trigger and one more."""
    names = steps or ("Start", "Work")
    nodes = tuple(
        PreviewNode(name.lower(), name, "step", digest=digest, is_trigger=not index)
        for index, name in enumerate(names)
    )
    edges = tuple(PreviewEdge(before.id, after.id) for before, after in pairwise(nodes))
    return WorkflowPreview(flow, nodes, edges)


def flows(count: int, **values: Any) -> list[RemoteWorkflow]:
    """So many workflows, numbered."""
    return [
        replace(FLOW, id=f"w{number}", name=f"Flow {number:04}", **values) for number in range(1, count + 1)
    ]


def open_office(database: Database, vault: Vault) -> Office:
    memory, open_provider, modal = MemoryProvider(), OpenProvider(), ModalProvider()
    clock, hub = SteeredClock(), Hub()
    providers: dict[str, Provider] = {"memory": memory, "open": open_provider, "modal": modal}
    connections = Connections(database, vault, providers, hub, now=clock.now, new_id=tokens.new_id)
    gateway = Gateway(providers, connections, vault)
    catalog = Catalog(database, providers, connections, hub, now=clock.now, sleep=clock.sleep)
    return Office(
        database, memory, open_provider, modal, clock, hub, connections, gateway, catalog, providers
    )
