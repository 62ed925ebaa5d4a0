"""The nodes by which an n8n workflow can be started from outside: where they listen, and how they answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.json_reading import number_at, object_at, objects_at, text_at
from orchestrator_app.providers.n8n_form import FormInput, form_inputs

WEBHOOK = "n8n-nodes-base.webhook"
CHAT_TRIGGER = "@n8n/n8n-nodes-langchain.chatTrigger"
FORM_TRIGGER = "n8n-nodes-base.formTrigger"
IMMEDIATELY = "onReceived"

_NODE_NAME_SAFE = "-_.!~*'()"  # what JavaScript's encodeURIComponent leaves alone
_FORMS_PREFIX_SINCE = 2.0  # version of the Form trigger; before, forms were webhooks
_OTHER_TRIGGERS = frozenset(
    {WEBHOOK, "n8n-nodes-base.start", "n8n-nodes-base.cron", "n8n-nodes-base.interval"}
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A node of a workflow that listens on a web address.

    Attributes:
        node: Its name.
        kind: ``webhook``, ``chat`` or ``form``.
        methods: Methods it takes; the first is the one to use.
        path: Path after the server's address, for instance ``webhook/orders``.
        response_mode: When it answers: onReceived, lastNode, responseNode or streaming.
        authentication: What it asks of callers; ``none`` for nothing.
        parameters: Names in the path that the caller has to fill in.
        is_computed: The path is an expression, so that the address cannot be known from here.
        inputs: What a form asks for.
    """

    node: str
    kind: str
    methods: tuple[str, ...]
    path: str
    response_mode: str
    authentication: str
    parameters: tuple[str, ...] = ()
    is_computed: bool = False
    inputs: tuple[FormInput, ...] = ()


def is_trigger(kind: str) -> bool:
    """Whether nodes of this type start workflows."""
    return kind in _OTHER_TRIGGERS or kind.lower().endswith("trigger")


def is_active(raw: JsonObject) -> bool:
    """Whether the workflow's triggers listen. Newer releases say it by the id of the published version."""
    return raw.get("active") is True or bool(text_at(raw, "activeVersionId"))


def keeps_successes(raw: JsonObject) -> bool:
    """False when the workflow itself says that good executions are not saved, so that polling cannot see them."""
    return text_at(raw, "settings", "saveDataSuccessExecution") != "none"


def running_version(raw: JsonObject) -> JsonObject:
    """What calls run: the published version where the release knows one, else the workflow itself."""
    return object_at(raw, "activeVersion") or raw


def enabled_nodes(raw: JsonObject) -> list[JsonObject]:
    """The nodes of the version that calls run, without those that are switched off."""
    return [node for node in objects_at(running_version(raw), "nodes") if node.get("disabled") is not True]


def webhooks(raw: JsonObject) -> list[Webhook]:
    """The nodes that can be called from outside: webhooks, then chats, then forms, in the order of the workflow."""
    workflow_id = text_at(raw, "id")
    nodes = enabled_nodes(raw)
    found = [_webhook(node, workflow_id) for node in nodes if text_at(node, "type") == WEBHOOK]
    found += [_chat(node) for node in nodes if text_at(node, "type") == CHAT_TRIGGER and _is_public(node)]
    return found + [_form(node, workflow_id) for node in nodes if text_at(node, "type") == FORM_TRIGGER]


def why_no_webhook(raw: JsonObject) -> str:
    """A sentence for a workflow that nothing outside can start, or empty for one that can be started."""
    if webhooks(raw):
        return ""
    if any(text_at(node, "type") == CHAT_TRIGGER for node in enabled_nodes(raw)):
        return "Its chat is not public, so nothing outside can start it. Make the chat public in n8n."
    return "It has no Webhook node, chat or form, so nothing outside can start it. Add a Webhook node in n8n."


def entry_text(raw: JsonObject, listening: Sequence[Webhook]) -> str:
    """How the workflow is started, in words."""
    if not listening:
        return why_no_webhook(raw)
    webhook = listening[0]
    words = _ANSWERS.get(webhook.response_mode, "")
    if webhook.kind == "form" and webhook.response_mode == "lastNode":
        words = "which answers, without a result, when the last node has ended"
    parts = [f"{webhook.methods[0]} to the {webhook.kind} node “{webhook.node}”", words]
    sentences = [", ".join(part for part in parts if part) + "."]
    if not is_active(raw):
        sentences.append("The workflow is not active: publish it in n8n first.")
    if webhook.is_computed:
        sentences.append("Its path is an expression: copy the address from n8n.")
    if webhook.parameters:
        names = ", ".join(f":{name}" for name in webhook.parameters)
        sentences.append(f"Replace {names} in the address.")
    if webhook.authentication != "none":
        sentences.append(f"It asks for {webhook.authentication}: enter the values in the connection.")
    if len(listening) > 1:
        others = ", ".join(f"“{other.node}”" for other in listening[1:])
        sentences.append(f"It can also be started at {others}.")
    return " ".join(sentences)


_ANSWERS = {
    IMMEDIATELY: "which answers at once and works on",
    "lastNode": "which answers with the result of the last node",
    "responseNode": "which answers through a Respond to Webhook node",
    "streaming": "which answers piece by piece",
}


def _webhook(node: JsonObject, workflow_id: str) -> Webhook:
    parameters = object_at(node, "parameters")
    webhook_id = text_at(node, "webhookId")
    path = text_at(parameters, "path") or webhook_id
    is_computed = path.startswith("=")
    path = path.strip("/")
    if not webhook_id:
        path = f"{_place(node, workflow_id)}/{path}"
    elif path.startswith(":") or "/:" in path:
        path = f"{webhook_id}/{path}"
    return Webhook(
        node=text_at(node, "name"),
        kind="webhook",
        methods=_methods(parameters),
        path=f"webhook/{path}",
        response_mode=text_at(parameters, "responseMode") or IMMEDIATELY,
        authentication=text_at(parameters, "authentication") or "none",
        parameters=tuple(part[1:] for part in path.split("/") if part.startswith(":")),
        is_computed=is_computed,
    )


def _place(node: JsonObject, workflow_id: str) -> str:
    """Where n8n puts nodes without a webhook id, as imported ones are."""
    return f"{workflow_id}/{quote(text_at(node, 'name').lower(), safe=_NODE_NAME_SAFE)}"


def _methods(parameters: JsonObject) -> tuple[str, ...]:
    """The methods of a webhook, POST first. A parameter at its default is absent, and the default is GET."""
    declared = parameters.get("httpMethod")
    if isinstance(declared, list):
        names = [item for item in declared if isinstance(item, str)]
    elif isinstance(declared, str):
        names = [declared]
    else:
        names = ["GET", "POST"] if parameters.get("multipleMethods") is True else ["GET"]
    return tuple(sorted(names or ["GET"], key=lambda name: name != "POST"))


def _is_public(node: JsonObject) -> bool:
    return object_at(node, "parameters").get("public") is True


def _chat(node: JsonObject) -> Webhook:
    parameters = object_at(node, "parameters")
    return Webhook(
        node=text_at(node, "name"),
        kind="chat",
        methods=("POST",),
        path=f"webhook/{text_at(node, 'webhookId')}/chat",
        response_mode=text_at(parameters, "options", "responseMode") or "lastNode",
        authentication=text_at(parameters, "authentication") or "none",
    )


def _form(node: JsonObject, workflow_id: str) -> Webhook:
    parameters = object_at(node, "parameters")
    webhook_id = text_at(node, "webhookId")
    path = text_at(parameters, "path") or text_at(parameters, "options", "path") or webhook_id
    is_computed = path.startswith("=")
    path = path.strip("/")
    is_old = 0 < number_at(node, "typeVersion") < _FORMS_PREFIX_SINCE
    if is_old:
        path = f"{path}/n8n-form"
    if not webhook_id:
        path = f"{_place(node, workflow_id)}/{path}"
    return Webhook(
        node=text_at(node, "name"),
        kind="form",
        methods=("POST",),
        path=f"{'webhook' if is_old else 'form'}/{path}",
        response_mode=text_at(parameters, "responseMode") or IMMEDIATELY,
        authentication=text_at(parameters, "authentication") or "none",
        is_computed=is_computed,
        inputs=form_inputs(node),
    )
