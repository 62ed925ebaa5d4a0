"""How the end of an n8n workflow can be learned, best way first, and the node that makes it call back."""

import json

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.calls import CALLBACK_FIELD
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_triggers import (
    IMMEDIATELY,
    Webhook,
    enabled_nodes,
    is_trigger,
    keeps_successes,
    why_no_webhook,
)
from orchestrator_app.providers.remote_workflow import CompletionChoice

SNIPPET_HELP = (
    "Copy it, click the canvas of the workflow in n8n and paste: a node appears that calls back. Link it behind the "
    "last node, and publish the workflow."
)
NOT_KEPT = (
    "n8n does not keep successful executions of this workflow, so its result cannot be read. Turn on saving of "
    "successful production executions in its settings, or choose the completion response or callback."
)

_STICKY_NOTE = "n8n-nodes-base.stickyNote"
_ANSWERS = {
    IMMEDIATELY: "It answers at once, before it has run: the answer only says that it was started.",
    "lastNode": "It answers when its last node has ended, with that node's result.",
    "responseNode": "A Respond to Webhook node sends the result. If the workflow fails before that node, n8n answers "
    "with an error, or older releases with nothing at all: then the execution is asked for the reason.",
    "streaming": "It answers piece by piece; the pieces are put together when the last one has come.",
}
_FORM_ANSWER = (
    "A form answers without the result: the answer only says that the data was taken, or that it ended."
)


def completions_of(raw: JsonObject, webhook: Webhook | None) -> tuple[CompletionChoice, ...]:
    """All three ways for the node that starts the workflow, best first."""
    if webhook is None:
        why = why_no_webhook(raw)
        return tuple(CompletionChoice(key, why, works=False) for key in ("response", "poll", "callback"))
    has_result = webhook.kind != "form" and webhook.response_mode != IMMEDIATELY
    response = CompletionChoice(
        "response",
        _FORM_ANSWER if webhook.kind == "form" else _ANSWERS.get(webhook.response_mode, _ANSWERS["lastNode"]),
    )
    poll, callback = _poll(raw), _callback(raw, webhook)
    if has_result:
        return (response, poll, callback)
    return (callback, poll, response) if callback.works else (poll, response, callback)


def callback_snippet(raw: JsonObject, webhook: Webhook | None) -> str:
    """A node to be pasted into n8n, for a workflow that does not call back yet; else empty."""
    if webhook is None or webhook.kind == "form" or _calling_node(raw):
        return ""
    place = "" if webhook.kind == "chat" else ".body"
    node: JsonObject = {
        "name": "Call back",
        "type": "n8n-nodes-base.httpRequest",
        "typeVersion": 4.2,
        "position": [0, 0],
        "parameters": {
            "method": "POST",
            "url": f"={{{{ $({json.dumps(webhook.node)}).first().json{place}.{CALLBACK_FIELD} }}}}",
            "sendBody": True,
            "specifyBody": "json",
            "jsonBody": "={{ JSON.stringify({ executionId: $execution.id, status: 'success', data: $json }) }}",
            "options": {},
        },
    }
    return json.dumps({"nodes": [node], "connections": {}}, indent=2, ensure_ascii=False)


def _poll(raw: JsonObject) -> CompletionChoice:
    if not keeps_successes(raw):
        return CompletionChoice("poll", NOT_KEPT, works=False)
    return CompletionChoice("poll", "n8n is asked for the execution again and again until it has ended.")


def _callback(raw: JsonObject, webhook: Webhook) -> CompletionChoice:
    if webhook.kind == "form" and not any(CALLBACK_FIELD in asked.names for asked in webhook.inputs):
        why = f"Its form has no field {CALLBACK_FIELD} that could take the address to call back."
        return CompletionChoice("callback", why, works=False)
    if node := _calling_node(raw):
        return CompletionChoice("callback", f"Its node “{node}” posts to {CALLBACK_FIELD}.")
    return CompletionChoice(
        "callback",
        f"None of its nodes posts to {CALLBACK_FIELD}. Add one that does in n8n first.",
        works=False,
    )


def _calling_node(raw: JsonObject) -> str:
    """Name of the first node that uses the callback address, or empty."""
    for node in enabled_nodes(raw):
        kind = text_at(node, "type")
        if is_trigger(kind) or kind == _STICKY_NOTE:
            continue
        if CALLBACK_FIELD in json.dumps(node.get("parameters"), ensure_ascii=False):
            return text_at(node, "name")
    return ""
