"""Nodes made from remote workflows: fully configured, with the best completion that the platform allows."""

import re

from orchestrator_app.domain.json_values import JsonObject, JsonValue, is_blank
from orchestrator_app.domain.node_kinds import LOCAL_FLOW, REMOTE_WEBHOOK
from orchestrator_app.domain.parsing import MAX_LABEL_LENGTH
from orchestrator_app.providers.remote_workflow import FormField, WorkflowPreview
from orchestrator_app.services.workflow_views import NewNode, PreviewView
from orchestrator_app.storage.payloads import dumps

POLLING_TIMEOUT_MS = 3_600_000
FLOW_PROVIDER = "flowise"
QUESTION = "question"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def node_from(
    provider_key: str, view: PreviewView, workflow_id: str, *, is_polled_as_fallback: bool
) -> NewNode:
    """The node that runs the workflow.

    Args:
        provider_key: Where the workflow is.
        view: Its graph, form and completions.
        workflow_id: Its id there.
        is_polled_as_fallback: Whether the platform can be asked while a callback is awaited.
    """
    preview = view.preview
    is_flow = provider_key == FLOW_PROVIDER
    config: JsonObject = {"flowId": workflow_id} if is_flow else {"provider": provider_key}
    if view.connection_id:
        config["connectionId"] = view.connection_id
    if not is_flow:
        config["workflowId"] = workflow_id
        if preview.method.upper() != "POST":
            config["method"] = preview.method.upper()
    if not is_flow or preview.completion != "response":
        config["completion"] = preview.completion
    if preview.completion == "poll" or (preview.completion == "callback" and is_polled_as_fallback):
        config["pollingTimeout"] = POLLING_TIMEOUT_MS
    inputs = _inputs(preview.form)
    if is_flow and QUESTION in inputs:
        config["question"] = inputs.pop(QUESTION)
    if inputs:
        config["inputs"] = inputs
    if view.connection_id:
        # With a hash it can be told later whether the workflow is still the one that was looked at.
        config["workflowHash"] = preview.workflow.content_hash
    kind = LOCAL_FLOW if is_flow else REMOTE_WEBHOOK
    return NewNode(kind.name, _label(preview) or kind.title, config)


def _label(preview: WorkflowPreview) -> str:
    return " ".join(preview.workflow.name.split())[:MAX_LABEL_LENGTH].strip()


def _inputs(form: tuple[FormField, ...]) -> JsonObject:
    """What the workflow asks for: required fields from the node's input, the others as the platform proposes."""
    return {field.path: template for field in form if (template := proposed_input(field))}


def proposed_input(field: FormField) -> str:
    """The template with which an input of a workflow is filled at first; empty when nothing suggests itself."""
    if field.type == "file":
        return ""  # a file cannot be sent as JSON
    if field.required:
        return f"{{{{ data.{_reference(field.path)} }}}}"
    return "" if is_blank(field.default) else _literal(field.default)


def _reference(path: str) -> str:
    """A path as an expression takes it; a name that is none in expressions stands between backquotes."""
    parts = path.split(".")
    return ".".join(part if _NAME.fullmatch(part) else f"`{part.replace('`', '')}`" for part in parts)


def _literal(value: JsonValue) -> str:
    """The template that gives this very value."""
    if isinstance(value, str):
        return value.replace("{{", '{{"{{"}}')
    return f"{{{{ {dumps(value)} }}}}"
