"""The nodes that start workflows of the fake n8n: how they stand in a workflow, where they listen, what they give on."""

import json
import re
from collections.abc import Mapping
from email import message_from_bytes
from typing import Any, Protocol
from urllib.parse import quote

from tests.fakes.wire import Received

JsonObject = dict[str, Any]

WEBHOOK = "n8n-nodes-base.webhook"
CHAT = "@n8n/n8n-nodes-langchain.chatTrigger"
FORM = "n8n-nodes-base.formTrigger"
LISTENING = frozenset({WEBHOOK, CHAT, FORM})


class Settings(Protocol):
    """What of a workflow decides its trigger."""

    trigger: str
    path: str
    mode: str
    method: str
    webhook_id: str
    response_data: str
    auth: tuple[str, str, str] | None
    form_fields: list[JsonObject]


def trigger_node(flow: Settings) -> JsonObject:
    """The node as its author would have set it."""
    kind, version, parameters = {"webhook": _webhook, "chat": _chat, "form": _form}[flow.trigger](flow)
    if flow.auth:
        parameters["authentication"] = flow.auth[0]
    node: JsonObject = {
        "id": "2077ad76-5389-52af-8a47-15ccbed28bf6",
        "name": "Webhook",
        "type": kind,
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }
    return node | {"webhookId": flow.webhook_id} if flow.webhook_id else node


def listening_path(node: Mapping[str, Any], workflow_id: str) -> str:
    """Where a node listens, by the rules of n8n, with the prefix of its kind."""
    parameters, webhook_id = node["parameters"], node.get("webhookId", "")
    if node["type"] == CHAT:
        return f"webhook/{webhook_id}/chat"
    prefix, path = "webhook", parameters.get("path", "")
    if node["type"] == FORM:
        path = path or parameters.get("options", {}).get("path", "")
        prefix = "webhook" if node["typeVersion"] < 2 else "form"
    path = (path or webhook_id).strip("/")
    if node["type"] == FORM and prefix == "webhook":
        path += "/n8n-form"
    if not webhook_id:
        return f"{prefix}/{workflow_id}/{quote(node['name'].lower())}/{path}"
    if path.startswith(":") or "/:" in path:
        return f"{prefix}/{webhook_id}/{path}"
    return f"{prefix}/{path}"


def match_path(pattern: str, path: str) -> dict[str, str] | None:
    """The parameters in a path, or None when it is another one."""
    names = re.sub(r":(\w+)", r"(?P<\1>[^/]+)", re.escape(pattern).replace(r"\:", ":"))
    found = re.fullmatch(names, path)
    return found.groupdict() if found else None


def methods_of(node: Mapping[str, Any]) -> list[str]:
    if node["type"] != WEBHOOK:
        return ["POST"]
    declared = node["parameters"].get("httpMethod", "GET")
    return declared if isinstance(declared, list) else [declared]


def form_item(node: Mapping[str, Any], received: Received) -> JsonObject:
    """What a Form trigger gives on: values by label, whatever else was sent; and the query, but no headers."""
    sent = _multipart(received)
    item: JsonObject = {}
    for number, asked in enumerate(node["parameters"]["formFields"]["values"]):
        kind = asked.get("fieldType", "text")
        name = asked.get("fieldName") or asked.get("fieldLabel")
        value: Any = sent.get(f"field-{number}")
        if kind == "html":
            continue
        if value is not None and kind == "number":
            value = float(value)
        elif value is not None and (asked.get("multiselect") or kind in {"checkbox", "radio"}):
            value = json.loads(value)
            value = value[0] if kind == "radio" else value
        item[name] = value
    item |= {"submittedAt": "2026-11-23T07:38:48.000Z", "formMode": "production"}
    return item | {"formQueryParameters": received.query} if received.query else item


def _webhook(flow: Settings) -> tuple[str, float, JsonObject]:
    parameters: JsonObject = {"httpMethod": flow.method, "path": flow.path, "responseMode": flow.mode}
    parameters["options"] = {}
    if flow.response_data != "firstEntryJson":
        parameters["responseData"] = flow.response_data
    if not flow.method:
        del parameters["httpMethod"]
    return WEBHOOK, 2, parameters


def _chat(flow: Settings) -> tuple[str, float, JsonObject]:
    options = {} if flow.mode == "lastNode" else {"responseMode": flow.mode}
    return CHAT, 1.1, {"public": True, "options": options}


def _form(flow: Settings) -> tuple[str, float, JsonObject]:
    parameters: JsonObject = {"formTitle": "Form", "formFields": {"values": flow.form_fields}}
    if flow.mode != "onReceived":
        parameters["responseMode"] = flow.mode
    return FORM, 2.3, parameters | {"options": {"path": flow.path}}


def _multipart(received: Received) -> dict[str, str]:
    head = f"Content-Type: {received.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + received.body).get_payload()
    assert isinstance(parts, list)
    fields: dict[str, str] = {}
    for part in parts:
        name = part.get_param("name", header="content-disposition")  # pyright: ignore[reportAttributeAccessIssue]
        fields[str(name)] = part.get_payload(decode=True).decode()  # pyright: ignore[reportAttributeAccessIssue]
    return fields
