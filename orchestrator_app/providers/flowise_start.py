"""How a flow is started and what it asks for, in words, and the ways to learn its end."""

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.flowise_call import PREDICTION, WEBHOOK
from orchestrator_app.providers.flowise_flow import (
    SCHEDULED,
    graph_of,
    has_step,
    is_agentflow,
    preview_edges,
    preview_nodes,
    read_flow,
    start_inputs,
)
from orchestrator_app.providers.json_reading import objects_at, text_at
from orchestrator_app.providers.remote_workflow import (
    CompletionChoice,
    FormField,
    FormFieldType,
    WorkflowPreview,
    best_completion,
)

CALLBACK_PATH = "/api/v1/orchestrator/callback"
# The address is the same for all runs: the chat id tells them apart.
SNIPPET = f"{{{{publicUrl}}}}{CALLBACK_PATH}"
SNIPPET_HELP = (
    "Paste it as Callback URL into the Start node of the flow in Flowise (response mode Asynchronous). {{publicUrl}} "
    "is the address at which Flowise reaches this Orchestrator. Flowise calls no addresses of its own machine or "
    "network unless it is started with HTTP_SECURITY_CHECK=false."
)

_WEBHOOK_INPUT = "webhookTrigger"
_FORM_INPUT = "formInput"
_FORM_TYPES: dict[str, FormFieldType] = {"number": "number", "boolean": "boolean", "options": "choice"}
_BODY_TYPES: dict[str, FormFieldType] = {
    "number": "number",
    "boolean": "boolean",
    "object": "json",
    "array": "json",
}
_NOT_CALLABLE = "The flow is started by its schedule only, so nothing can be learned from a call."
_NO_EXECUTIONS = (
    "Flowise keeps no executions of chatflows, only of agentflows, so there is nothing to look at."
)
_LOOKS = "The execution is looked at in Flowise until it has ended, also if the call itself is cut."
_WAITS_FOR_PERSON = (
    "The flow may wait for a person: the execution is looked at in Flowise until it has ended."
)
_HTTP_STEP = (
    "Flowise calls back by itself only from webhook flows in asynchronous mode. This flow has an HTTP step: it may "
    "POST to the callbackUrl that you give it in the question, in a form field or in overrideConfig.vars."
)
_NO_CALLBACK = (
    "Flowise calls back only from flows with a Webhook Trigger in asynchronous mode, or from an HTTP step of their "
    "own; this flow has neither."
)


def read_preview(raw: JsonObject, base: str) -> WorkflowPreview:
    """The flow as a graph, with its form and the ways to learn its end."""
    graph = graph_of(raw)
    start = start_inputs(graph)
    workflow = read_flow(raw, base)
    is_webhook = text_at(start, "startInputType") == _WEBHOOK_INPUT
    completions = _completions(graph, start)
    can_call_back = is_webhook and _response_mode(start) == "async"
    return WorkflowPreview(
        workflow=workflow,
        nodes=preview_nodes(graph),
        edges=preview_edges(graph),
        url=f"{base}{WEBHOOK if is_webhook else PREDICTION}{workflow.id}",
        method=_webhook_method(start) if is_webhook else "POST",
        completion=best_completion(completions),
        completions=completions,
        entry=_entry(raw, graph, start),
        form=_form(start),
        snippet=SNIPPET if can_call_back else "",
        snippet_help=SNIPPET_HELP if can_call_back else "",
        facts={
            "kind": workflow.kind,
            "startInput": text_at(start, "startInputType"),
            "responseMode": _response_mode(start) if is_webhook else "",
            "hasOwnKey": bool(text_at(raw, "apikeyid")),
        },
    )


def _completions(graph: JsonObject, start: JsonObject) -> tuple[CompletionChoice, ...]:
    """All three ways, best first."""
    kind = text_at(start, "startInputType")
    if kind == SCHEDULED:
        return tuple(
            CompletionChoice(key, _NOT_CALLABLE, works=False) for key in ("response", "poll", "callback")
        )
    if kind == _WEBHOOK_INPUT and _response_mode(start) == "async":
        return _asynchronous(start)
    callback = CompletionChoice("callback", _NO_CALLBACK, works=False)
    if has_step(graph, "httpAgentflow"):
        callback = CompletionChoice("callback", _HTTP_STEP)
    if not is_agentflow(graph):
        response = CompletionChoice("response", "Flowise answers when the chatflow is through.")
        return response, CompletionChoice("poll", _NO_EXECUTIONS, works=False), callback
    response = CompletionChoice(
        "response", "Flowise answers when the agentflow is through; allow as much time as that takes."
    )
    if has_step(graph, "humanInputAgentflow"):
        return CompletionChoice("poll", _WAITS_FOR_PERSON), response, callback
    return response, CompletionChoice("poll", _LOOKS), callback


def _asynchronous(start: JsonObject) -> tuple[CompletionChoice, ...]:
    response = CompletionChoice(
        "response",
        "The webhook answers at once, before the flow has run: the answer holds no result.",
        works=False,
    )
    poll = CompletionChoice(
        "poll", "The webhook answers at once; the execution is then looked at in Flowise."
    )
    address = text_at(start, "callbackUrl")
    if CALLBACK_PATH in address:
        callback = CompletionChoice(
            "callback", "Its Start node names this callback address, so it calls back."
        )
        return callback, poll, response
    names = f"It calls {address} now." if address else "It names none now."
    callback = CompletionChoice(
        "callback", f"Works once the Start node of the flow names the callback address below. {names}"
    )
    return poll, callback, response


def _entry(raw: JsonObject, graph: JsonObject, start: JsonObject) -> str:
    """How the flow is started, in words."""
    kind = text_at(start, "startInputType")
    if kind == SCHEDULED:
        return (
            "Is started by its schedule only, so it cannot be called. Change the input type of its Start node to "
            "Chat Input, Form Input or Webhook Trigger."
        )
    if kind == _WEBHOOK_INPUT:
        mode = {"async": "which answers at once and works on", "stream": "which answers piece by piece"}
        answers = mode.get(_response_mode(start), "which answers when the flow is through")
        sentences = [f"{_webhook_method(start)} to the webhook of the flow, {answers}."]
        if start.get("webhookEnableAuth") is True:
            sentences.append(_signature(start))
    elif kind == _FORM_INPUT:
        title = text_at(start, "formTitle")
        sentences = [f"Starts with the form “{title}”." if title else "Starts with a form."]
    else:
        what = "agentflow" if is_agentflow(graph) else "chatflow"
        sentences = [f"The {what} is asked a question through the prediction API."]
    if text_at(raw, "apikeyid"):
        sentences.append("It is bound to an API key of its own: the connection has to hold that one.")
    return " ".join(sentences)


def _signature(start: JsonObject) -> str:
    header = text_at(start, "webhookSignatureHeader") or "x-webhook-signature"
    if text_at(start, "webhookSignatureType") == "plain-token":
        return f"It asks for its secret in the header {header}: add the header in the node."
    return (
        f"It asks for an HMAC signature in the header {header}, which a node cannot make: choose Plain Token in the "
        "Start node, or turn the check off."
    )


def _form(start: JsonObject) -> tuple[FormField, ...]:
    """What the flow asks for; a chatflow, whose start says nothing, asks for a question."""
    kind = text_at(start, "startInputType")
    if kind == SCHEDULED:
        return ()
    if kind == _FORM_INPUT:
        help_text = text_at(start, "formDescription")
        return tuple(_form_field(item, help_text) for item in _named(start, "formInputTypes"))
    if kind == _WEBHOOK_INPUT:
        asked = _named(start, "webhookBodyParams") if start.get("webhookEnableValidation") is True else []
        return tuple(
            FormField(
                text_at(item, "name"),
                text_at(item, "name"),
                _BODY_TYPES.get(text_at(item, "type"), "text"),
                required=item.get("required") is True,
            )
            for item in asked
        )
    return (FormField("question", "Question", "longtext", required=True, help="What the flow is asked."),)


def _form_field(item: JsonObject, help_text: str) -> FormField:
    name = text_at(item, "name")
    options = tuple(text_at(option, "option") for option in objects_at(item, "addOptions"))
    return FormField(
        f"form.{name}",
        text_at(item, "label") or name,
        _FORM_TYPES.get(text_at(item, "type"), "text"),
        required=True,
        options=tuple(option for option in options if option),
        help=help_text,
    )


def _named(start: JsonObject, name: str) -> list[JsonObject]:
    return [item for item in objects_at(start, name) if text_at(item, "name")]


def _response_mode(start: JsonObject) -> str:
    mode = text_at(start, "webhookResponseMode")
    return mode if mode in {"async", "stream"} else "sync"


def _webhook_method(start: JsonObject) -> str:
    return text_at(start, "webhookMethod").upper() or "POST"
