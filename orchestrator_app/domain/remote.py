"""What travels between the runner and a provider: calls, answers and polls, free of any one platform."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator_app.domain.json_values import JsonObject, JsonValue

RemoteState = Literal["running", "completed", "failed", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """One call that starts (or is) a remote workflow.

    Attributes:
        provider: Key of the provider, for instance ``n8n``.
        connection_id: Stored connection, or empty for a plain address.
        workflow_id: Workflow on the platform, or empty.
        url: Complete address; empty lets the provider find the workflow's own.
        method: HTTP method.
        headers: The user's headers, rendered.
        body: JSON body; ignored when ``text_body`` is given.
        text_body: Body that is not JSON (a content type header says what it is), or None.
        timeout_seconds: Total time for the whole call.
        completion: How the end will be known.
        correlation_id: Goes out as ``X-Correlation-Id``; polling may search for it.
        idempotency_key: Goes out as ``Idempotency-Key``, the same for all attempts of a node.
        traceparent: W3C trace context.
        callback_url: Complete callback address with token, when a callback is awaited.
        callback_token: The token alone.
        is_idempotent: Whether the call may be repeated after an unclear outcome.
        started_at: UTC epoch milliseconds of the attempt.
        leave_by: When it must have left, by ``time.monotonic``. A process that was held meanwhile cannot know whether
            another one has taken over its run, and made the call.
        status_url: Address that tells how the execution fares, when the platform has no API of its own for that. It
            may hold secrets, so outside of a provider it is sealed.
    """

    provider: str
    connection_id: str = ""
    workflow_id: str = ""
    url: str = ""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: JsonValue = None
    text_body: str | None = None
    timeout_seconds: float = 30.0
    completion: str = "response"
    correlation_id: str = ""
    idempotency_key: str = ""
    traceparent: str = ""
    callback_url: str = ""
    callback_token: str = ""
    is_idempotent: bool = False
    started_at: int = 0
    status_url: str = ""
    leave_by: float = math.inf

    def reduced(self, *, url: str) -> JsonObject:
        """What is kept of the call while its execution goes on: enough to find it again, and no secrets.

        Args:
            url: The address without secrets.
        """
        return {
            "provider": self.provider,
            "connectionId": self.connection_id,
            "workflowId": self.workflow_id,
            "url": url,
            "timeoutSeconds": self.timeout_seconds,
            "completion": self.completion,
            "correlationId": self.correlation_id,
            "idempotencyKey": self.idempotency_key,
            "startedAt": self.started_at,
            "statusUrl": self.status_url,
        }

    @classmethod
    def from_reduced(cls, kept: dict[str, Any], *, callback_token: str = "") -> "RemoteCall":
        """The call for later questions about it: it has no body, and to ask again does no harm."""
        return cls(
            provider=kept["provider"],
            connection_id=kept["connectionId"],
            workflow_id=kept["workflowId"],
            url=kept["url"],
            timeout_seconds=kept["timeoutSeconds"],
            completion=kept["completion"],
            correlation_id=kept["correlationId"],
            idempotency_key=kept["idempotencyKey"],
            callback_token=callback_token,
            is_idempotent=True,
            started_at=kept["startedAt"],
            status_url=kept["statusUrl"],
        )


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """The complete, acceptable answer of a call.

    Attributes:
        state: ``completed`` when the answer is the result, ``running`` when the end is still to be polled or called
            back, ``failed`` when the platform says that the workflow failed.
        output: Result as JSON (text answers become a JSON string).
        status_code: HTTP status.
        headers: Answer headers worth keeping, lower-case names.
        remote_id: Execution id on the platform, or empty.
        link: Address of the execution in the platform's own UI, or empty.
        message: Reason when ``failed``.
        memo: What polling needs later, provider's own.
        location: Address at which the answer says that the execution can be looked at, sealed like ``status_url``.
    """

    state: RemoteState
    output: JsonValue = None
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    remote_id: str = ""
    link: str = ""
    message: str = ""
    memo: JsonObject = field(default_factory=dict[str, Any])
    location: str = ""


@dataclass(frozen=True, slots=True)
class RemoteLook:
    """What one poll saw. ``memo`` replaces the earlier memo. ``is_certain`` is False for a guess by time or order."""

    state: RemoteState
    output: JsonValue = None
    remote_id: str = ""
    link: str = ""
    message: str = ""
    is_certain: bool = True
    memo: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call of a node whose end outside is not known; ``memo`` is empty when it was cut before it was answered."""

    node_id: str
    call: RemoteCall
    memo: JsonObject = field(default_factory=dict[str, Any])
