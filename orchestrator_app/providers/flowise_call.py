"""A call to a flow: where it goes, its body, and the chat id by which its execution can be found again."""

import uuid
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import ProviderRefused
from orchestrator_app.providers.calls import as_json_bytes, call_body
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.flowise_api import PROVIDER, base_of
from orchestrator_app.providers.json_reading import text_at

EXECUTE = "execute"
PREDICTION = "/api/v1/prediction/"
WEBHOOK = "/api/v1/webhook/"

_JSON = "application/json"
_QUESTIONS = frozenset({"question", "form", "humanInput"})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes.

    Attributes:
        base: Address of Flowise.
        flow_id: Id of the flow.
        url: Address to call.
        method: Method to call it with.
        is_webhook: The flow's webhook, not the prediction API.
    """

    base: str
    flow_id: str
    url: str
    method: str = "POST"
    is_webhook: bool = False

    def as_webhook(self, method: str) -> "Target":
        """The same flow at its webhook."""
        url = f"{self.base}{WEBHOOK}{quote(self.flow_id, safe='')}"
        return replace(self, url=url, method=method, is_webhook=True)

    def content(self, call: RemoteCall) -> tuple[bytes | None, str]:
        """Request body and content type."""
        if not self.is_webhook:
            return as_json_bytes(prediction_body(call)), _JSON
        body = webhook_body(call)
        return call_body(call) if body is None else (as_json_bytes(body), _JSON)

    def ids(self, call: RemoteCall) -> tuple[str, str]:
        """Chat and session as the body names them; what it leaves open is the chat id made for the call."""
        body = (webhook_body(call) or {}) if self.is_webhook else prediction_body(call)
        chat = text_at(body, "chatId") or own_chat_id(call)
        session = "" if self.is_webhook else text_at(body, "overrideConfig", "sessionId")
        return chat, session or chat


def target_of(connection: Connection | None, call: RemoteCall) -> Target:
    """The address as the node names it, of the server or of the flow itself, else that of the connection.

    Raises:
        ProviderRefused: It is not known where Flowise is, or which flow is meant.
    """
    given = call.url.strip().rstrip("/")
    if flow_id := _flow_in(given):
        is_webhook = WEBHOOK in given
        method = call.method.upper() if is_webhook else "POST"
        return Target(base_in(given), flow_id, given, method, is_webhook=is_webhook)
    base = base_in(given) or base_of(connection.values.get("baseUrl", "") if connection else "")
    if not base:
        raise _refused("It is not known where Flowise is.", "Choose a connection, or enter its address.")
    if not call.workflow_id:
        raise _refused("No flow is chosen.", "Enter the id of the flow in the node.")
    return Target(base, call.workflow_id, f"{base}{PREDICTION}{quote(call.workflow_id, safe='')}")


def base_in(address: str) -> str:
    """Address of Flowise in that of a server or of a flow; empty when there is none."""
    for mark in (PREDICTION, WEBHOOK):
        address = address.partition(mark)[0]
    return base_of(address)


def flow_id_of(call: RemoteCall) -> str:
    """Id of the flow that the call names, or empty."""
    return _flow_in(call.url.strip().rstrip("/")) or call.workflow_id


def own_chat_id(call: RemoteCall) -> str:
    """The chat id made for a call. A callback brings nothing back but this, so there it is the token."""
    if call.completion == "callback" and call.callback_token:
        return call.callback_token
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"orchestrator:{call.correlation_id}"))


def prediction_body(call: RemoteCall) -> JsonObject:
    """The body of a prediction; what is not one already becomes the question."""
    data: JsonValue = call.text_body if call.text_body is not None else call.body
    if isinstance(data, dict) and _QUESTIONS.intersection(data):
        body: JsonObject = dict(data)
    elif isinstance(data, dict) and isinstance(data.get("streaming"), bool):
        rest: JsonObject = {name: value for name, value in data.items() if name != "streaming"}
        body = {"question": as_json_bytes(rest).decode(), "streaming": data["streaming"]}
    else:
        body = {"question": data if isinstance(data, str) else as_json_bytes(data).decode()}
    return _with_chat_id(body, call)


def webhook_body(call: RemoteCall) -> JsonObject | None:
    """The body of a webhook with the chat id in it; None for one that cannot hold it and goes out as it is.

    Raises:
        ProviderRefused: A callback is awaited, which could not be told apart from others without the chat id.
    """
    if call.text_body is None and (call.body is None or isinstance(call.body, dict)):
        return _with_chat_id(dict(call.body or {}), call)
    if call.completion == "callback":
        raise _refused(
            "A webhook of Flowise calls back with the chat id that it got, so its body has to be a JSON object.",
            "Put the data into an object, or choose another completion.",
        )
    return None


def _flow_in(address: str) -> str:
    """Id of the flow in the address of a prediction or webhook, or empty."""
    for mark in (PREDICTION, WEBHOOK):
        rest = address.partition(mark)[2]
        if rest:
            return unquote(rest.partition("?")[0].partition("/")[0])
    return ""


def _with_chat_id(body: JsonObject, call: RemoteCall) -> JsonObject:
    if call.completion == "callback" or not text_at(body, "chatId"):
        body["chatId"] = own_chat_id(call)
    return body


def _refused(message: str, hint: str) -> ProviderRefused:
    return ProviderRefused(message, hint=hint, provider=PROVIDER, operation=EXECUTE)
