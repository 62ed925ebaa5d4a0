"""Reading a workflow as n8n's API gives it: its row in lists, its graph, and how a node of ours uses it."""

import re
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
from orchestrator_app.providers.n8n_completion import SNIPPET_HELP, callback_snippet, completions_of
from orchestrator_app.providers.n8n_form import CHAT_FIELDS
from orchestrator_app.providers.n8n_triggers import (
    Webhook,
    entry_text,
    is_active,
    is_trigger,
    keeps_successes,
    running_version,
    webhooks,
    why_no_webhook,
)
from orchestrator_app.providers.remote_workflow import (
    EdgeKind,
    FormField,
    PreviewEdge,
    PreviewNode,
    RemoteWorkflow,
    WorkflowPreview,
    best_completion,
    content_hash,
)

_STICKY_NOTE = "n8n-nodes-base.stickyNote"
_BRANCH_LABELS = {"n8n-nodes-base.if": ("true", "false"), "n8n-nodes-base.filter": ("kept", "discarded")}
_LOOP = "n8n-nodes-base.splitInBatches"
_ERROR = "error"
# Steps of n8n's own: no app stands behind them.
_OWN_STEPS = frozenset(
    {"aggregate", "code", "compareDatasets", "convertToFile", "cron", "dateTime", "editImage", "errorTrigger",
     "executeCommand", "executeWorkflow", "executeWorkflowTrigger", "executionData", "extractFromFile", "filter",
     "form", "formTrigger", "function", "functionItem", "html", "httpRequest", "if", "interval", "itemLists", "limit",
     "manualTrigger", "markdown", "merge", "moveBinaryData", "noOp", "readWriteFile", "removeDuplicates", "renameKeys",
     "respondToWebhook", "scheduleTrigger", "set", "sort", "splitInBatches", "splitOut", "start", "stickyNote",
     "stopAndError", "summarize", "switch", "wait", "webhook", "xml"}
)  # fmt: skip
_AI_PREFIXES = ("lmChat", "lm", "embeddings", "vectorStore", "tool", "memory")
_SPELLINGS = {"Open Ai": "OpenAI", "Github": "GitHub", "Gitlab": "GitLab", "Hubspot": "HubSpot", "Sql": "SQL"}
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


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
        folder=text_at(raw, "parentFolder", "name"),
        team=_project(raw),
        note=why_no_webhook(raw),
        content_hash=_hash(raw),
    )


def read_preview(raw: JsonObject, base: str, webhook_base: str) -> WorkflowPreview:
    """The workflow as a graph, with the address, method and completion a node should use."""
    version = running_version(raw)
    listening = webhooks(raw)
    first = listening[0] if listening else None
    completions = completions_of(raw, first)
    snippet = callback_snippet(raw, first)
    return WorkflowPreview(
        workflow=read_workflow(raw, base),
        nodes=tuple(_nodes(version)),
        edges=tuple(_edges(version)),
        url="" if first is None or first.is_computed else f"{webhook_base}/{first.path}",
        method=first.methods[0] if first else "POST",
        completion=best_completion(completions),
        completions=completions,
        entry=entry_text(raw, listening),
        form=_form(first),
        snippet=snippet,
        snippet_help=SNIPPET_HELP if snippet else "",
        facts={
            "webhooks": [_webhook_facts(webhook, webhook_base) for webhook in listening],
            "showsPublishedVersion": version is not raw,
            "keepsSuccessfulExecutions": keeps_successes(raw),
        },
    )


def _project(raw: JsonObject) -> str:
    """Name of the project, where n8n tells it; lists give only its id."""
    shared = [text_at(share, "project", "name") for share in objects_at(raw, "shared")]
    return text_at(raw, "homeProject", "name") or next((name for name in shared if name), "")


def _hash(raw: JsonObject) -> str:
    """Digest of what calls run; empty where that is the published version and the list does not bring it along."""
    published = text_at(raw, "activeVersionId")
    if published and not object_at(raw, "activeVersion") and published != text_at(raw, "versionId"):
        return ""
    version = running_version(raw)
    steps = [_content(node) for node in _steps(version)]
    steps.sort(key=lambda step: text_at(step, "name"))
    return content_hash({"nodes": list[JsonValue](steps), "connections": version.get("connections")})


def _content(node: JsonObject) -> JsonObject:
    """A step without its place on the canvas."""
    return {name: value for name, value in node.items() if name != "position"}


def _steps(version: JsonObject) -> list[JsonObject]:
    return [node for node in objects_at(version, "nodes") if text_at(node, "type") != _STICKY_NOTE]


def _form(webhook: Webhook | None) -> tuple[FormField, ...]:
    if webhook is None:
        return ()
    return CHAT_FIELDS if webhook.kind == "chat" else tuple(asked.field for asked in webhook.inputs)


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


def _nodes(version: JsonObject) -> list[PreviewNode]:
    nodes: list[PreviewNode] = []
    for node in _steps(version):
        kind = text_at(node, "type")
        position = [number_at({"at": value}, "at") for value in list_at(node, "position")] + [0.0, 0.0]
        nodes.append(
            PreviewNode(
                id=text_at(node, "name"),
                label=text_at(node, "name"),
                kind=kind,
                x=position[0],
                y=position[1],
                is_disabled=node.get("disabled") is True,
                is_trigger=is_trigger(kind),
                notes=text_at(node, "notes"),
                app=_app(kind),
                digest=content_hash(_content(node)),
            )
        )
    return nodes


def _app(kind: str) -> str:
    """The app behind a step, made of its type: ``n8n-nodes-base.googleSheetsTool`` is Google Sheets."""
    package, _, name = kind.rpartition(".")
    if name in _OWN_STEPS:
        return ""
    if package.endswith("nodes-langchain"):
        name = next((name.removeprefix(prefix) for prefix in _AI_PREFIXES if name.startswith(prefix)), "")
    else:
        name = name.removesuffix("Trigger").removesuffix("Tool")
    words = " ".join(word[0].upper() + word[1:] for word in _WORD.findall(name))
    for made, spelled in _SPELLINGS.items():
        words = re.sub(rf"\b{made}\b", spelled, words)
    return words


def _edges(version: JsonObject) -> list[PreviewEdge]:
    """n8n keys connections by the NAME of the source, then by link type, then by output number."""
    kinds = {text_at(node, "name"): node for node in _steps(version)}
    edges: list[PreviewEdge] = []
    for source, by_type in object_at(version, "connections").items():
        for link_type, outputs in by_type.items() if isinstance(by_type, dict) else ():
            listed = outputs if isinstance(outputs, list) else []
            for number, targets in enumerate(listed):
                label = _output_label(kinds.get(source, {}), link_type, number, len(listed))
                names = [text_at(target, "node") for target in objects_at({"at": targets}, "at")]
                edges += [
                    PreviewEdge(source, name, label, _edge_kind(link_type, label))
                    for name in names
                    if source in kinds and name in kinds
                ]
    return edges


def _edge_kind(link_type: str, label: str) -> EdgeKind:
    if link_type != "main":
        return "tool"
    return "error" if label == _ERROR else "main"


def _output_label(node: JsonObject, link_type: str, number: int, count: int) -> str:
    """What a way out means, where that is more than “next”."""
    if link_type != "main":
        return link_type.removeprefix("ai_")
    if text_at(node, "onError") == "continueErrorOutput" and number == count - 1 and number > 0:
        return _ERROR
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
