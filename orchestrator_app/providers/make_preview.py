"""A scenario as the user sees it before using it: its graph, what it asks for, and how its end can be known."""

from collections.abc import Sequence

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.json_reading import list_at, text_at
from orchestrator_app.providers.make_blueprint import RETURN_OUTPUT, WEBHOOK_RESPONSE, Graph
from orchestrator_app.providers.make_run import RESPONSE_SECONDS
from orchestrator_app.providers.make_target import Hook
from orchestrator_app.providers.remote_workflow import (
    CompletionChoice,
    FormField,
    FormFieldType,
    RemoteWorkflow,
    WorkflowPreview,
    best_completion,
)

_ON_DEMAND = "on-demand"
_TYPES: dict[str, FormFieldType] = {
    "number": "number",
    "uinteger": "number",
    "integer": "number",
    "boolean": "boolean",
    "date": "date",
    "time": "text",
    "email": "email",
    "select": "choice",
    "array": "json",
    "collection": "json",
    "dynamicCollection": "json",
    "json": "json",
    "any": "json",
    "buffer": "file",
    "file": "file",
    "upload": "file",
}
_SNIPPET = """POST {{%s.callbackUrl}}
Content-Type: application/json

{"result": "…"}"""
_SNIPPET_HELP = (
    "Add the module “Make a request” of the app HTTP as the last one, take address and body from here, and put the values that "
    "the next node needs into the body."
)


def preview_of(
    workflow: RemoteWorkflow, graph: Graph, declared: Sequence[JsonObject], hook: Hook | None
) -> WorkflowPreview:
    """The scenario with everything that is known about it."""
    choices = completions_of(graph, hook)
    needs_snippet = hook is not None and not hook.problem and not graph.calls_back
    return WorkflowPreview(
        workflow=workflow,
        nodes=graph.nodes,
        edges=graph.edges,
        completion=best_completion(choices),
        completions=choices,
        entry=_entry(workflow, graph, declared, hook),
        form=() if hook else tuple(_form_field(field) for field in declared if text_at(field, "name")),
        snippet=_SNIPPET % text_at(graph.trigger, "id") if needs_snippet else "",
        snippet_help=_SNIPPET_HELP if needs_snippet else "",
        facts={
            "scheduling": workflow.kind,
            "start": "run" if hook is None else "none" if hook.problem else "webhook",
            "returnsOutput": graph.has(RETURN_OUTPUT),
        },
    )


def completions_of(graph: Graph, hook: Hook | None) -> tuple[CompletionChoice, ...]:
    """The three ways to learn the end, best first."""
    if hook is None:
        return _of_run(graph)
    if hook.problem:
        why = f"It cannot be called: {hook.problem}"
        return tuple(CompletionChoice(key, why, works=False) for key in ("callback", "poll", "response"))
    return _of_webhook(graph)


def _of_run(graph: Graph) -> tuple[CompletionChoice, ...]:
    nothing = (
        ""
        if graph.has(RETURN_OUTPUT)
        else " The result is empty, for there is no module “Return output” in it."
    )
    return (
        CompletionChoice(
            "poll",
            f"Make tells the id of the run, so Orchestrator looks at it until it has ended.{nothing}",
        ),
        CompletionChoice(
            "callback",
            "Make calls back when the run has ended, and Orchestrator fetches the result; it looks now and then as well, "
            f"in case the call is lost.{nothing}",
        ),
        CompletionChoice(
            "response",
            f"Make answers with the result only if the run takes less than {RESPONSE_SECONDS} seconds; a longer one goes "
            f"on without an answer.{nothing}",
        ),
    )


def _of_webhook(graph: Graph) -> tuple[CompletionChoice, ...]:
    callback = CompletionChoice(
        "callback",
        "An HTTP module of the scenario sends the result to the callbackUrl that it gets with the data."
        if graph.calls_back
        else "The scenario sends its result to the callbackUrl that it gets with the data, once an HTTP module for it is "
        "added at its end.",
    )
    poll = CompletionChoice(
        "poll",
        "Make tells no id of what a webhook starts: the execution is guessed by its time in the log, which goes wrong "
        "when several begin together.",
    )
    if graph.has(WEBHOOK_RESPONSE):
        response = CompletionChoice("response", "Its module “Webhook response” answers with the result.")
        return (response, callback, poll)
    response = CompletionChoice(
        "response",
        "The webhook answers “Accepted” before the scenario has run, so this only says that the data was taken. Add a "
        "module “Webhook response” to get a result.",
    )
    return (callback, poll, response)


def _entry(workflow: RemoteWorkflow, graph: Graph, declared: Sequence[JsonObject], hook: Hook | None) -> str:
    """How the scenario is started, in words."""
    if hook is not None and hook.problem:
        sentences = [f"It cannot be called: {hook.problem}"]
    elif hook is not None:
        sentences = ["Its custom webhook takes the data; Orchestrator asks Make for the address."]
    else:
        sentences = ["Run through Make's API" + (", with the inputs that it declares." if declared else ".")]
        if declared and workflow.kind != _ON_DEMAND:
            sentences.append("It takes its inputs only when its schedule in Make is “On demand”.")
        if not graph.has(RETURN_OUTPUT):
            sentences.append("Add a module “Return output” if the next node needs a result.")
    if not workflow.is_active:
        sentences.append("It is not active: activate it in Make first.")
    if workflow.note:
        sentences.append(workflow.note)
    return " ".join(sentences)


def _form_field(field: JsonObject) -> FormField:
    name, kind = text_at(field, "name"), text_at(field, "type")
    options = _options(field)
    is_long = kind == "text" and field.get("multiline") is True
    plain: FormFieldType = "longtext" if is_long else "text"
    return FormField(
        path=name,
        label=text_at(field, "label") or name,
        type="choice" if options else _TYPES.get(kind, plain),
        required=field.get("required") is True,
        default=field.get("default"),
        options=options,
        help=text_at(field, "help"),
    )


def _options(field: JsonObject) -> tuple[str, ...]:
    """The values to choose from: listed by themselves, with their labels, or as a rule."""
    listed = (
        list_at(field, "options") or list_at(field, "options", "store") or list_at(field, "validate", "enum")
    )
    values = (text_at(option, "value") or text_at({"at": option}, "at") for option in listed)
    return tuple(value for value in values if value)
