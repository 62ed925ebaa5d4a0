"""Where an n8n workflow is called, with what, and with which credentials."""

import base64
import json
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import AddressNotAllowed
from orchestrator_app.providers.answers import host_of
from orchestrator_app.providers.calls import CALLBACK_FIELD, as_json_bytes, call_body, origin_of
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.correlation import CORRELATION_FIELD
from orchestrator_app.providers.n8n_api import PROVIDER, N8nApi
from orchestrator_app.providers.n8n_connection import base_url, webhook_base_url
from orchestrator_app.providers.n8n_form import FormInput, form_content
from orchestrator_app.providers.n8n_refusals import EXECUTE, name_of, not_listening, refused, unknown_workflow
from orchestrator_app.providers.n8n_triggers import webhooks, why_no_webhook

_LONGEST_ADDRESS = 6_000
_CHAT_FIELD = "chatInput"
_CALLBACK_FIELDS = (CALLBACK_FIELD, "correlationToken")


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to call a workflow.

    Attributes:
        url: The complete address.
        method: What the webhook takes.
        kind: ``webhook``, ``chat`` or ``form`` as found in the workflow; ``address`` as the user gave it.
        inputs: What a form asks for.
        workflow: Name of the workflow, as found.
    """

    url: str
    method: str
    kind: str = "address"
    inputs: tuple[FormInput, ...] = ()
    workflow: str = ""

    def content(self, call: RemoteCall) -> tuple[bytes | None, str]:
        """The request body and its type; chats and forms want the data in their own shape.

        Raises:
            ProviderRefused: The data does not fit the form; nothing was sent.
        """
        if self.kind == "webhook" and self.method == "GET":
            return None, ""
        if self.kind not in {"chat", "form"}:
            return call_body(call)
        data: JsonValue = call.text_body if call.text_body is not None else call.body
        if self.kind == "form":
            return form_content(self.inputs, data, self.workflow)
        return as_json_bytes(_message(call, data)), "application/json"


def _message(call: RemoteCall, data: JsonValue) -> JsonObject:
    """The data as a chat takes it. A chat keeps no headers, so the correlation id goes along in the message."""
    if isinstance(data, dict) and _CHAT_FIELD in data:
        message: JsonObject = dict(data)
    elif isinstance(data, dict):
        message = {name: data[name] for name in _CALLBACK_FIELDS if name in data}
        rest = {name: value for name, value in data.items() if name not in _CALLBACK_FIELDS}
        message[_CHAT_FIELD] = json.dumps(rest, ensure_ascii=False)
    else:
        message = {_CHAT_FIELD: data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)}
    if not message.get("sessionId"):
        message["sessionId"] = call.correlation_id
    message.setdefault("action", "sendMessage")
    return message | {CORRELATION_FIELD: call.correlation_id}


async def find_target(api: N8nApi, call: RemoteCall, webhook_base: str) -> Target:
    """The webhook of the call's workflow, as n8n tells it; the one at the call's address, if that is given.

    Raises:
        ProviderRefused: The workflow cannot be called; nothing was sent.
        ProviderUnavailable: The API is away; nothing was sent.
    """
    if not call.workflow_id:
        raise refused("There is neither an address nor a workflow to call.", "Choose a workflow in the node.")
    raw = await api.workflow(call.workflow_id, EXECUTE)
    if raw is None:
        await api.ensure_there(EXECUTE)
        raise unknown_workflow(api, call.workflow_id)
    if problem := not_listening(raw):
        raise problem
    listening = webhooks(raw)
    if not listening:
        raise refused(
            f"The workflow {name_of(raw)} cannot be called. {why_no_webhook(raw)}",
            "Choose another workflow, or change it in n8n.",
        )
    if call.url:
        wanted = call.url.partition("?")[0].rstrip("/")
        listening = [webhook for webhook in listening if f"{webhook_base}/{webhook.path}" == wanted]
        if not listening:
            return Target(call.url, call.method)
    chosen = next((webhook for webhook in listening if call.method in webhook.methods), listening[0])
    if chosen.is_computed or chosen.parameters:
        raise refused(
            f"The address of {name_of(raw)} has parts that only you know: {chosen.path}.",
            "Copy the address from n8n into the node and fill them in.",
        )
    method = call.method if call.method in chosen.methods else chosen.methods[0]
    return Target(f"{webhook_base}/{chosen.path}", method, chosen.kind, chosen.inputs, name_of(raw))


def is_form(url: str) -> bool:
    """Whether an address is that of a form, which takes multipart data only."""
    path = urlsplit(url).path.rstrip("/")
    return path.endswith("/n8n-form") or ("/form/" in path and "/webhook" not in path)


def is_chat(url: str) -> bool:
    """Whether an address may be that of a chat, which takes messages only."""
    return urlsplit(url).path.rstrip("/").endswith("/chat")


def with_query(target: Target, call: RemoteCall) -> Target:
    """What has to go into the address: the data of a webhook that takes GET, the correlation id of a form.

    A form keeps no headers of its callers, but it keeps the query.

    Raises:
        ProviderRefused: There is too much for an address; nothing was sent.
    """
    if target.kind == "form" and call.correlation_id:
        return replace(target, url=f"{target.url}?{urlencode({CORRELATION_FIELD: call.correlation_id})}")
    if target.kind != "webhook" or target.method != "GET" or not isinstance(call.body, dict) or not call.body:
        return target
    fields = [
        (name, value if isinstance(value, str) else json.dumps(value)) for name, value in call.body.items()
    ]
    url = f"{target.url}?{urlencode(fields)}"
    if len(url) > _LONGEST_ADDRESS:
        raise refused(
            "The webhook takes GET only, and the data is too long for an address.",
            "Set the method of the Webhook node in n8n to POST.",
        )
    return replace(target, url=url)


def webhook_headers(connection: Connection | None, url: str) -> dict[str, str]:
    """The credentials that the webhook asks for. The API key never goes to a webhook.

    Raises:
        AddressNotAllowed: The address is not the connection's, so it must not see them; nothing was sent.
    """
    if connection is None:
        return {}
    values = connection.values
    headers: dict[str, str] = {}
    if name := values.get("webhookHeaderName", "").strip():
        headers[name] = values.get("webhookHeaderValue", "")
    if user := values.get("webhookUser", ""):
        pair = f"{user}:{values.get('webhookPassword', '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if headers and origin_of(url) not in {
        origin_of(base_url(connection)),
        origin_of(webhook_base_url(connection)),
    }:
        raise AddressNotAllowed(
            f"The connection “{connection.name}” keeps its webhook credentials for {base_url(connection)}, "
            f"but this call goes to {host_of(url)}.",
            hint="Choose another connection for this node, or none.",
            provider=PROVIDER,
            operation=EXECUTE,
        )
    return headers
