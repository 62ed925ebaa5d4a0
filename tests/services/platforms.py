"""A platform in memory behind the real provider interface, and the services that work with it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import ProviderError
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.remote_workflow import RemoteWorkflow, WorkflowPage, WorkflowPreview
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

FLOW = RemoteWorkflow("w1", "Nightly orders", is_active=True)


class MemoryProvider(Provider):
    """Does what the test says, and remembers the connections it was given."""

    key: ClassVar[str] = "memory"
    title: ClassVar[str] = "Memory"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.CANCEL}
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
        self.listing: WorkflowPage | ProviderError = WorkflowPage((FLOW,), "next")
        self.seen: list[Connection | None] = []

    def _given(self, connection: Connection | None, outcome: Any) -> Any:
        self.seen.append(connection)
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome

    async def test(self, connection: Connection) -> ConnectionCheck:
        return self._given(connection, self.check)

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        return self._given(connection, self.listing)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        page: WorkflowPage = self._given(connection, self.listing)
        return WorkflowPreview(page.workflows[0], (), ())

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


@dataclass
class Office:
    """The services around connections, with what they work on."""

    database: Database
    memory: MemoryProvider
    open: OpenProvider
    clock: SteeredClock
    hub: Hub
    connections: Connections
    gateway: Gateway
    catalog: Catalog
    events: list[Any] = field(default_factory=list[Any])

    async def connect(self, name: str = "Ours", **values: str) -> str:
        """The id of a new connection."""
        view = await self.connections.connect(WS, "memory", name=name, credentials=GOOD | values)
        return view.id


def open_office(database: Database, vault: Vault) -> Office:
    memory, open_provider, clock, hub = MemoryProvider(), OpenProvider(), SteeredClock(), Hub()
    providers: dict[str, Provider] = {"memory": memory, "open": open_provider}
    connections = Connections(database, vault, providers, hub, now=clock.now, new_id=tokens.new_id)
    gateway, catalog = Gateway(providers, connections), Catalog(providers, connections)
    return Office(database, memory, open_provider, clock, hub, connections, gateway, catalog)
