"""Reading a workflow as n8n's API gives it: its graph, and the webhooks by which it can be started."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.providers.json_reading import (
    list_at,
    number_at,
    object_at,
    objects_at,
    text_at,
    time_at,
)
from orchestrator_app.providers.remote_workflow import (
    PreviewEdge,
    PreviewNode,
    RemoteWorkflow,
    WorkflowPreview,
)

WEBHOOK = "n8n-nodes-base.webhook"
CHAT_TRIGGER = "@n8n/n8n-nodes-langchain.chatTrigger"
FORM_TRIGGER = "n8n-nodes-base.formTrigger"
STICKY_NOTE = "n8n-nodes-base.stickyNote"

_NODE_NAME_SAFE = "-_.!~*'()"  # what JavaScript's encodeURIComponent leaves alone
_TRIGGERS = frozenset({WEBHOOK, "n8n-nodes-base.start", "n8n-nodes-base.cron", "n8n-nodes-base.interval"})
_BRANCH_LABELS = {"n8n-nodes-base.if": ("true", "false"), "n8n-nodes-base.filter": ("kept", "discarded")}
_LOOP = "n8n-nodes-base.splitInBatches"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A node of a workflow that listens on a web address.

    Attributes:
        node: Its name.
        kind: ``webhook`` or ``chat``.
        methods: Methods it takes; the first is the one to use.
        path: Path after the server's address, for instance ``webhook/orders``.
        response_mode: When it answers: onReceived, lastNode, responseNode or streaming.
        authentication: What it asks of callers; ``none`` for nothing.
        parameters: Names in the path that the caller has to fill in.
        is_computed: The path is an expression, so that the address cannot be known from here.
    """

    node: str
    kind: str
    methods: tuple[str, ...]
    path: str
    response_mode: str
    authentication: str
    parameters: tuple[str, ...] = ()
    is_computed: bool = False

    @property
    def completion(self) -> str:
        """The best way to know the end: an immediate answer says nothing about it, so that is polled."""
        return "poll" if self.response_mode == "onReceived" else "response"


def read_workflow(raw: JsonObject, base: str) -> RemoteWorkflow:
    """A workflow as it stands in lists."""
    workflow_id = text_at(raw, "id")
    return RemoteWorkflow(
        id=workflow_id,
        name=text_at(raw, "name") or workflow_id,
        is_active=is_active(raw),
        updated_at=time_at(raw, "updatedAt"),
        tags=tuple(text_at(tag, "name") for tag in objects_at(raw, "tags")),
        link=f"{base}/workflow/{quote(workflow_id, safe='')}",
        is_archived=raw.get("isArchived") is True,
    )


def is_active(raw: JsonObject) -> bool:
    """Whether the workflow's triggers listen. Newer releases say it by the id of the published version."""
    return raw.get("active") is True or bool(text_at(raw, "activeVersionId"))


def keeps_successes(raw: JsonObject) -> bool:
    """False when the workflow itself says that good executions are not saved, so that polling cannot see them."""
    return text_at(raw, "settings", "saveDataSuccessExecution") != "none"


def webhooks(raw: JsonObject) -> list[Webhook]:
    """The enabled nodes that can be called from outside, in the order of the workflow, of the published version."""
    workflow_id = text_at(raw, "id")
    nodes = [node for node in objects_at(_version(raw), "nodes") if node.get("disabled") is not True]
    found = [_webhook(node, workflow_id) for node in nodes if text_at(node, "type") == WEBHOOK]
    return found + [_chat(node) for node in nodes if text_at(node, "type") == CHAT_TRIGGER]


def read_preview(raw: JsonObject, base: str, webhook_base: str) -> WorkflowPreview:
    """The workflow as a graph, with the address, method and completion a node should use."""
    workflow = read_workflow(raw, base)
    version = _version(raw)
    listening = webhooks(raw)
    first = listening[0] if listening else None
    return WorkflowPreview(
        workflow=workflow,
        nodes=tuple(_nodes(version)),
        edges=tuple(_edges(version)),
        url="" if first is None or first.is_computed else f"{webhook_base}/{first.path}",
        method=first.methods[0] if first else "POST",
        completion=first.completion if first else "response",
        entry=_entry(workflow, version, listening),
        facts={
            "webhooks": [_webhook_facts(webhook, webhook_base) for webhook in listening],
            "showsPublishedVersion": version is not raw,
            "keepsSuccessfulExecutions": keeps_successes(raw),
        },
    )


def _version(raw: JsonObject) -> JsonObject:
    """What calls run: the published version where the release knows one, else the workflow itself."""
    return object_at(raw, "activeVersion") or raw


def _webhook(node: JsonObject, workflow_id: str) -> Webhook:
    parameters = object_at(node, "parameters")
    webhook_id = text_at(node, "webhookId")
    path = text_at(parameters, "path") or webhook_id
    is_computed = path.startswith("=")
    path = path.strip("/")
    if not webhook_id:
        name = quote(text_at(node, "name").lower(), safe=_NODE_NAME_SAFE)
        path = f"{workflow_id}/{name}/{path}"
    elif path.startswith(":") or "/:" in path:
        path = f"{webhook_id}/{path}"
    return Webhook(
        node=text_at(node, "name"),
        kind="webhook",
        methods=_methods(parameters),
        path=f"webhook/{path}",
        response_mode=text_at(parameters, "responseMode") or "onReceived",
        authentication=text_at(parameters, "authentication") or "none",
        parameters=tuple(part[1:] for part in path.split("/") if part.startswith(":")),
        is_computed=is_computed,
    )


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


def _webhook_facts(webhook: Webhook, webhook_base: str) -> JsonObject:
    return {
        "node": webhook.node,
        "kind": webhook.kind,
        "url": "" if webhook.is_computed else f"{webhook_base}/{webhook.path}",
        "methods": list[JsonValue](webhook.methods),
        "responseMode": webhook.response_mode,
        "authentication": webhook.authentication,
        "parameters": list[JsonValue](webhook.parameters),
    }


def _entry(workflow: RemoteWorkflow, version: JsonObject, listening: Sequence[Webhook]) -> str:
    """How the workflow is started, in words."""
    if not listening:
        kinds = {
            text_at(node, "type") for node in objects_at(version, "nodes") if node.get("disabled") is not True
        }
        if FORM_TRIGGER in kinds:
            return "Starts from a form that a person fills in, so it cannot be called. Add a Webhook node in n8n."
        return "Has no Webhook node, so it cannot be called from outside. Add one in n8n."
    webhook = listening[0]
    parts = [
        f"{webhook.methods[0]} to the {webhook.kind} node “{webhook.node}”",
        _ANSWERS.get(webhook.response_mode, ""),
    ]
    sentences = [", ".join(part for part in parts if part) + "."]
    if not workflow.is_active:
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
    "onReceived": "which answers at once and works on",
    "lastNode": "which answers with the result of the last node",
    "responseNode": "which answers through a Respond to Webhook node",
    "streaming": "which answers piece by piece",
}


def _nodes(version: JsonObject) -> list[PreviewNode]:
    nodes: list[PreviewNode] = []
    for node in objects_at(version, "nodes"):
        kind = text_at(node, "type")
        if kind == STICKY_NOTE:
            continue
        position = [number_at({"at": value}, "at") for value in list_at(node, "position")] + [0.0, 0.0]
        nodes.append(
            PreviewNode(
                id=text_at(node, "name"),
                label=text_at(node, "name"),
                kind=kind,
                x=position[0],
                y=position[1],
                is_disabled=node.get("disabled") is True,
                is_trigger=kind in _TRIGGERS or kind.lower().endswith("trigger"),
                notes=text_at(node, "notes"),
            )
        )
    return nodes


def _edges(version: JsonObject) -> list[PreviewEdge]:
    """n8n keys connections by the NAME of the source, then by link type, then by output number."""
    kinds = {text_at(node, "name"): node for node in objects_at(version, "nodes")}
    kinds = {name: node for name, node in kinds.items() if text_at(node, "type") != STICKY_NOTE}
    edges: list[PreviewEdge] = []
    for source, by_type in object_at(version, "connections").items():
        for link_type, outputs in by_type.items() if isinstance(by_type, dict) else ():
            listed = outputs if isinstance(outputs, list) else []
            for number, targets in enumerate(listed):
                label = _output_label(kinds.get(source, {}), link_type, number, len(listed))
                names = [text_at(target, "node") for target in objects_at({"at": targets}, "at")]
                edges += [
                    PreviewEdge(source, name, label) for name in names if source in kinds and name in kinds
                ]
    return edges


def _output_label(node: JsonObject, link_type: str, number: int, count: int) -> str:
    """What a way out means, where that is more than “next”."""
    if link_type != "main":
        return link_type.removeprefix("ai_")
    if text_at(node, "onError") == "continueErrorOutput" and number == count - 1 and number > 0:
        return "error"
    kind = text_at(node, "type")
    if kind in _BRANCH_LABELS:
        return _BRANCH_LABELS[kind][min(number, 1)]
    if kind == _LOOP:
        return ("done", "loop")[min(number, 1)]
    rules = objects_at(node, "parameters", "rules", "values") or objects_at(
        node, "parameters", "rules", "rules"
    )
    if number < len(rules):
        return text_at(rules[number], "outputKey") or str(number)
    return str(number) if count > 1 else ""
