"""The provider interface: what every platform adapter offers."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import NotSupported
from orchestrator_app.providers.calls import origin_of
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview


class Capability(StrEnum):
    """What a provider may be able to do; each adapter declares its own."""

    TEST = "test"
    TEAMS = "teams"
    LIST = "list"
    PREVIEW = "preview"
    FORM = "form"
    EXECUTE = "execute"
    RESPONSE = "response"
    POLL = "poll"
    CALLBACK = "callback"
    CANCEL = "cancel"
    LINK = "link"


_WORDS = {
    Capability.TEST: "testing the connection",
    Capability.TEAMS: "choosing organization and team",
    Capability.LIST: "listing workflows",
    Capability.PREVIEW: "showing a workflow",
    Capability.FORM: "knowing what a workflow asks for",
    Capability.EXECUTE: "starting a workflow",
    Capability.RESPONSE: "ending by the answer",
    Capability.POLL: "asking how an execution fares",
    Capability.CALLBACK: "calling back",
    Capability.CANCEL: "stopping an execution",
    Capability.LINK: "opening it there by a link",
}


class Provider:
    """One platform. Subclasses override what they declare; everything else refuses in clear words.

    An instance is shared by all connections and keeps no state between calls, but may keep look-ups for a while.

    Attributes:
        key: Name in definitions and addresses.
        title: Name on screen.
        capabilities: What it can do with its best kind of connection.
        limits: Where it can do less with another kind of connection, or only sometimes: words for the matrix.
        refusals: Why it cannot do the rest: sentences in the platform's terms.
        credential_fields: The form of a connection; empty when none is needed.
        looks_per_minute: How many looks at executions one connection may make in a minute.
        calls_back_itself: The platform sends the callback when an execution ends. Elsewhere a step of the workflow
            does, perhaps long after: a mail with a link that a person opens.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    limits: ClassVar[Mapping[Capability, str]] = {}
    refusals: ClassVar[Mapping[Capability, str]] = {}
    credential_fields: ClassVar[tuple[CredentialField, ...]] = ()
    looks_per_minute: ClassVar[int] = 600
    calls_back_itself: ClassVar[bool] = False

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        """What it can do with this connection, or with a plain address alone (None)."""
        return self.capabilities

    def refusal(self, capability: Capability) -> NotSupported:
        """The error that says that this platform cannot do something, or not with this kind of connection, and why."""
        hint = ""
        why = self.refusals.get(capability) or f"{self.title} cannot do this: {capability.value}."
        if capability in self.capabilities:
            why = f"{self.title} does not offer this with this kind of connection: {_WORDS[capability]}."
            hint = f"It works with: {self.limits[capability]}." if capability in self.limits else ""
        return NotSupported(why, hint=hint, provider=self.key, operation=capability.value)

    def bound_origins(self, connection: Connection) -> frozenset[str]:
        """The origins to which secrets of this connection may be sent, as ``calls.origin_of`` spells them."""
        addresses = (
            connection.values.get(field.key, "") for field in self.credential_fields if field.is_origin
        )
        return frozenset(origin_of(address) for address in addresses) - {""}

    def problems(self, values: Mapping[str, str]) -> dict[str, str]:
        """What is wrong with a connection's values beyond the rules of its fields: a sentence by field key."""
        return {}

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Try the connection without starting anything.

        Raises:
            ProviderError: Only NotSupported; what goes wrong outside is told in the check.
        """
        raise self.refusal(Capability.TEST)

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """One page of workflows, those whose name contains ``query``; with it empty, all of them page by page."""
        raise self.refusal(Capability.LIST)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The workflow's graph and how to start it.

        Raises:
            ProviderRefused: With ``remote_status`` 404 when there is no such workflow (any more).
        """
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

    async def called_back(
        self, connection: Connection | None, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        """What a callback says; ``running`` when it only tells that something happened and the wait goes on.

        Most platforms send the result itself. One that sends only where the result is, is asked for it.
        """
        return RemoteLook("completed", body, memo=memo)

    async def cancel(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> str:
        """Stop the execution started by ``call``; returns a sentence that says what happened.

        ``memo`` is that of the answer or of the last look; empty when the call was cut before it was answered.
        """
        raise self.refusal(Capability.CANCEL)

    async def close(self) -> None:
        """End whatever still works in the background; most providers have nothing of the kind."""
