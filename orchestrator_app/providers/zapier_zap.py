"""Zaps as Zapier describes them: in lists, as a chain of steps, and how one is used from here."""

from collections import Counter
from itertools import pairwise

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.json_reading import list_at, object_at, text_at, time_at
from orchestrator_app.providers.remote_workflow import (
    CompletionChoice,
    PreviewEdge,
    PreviewNode,
    RemoteWorkflow,
    WorkflowPreview,
    best_completion,
    content_hash,
)
from orchestrator_app.providers.zapier_api import number_of

HOOK_ZAP = "hook"  # the one Zap behind a Catch Hook address: Zapier does not tell which one it is
ZAPS_LINK = "https://zapier.com/app/zaps"

_STEP_WIDTH = 240.0
_TRIGGER_NAME = "Catch Hook"
_OFF = "The Zap is switched off: Zapier accepts calls and drops them. Switch it on in Zapier."
_NO_STEPS = "Zapier does not show the steps of this Zap. Open it in Zapier to see them."
_SNIPPET = """\
Step: Webhooks by Zapier
Event: POST
URL: (choose “callback_url” of step 1, the trigger)
Payload Type: json
Data:
  token: (choose “correlation_token” of step 1)
  status: success
  result: (choose the data of the steps before that the run shall get)
Wrap Request In Array: no"""
_SNIPPET_HELP = (
    "Add this as the last step of the Zap. Test the trigger with one call of this node first, so that Zapier knows "
    "the fields callback_url and correlation_token. A Zap that fails earlier does not reach the step, so the node "
    "waits at most as long as its time limit allows."
)
_CALLBACK = "The last step of the Zap calls back (Webhooks by Zapier, POST)"
_RESPONSE = CompletionChoice(
    "response",
    "Zapier answers every call at once and alike, before the Zap has run, so the answer never holds a result.",
    works=False,
)
_HOOK_WAYS = (
    CompletionChoice("callback", f"{_CALLBACK}: nothing else tells the end with a Catch Hook address."),
    CompletionChoice(
        "poll",
        "Zapier shows the history of its Zaps to an access token of its API only, and this connection has a Catch "
        "Hook address only.",
        works=False,
    ),
    _RESPONSE,
)
_TOKEN_WAYS = (
    CompletionChoice("callback", f"{_CALLBACK}: this is the dependable way."),
    CompletionChoice(
        "poll",
        "The run is searched for in the history of the Zap. Zapier calls that part of its API experimental, and "
        "lists runs with some delay.",
    ),
    _RESPONSE,
)


def read_zap(row: JsonObject) -> RemoteWorkflow:
    """A Zap as it stands in lists."""
    zap_id = text_at(row, "id")
    steps = _steps(row)
    return RemoteWorkflow(
        id=zap_id,
        name=text_at(row, "title").strip() or f"Untitled Zap {number_of(row) or zap_id}",
        is_active=row.get("is_enabled") is True,
        updated_at=time_at(row, "updated_at"),
        link=text_at(row, "links", "html_editor") or ZAPS_LINK,
        note=_why_not_callable(steps),
        content_hash=content_hash([_content(step) for step in steps]),
    )


def read_preview(row: JsonObject, *, has_address: bool) -> WorkflowPreview:
    """The Zap as a chain of its steps; Zapier does not tell of branches. ``has_address``: the connection's own hook."""
    zap = read_zap(row)
    nodes = _nodes(_steps(row))
    return WorkflowPreview(
        workflow=zap,
        nodes=tuple(nodes) or (_card(zap.name),),
        edges=tuple(PreviewEdge(before.id, after.id) for before, after in pairwise(nodes)),
        completion=best_completion(_TOKEN_WAYS),
        completions=_TOKEN_WAYS,
        entry=_entry(zap, has_address=has_address, has_steps=bool(nodes)),
        snippet=_SNIPPET,
        snippet_help=_SNIPPET_HELP,
        is_opaque=not nodes,
        facts={
            "zapNumber": number_of(row),
            "lastSuccessfulRun": text_at(row, "last_successful_run_date"),
        },
    )


def hook_zap(connection: Connection) -> RemoteWorkflow:
    """The Zap behind the Catch Hook address of a connection. It bears the connection's name."""
    return RemoteWorkflow(
        id=HOOK_ZAP, name=connection.name or "Zap", is_active=True, link=ZAPS_LINK, kind=_TRIGGER_NAME
    )


def hook_preview(connection: Connection) -> WorkflowPreview:
    """A single card: a Catch Hook address tells nothing about its Zap."""
    zap = hook_zap(connection)
    return WorkflowPreview(
        workflow=zap,
        nodes=(_card(zap.name),),
        edges=(),
        completion=best_completion(_HOOK_WAYS),
        completions=_HOOK_WAYS,
        entry="Called at the Catch Hook address of the connection. Zapier does not show the steps of its Zap to a "
        "Catch Hook address, and accepts calls also while the Zap is switched off.",
        snippet=_SNIPPET,
        snippet_help=_SNIPPET_HELP,
        is_opaque=True,
    )


def _card(name: str) -> PreviewNode:
    return PreviewNode(id=HOOK_ZAP, label=name, kind="zapier:zap", is_trigger=True, app="Zapier")


def _entry(zap: RemoteWorkflow, *, has_address: bool, has_steps: bool) -> str:
    """How the Zap is started, in words."""
    if zap.note:
        return f"{zap.note} Give it the trigger “{_TRIGGER_NAME}” of Webhooks by Zapier."
    sentences = [
        "Called at its Catch Hook address, which Zapier does not tell.",
        "The address of the connection is used: make sure that it is the one of this Zap, or enter its own in the node."
        if has_address
        else "Copy it from the Zap's trigger, and enter it in the node or in the connection.",
    ]
    if not zap.is_active:
        sentences.append(_OFF)
    if not has_steps:
        sentences.append(_NO_STEPS)
    return " ".join(sentences)


def _steps(row: JsonObject) -> list[JsonObject]:
    """The steps as objects; where only ids came instead of objects, these stand for the action."""
    steps: list[JsonObject] = []
    for step in list_at(row, "steps"):
        if isinstance(step, dict):
            steps.append(step)
        elif isinstance(step, str):
            steps.append({"action": step})
        elif step is None:
            steps.append({})
    return steps


def _nodes(steps: list[JsonObject]) -> list[PreviewNode]:
    nodes: list[PreviewNode] = []
    seen: Counter[str] = Counter()
    for number, step in enumerate(steps, start=1):
        action = object_at(step, "action")
        app = text_at(action, "app", "title")
        kind = text_at(action, "action_type")
        # The id stays the same when a step is put in before, so that it is recognised when the Zap has changed.
        name = _id_at(step, "action") or "step"
        seen[name] += 1
        nodes.append(
            PreviewNode(
                id=f"{name}#{seen[name]}" if seen[name] > 1 or name == "step" else name,
                label=text_at(step, "title") or text_at(action, "title") or app or _place(number),
                kind=f"zapier:{kind or 'step'}",
                x=(number - 1) * _STEP_WIDTH,
                is_trigger=number == 1,
                app=app,
                digest=content_hash(_content(step)),
            )
        )
    return nodes


def _place(number: int) -> str:
    return "Trigger" if number == 1 else f"Step {number}"


def _content(step: JsonObject) -> JsonObject:
    """What makes the step what it is, the same whether Zapier sent ids or whole objects."""
    return {
        "action": _id_at(step, "action"),
        "authentication": _id_at(step, "authentication"),
        "inputs": step.get("inputs"),
        "title": text_at(step, "title"),
    }


def _id_at(step: JsonObject, name: str) -> str:
    value: JsonValue = step.get(name)
    return text_at(value, "id") if isinstance(value, dict) else text_at(step, name)


def _why_not_callable(steps: list[JsonObject]) -> str:
    """Why the Zap cannot be started from outside, where its trigger is known and no Catch Hook."""
    trigger = object_at(steps[0], "action") if steps else {}
    app, title = text_at(trigger, "app", "title"), text_at(trigger, "title")
    if not app or ("webhook" in app.lower() and ("catch" in title.lower() or not title)):
        return ""
    return f"The Zap starts with “{title or app}” of {app}, not with a Catch Hook, so it cannot be called."
