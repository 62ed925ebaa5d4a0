"""The provider interface: what every platform adapter offers, and the values it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import NotSupported
from orchestrator_app.providers.client import HttpClient


class Capability(StrEnum):
    """What a provider may be able to do; each adapter declares its own."""

    TEST = "test"
    LIST = "list"
    PREVIEW = "preview"
    EXECUTE = "execute"
    POLL = "poll"
    CALLBACK = "callback"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One field of a connection's form. Secret ones are write-only; ``is_origin`` marks the address it is bound to."""

    key: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_origin: bool = False
    required: bool = True
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """An opened connection: what an adapter gets. Never stored, logged or sent to a browser as it is."""

    id: str
    provider: str
    name: str
    values: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """Outcome of a connection test. ``detail`` is a sentence that says what works or what to change."""

    status: Literal["connected", "refused", "unreachable", "untested"]
    detail: str


@dataclass(frozen=True, slots=True)
class RemoteWorkflow:
    """A workflow as listed. Times are UTC epoch milliseconds."""

    id: str
    name: str
    is_active: bool
    updated_at: int | None = None
    tags: tuple[str, ...] = ()
    link: str = ""
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """One page of a list; ``cursor`` is empty at the end."""

    workflows: tuple[RemoteWorkflow, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class PreviewNode:
    """A step of a remote workflow."""

    id: str
    label: str
    kind: str
    x: float
    y: float
    is_disabled: bool = False
    is_trigger: bool = False
    notes: str = ""


@dataclass(frozen=True, slots=True)
class PreviewEdge:
    """A way between two steps, with the name of the output or the link type when it matters."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowPreview:
    """A remote workflow as a graph. ``entry`` says in words how it is started; ``completion`` is the best way to end."""

    workflow: RemoteWorkflow
    nodes: tuple[PreviewNode, ...]
    edges: tuple[PreviewEdge, ...]
    url: str = ""
    method: str = "POST"
    completion: str = "response"
    entry: str = ""
    facts: JsonObject = field(default_factory=dict[str, Any])


class Provider:
    """One platform. Subclasses override what they declare; everything else refuses in clear words.

    An instance is shared by all connections and keeps no state between calls.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    credential_fields: ClassVar[tuple[CredentialField, ...]] = ()

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def refusal(self, capability: Capability) -> NotSupported:
        """The error that says that this platform cannot do something."""
        return NotSupported(
            f"{self.title} cannot do this: {capability.value}.", provider=self.key, operation=capability.value
        )

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Try the connection without starting anything.

        Raises:
            ProviderError: Only NotSupported; what goes wrong outside is told in the check.
        """
        raise self.refusal(Capability.TEST)

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """One page of workflows, those whose name contains ``query``."""
        raise self.refusal(Capability.LIST)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The workflow's graph and how to start it."""
        raise self.refusal(Capability.PREVIEW)

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Send the call. ``connection`` is None for a plain address.

        Raises:
            ProviderUnavailable: Nothing was done there; may be retried.
            ProviderBusy: Rate limit; may be retried after the given time.
            ProviderRefused: The request is wrong; retrying does not help.
            CredentialRefused: The key is not accepted.
            OutcomeUnknown: The request left, no complete answer came.
            UnreadableAnswer: The answer breaks the rules of the platform.
            AddressNotAllowed: The network guard refuses the address.
        """
        raise self.refusal(Capability.EXECUTE)

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Look how the execution started by ``call`` fares; ``memo`` is that of the answer or of the last look."""
        raise self.refusal(Capability.POLL)

    async def cancel(self, connection: Connection | None, remote_id: str) -> str:
        """Stop the remote execution; returns a sentence that says what happened."""
        raise self.refusal(Capability.CANCEL)

    async def close(self) -> None:
        """End whatever still works in the background; most providers have nothing of the kind."""
