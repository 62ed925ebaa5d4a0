"""Workflows as they stand on a platform: listed, drawn as a graph, and the ways to start them and to learn their end."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator_app.domain.json_values import JsonObject, JsonValue

FormFieldType = Literal["text", "longtext", "number", "boolean", "choice", "date", "email", "json", "file"]
EdgeKind = Literal["main", "error", "tool"]
HASH_LENGTH = 16


def content_hash(content: JsonValue) -> str:
    """A short digest of what a workflow or a step of it consists of; the order of keys says nothing."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class RemoteWorkflow:
    """A workflow as listed. Times are UTC epoch milliseconds.

    Attributes:
        id: Its id on the platform, as text.
        name: Its name there.
        is_active: Whether it can be started from outside now.
        updated_at: When it was last changed there.
        tags: Labels given to it there (categories, for Flowise).
        link: Address of its editor in the platform's own UI.
        is_archived: Put away; the catalog leaves these out.
        folder: Name of its folder, or empty.
        team: Name of its team or project, or empty.
        kind: What it is where a platform has several kinds (``chatflow``, ``agentflow``), or empty.
        note: Why it cannot run although it is there (invalid, locked, paused), as a sentence, or empty.
        content_hash: Digest of its steps and links (positions apart), or empty when the list does not tell them.
    """

    id: str
    name: str
    is_active: bool
    updated_at: int | None = None
    tags: tuple[str, ...] = ()
    link: str = ""
    is_archived: bool = False
    folder: str = ""
    team: str = ""
    kind: str = ""
    note: str = ""
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """One page of a list; ``cursor`` is empty at the end. ``total`` is None when the platform does not say."""

    workflows: tuple[RemoteWorkflow, ...]
    cursor: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class PreviewNode:
    """A step of a remote workflow.

    Attributes:
        id: Unique within the graph.
        label: Name on its card.
        kind: The platform's own type, for instance ``n8n-nodes-base.webhook`` or ``http:ActionSendData``.
        x: Place on the platform's own canvas.
        y: Place on the platform's own canvas.
        is_disabled: Switched off there.
        is_trigger: Starts the workflow.
        notes: What the author wrote at it.
        app: The app behind the step in words (``Slack``), or empty.
        digest: ``content_hash`` of its settings, so that a changed step can be told.
    """

    id: str
    label: str
    kind: str
    x: float = 0.0
    y: float = 0.0
    is_disabled: bool = False
    is_trigger: bool = False
    notes: str = ""
    app: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PreviewEdge:
    """A way between two steps, with the name of the output or the link type when it matters."""

    source: str
    target: str
    label: str = ""
    kind: EdgeKind = "main"


@dataclass(frozen=True, slots=True)
class FormField:
    """One input that the workflow asks for. ``path`` is where it goes in the body (``email``, ``form.email``)."""

    path: str
    label: str
    type: FormFieldType = "text"
    required: bool = False
    default: JsonValue = None
    options: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class CompletionChoice:
    """One way to learn that the workflow has ended.

    Attributes:
        key: ``response``, ``poll`` or ``callback``.
        reason: A sentence: why it fits this workflow, or why it does not work for it.
        works: Whether it can be chosen.
    """

    key: str
    reason: str
    works: bool = True


@dataclass(frozen=True, slots=True)
class WorkflowPreview:
    """A remote workflow as a graph, and how to use it.

    Attributes:
        workflow: As listed, with ``content_hash``.
        nodes: Its steps.
        edges: The ways between them.
        url: Address to call, when it is known and not secret.
        method: Method to call it with.
        completion: Key of the best completion; the first of ``completions`` that works.
        completions: All three ways, best first.
        entry: How it is started, in words.
        form: What it asks for, where the platform knows it.
        snippet: Text to paste on the platform (a callback step), or empty; ``{{callbackUrl}}`` stands for the address.
        snippet_help: Where to paste it.
        is_opaque: The platform does not show its steps; the graph is a single card.
        facts: Further facts of the platform's own.
    """

    workflow: RemoteWorkflow
    nodes: tuple[PreviewNode, ...]
    edges: tuple[PreviewEdge, ...]
    url: str = ""
    method: str = "POST"
    completion: str = "response"
    completions: tuple[CompletionChoice, ...] = ()
    entry: str = ""
    form: tuple[FormField, ...] = ()
    snippet: str = ""
    snippet_help: str = ""
    is_opaque: bool = False
    facts: JsonObject = field(default_factory=dict[str, Any])


def best_completion(completions: Iterable[CompletionChoice]) -> str:
    """Key of the first completion that works; ``response`` when none does."""
    return next((choice.key for choice in completions if choice.works), "response")
