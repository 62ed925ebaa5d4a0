"""The workflows of the simulated provider: what each is called, how it looks, and what it makes of its input."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.json_reading import number_at
from orchestrator_app.providers.remote_workflow import (
    CompletionChoice,
    EdgeKind,
    FormField,
    PreviewEdge,
    PreviewNode,
    content_hash,
)
from orchestrator_app.providers.simulated_results import (
    PLANS,
    answer,
    customer,
    done,
    mail,
    same,
    score,
    ticket,
)

ECHO = "echo"
SLOW = "slow"
FLAKY = "flaky"
FAILING = "failing"
POLLING = "polling"
CALLING_BACK = "calling-back"
CHAT = "chat"

MAX_SECONDS = 3_600.0

_KINDS: dict[str, EdgeKind] = {"error": "error", "memory": "tool"}
_APPS = {"database": "CRM", "mail": "Mail", "http": "HTTP"}
_SECONDS = FormField("seconds", "Seconds", "number", help="How long it takes.")

_STEP_X = 220.0
_BRANCH_Y = 110.0

Result = Callable[[JsonValue], JsonValue]


@dataclass(frozen=True, slots=True)
class SimulatedWorkflow:
    """One workflow.

    Attributes:
        id: Its id, as used in a node.
        name: Name on screen.
        summary: What it does and which fields of the input steer it.
        result: Makes the output from the input.
        steps: Rows of the preview: name, kind, names of the steps before it with an optional ``:label``.
        disabled: Names of the steps that are switched off.
        form: What it asks for.
        folder: For the list.
        seconds: How long it takes if the input does not say.
        completion: How a node best learns of its end.
        tags: For the list.
    """

    id: str
    name: str
    summary: str
    result: Result
    steps: tuple[tuple[str, str, tuple[str, ...]], ...]
    seconds: float = 0.0
    completion: str = "response"
    tags: tuple[str, ...] = ("pattern",)
    disabled: tuple[str, ...] = ()
    form: tuple[FormField, ...] = ()
    folder: str = "Patterns"

    def nodes(self) -> tuple[PreviewNode, ...]:
        """The steps, placed from left to right; steps after the same one stand below each other."""
        columns: dict[str, int] = {}
        rows: dict[int, int] = {}
        placed: list[PreviewNode] = []
        for name, kind, before in self.steps:
            column = max((columns[_source(entry)] + 1 for entry in before), default=0)
            row = rows.get(column, 0)
            columns[name] = column
            rows[column] = row + 1
            placed.append(
                PreviewNode(
                    name,
                    name,
                    kind,
                    column * _STEP_X,
                    row * _BRANCH_Y,
                    is_disabled=name in self.disabled,
                    is_trigger=not before,
                    app=_APPS.get(kind, ""),
                    digest=content_hash([name, kind, name in self.disabled]),
                )
            )
        return tuple(placed)

    def edges(self) -> tuple[PreviewEdge, ...]:
        """The ways between the steps."""
        return tuple(
            PreviewEdge(_source(entry), name, label, _KINDS.get(label, "main"))
            for name, _, before in self.steps
            for entry in before
            for label in (entry.partition(":")[2],)
        )

    def content_hash(self) -> str:
        """Digest of its steps and the ways between them."""
        return content_hash([[name, kind, list[JsonValue](before)] for name, kind, before in self.steps])

    def completions(self) -> tuple[CompletionChoice, ...]:
        """The ways to learn of its end, best first."""
        starts_only = self.completion != "response"
        response = (
            "It answers at once: the answer is only the sign that it was started."
            if starts_only
            else "It answers when it has ended, with its result."
        )
        is_polled, calls_back = self.completion == "poll", self.completion == "callback"
        poll = (
            "It works on after its answer, and is looked at until it has ended."
            if is_polled
            else "It does not work on after its answer, so there is nothing to look at."
        )
        callback = "It calls back with its result." if calls_back else "It never calls back."
        choices = {
            "response": CompletionChoice("response", response),
            "poll": CompletionChoice("poll", poll, works=is_polled),
            "callback": CompletionChoice("callback", callback, works=calls_back),
        }
        return (choices.pop(self.completion), *choices.values())


def seconds_of(workflow: SimulatedWorkflow, data: JsonValue) -> float:
    """How long to take: the input's field ``seconds``, or the workflow's own time."""
    if isinstance(data, dict) and isinstance(data.get("seconds"), int | float):
        return min(max(number_at(data, "seconds"), 0.0), MAX_SECONDS)
    return workflow.seconds


def _source(entry: str) -> str:
    return entry.partition(":")[0]


_ONE_STEP = (("Webhook", "trigger", ()), ("Respond", "respond", ("Webhook",)))

WORKFLOWS: dict[str, SimulatedWorkflow] = {
    workflow.id: workflow
    for workflow in (
        SimulatedWorkflow(ECHO, "Echo", "Answers with its input.", same, _ONE_STEP),
        SimulatedWorkflow(
            SLOW,
            "Slow",
            "Answers after 1.5 seconds, or after as many as the field seconds says.",
            done,
            (("Webhook", "trigger", ()), ("Wait", "wait", ("Webhook",)), ("Respond", "respond", ("Wait",))),
            seconds=1.5,
            form=(_SECONDS,),
        ),
        SimulatedWorkflow(
            FLAKY,
            "Flaky",
            "Is down for the first 2 calls of a node, or as many as the field failures says; then works.",
            done,
            (
                ("Webhook", "trigger", ()),
                ("Is it up?", "if", ("Webhook",)),
                ("Respond", "respond", ("Is it up?:true",)),
                ("Be down", "stop", ("Is it up?:false",)),
            ),
            form=(FormField("failures", "Failures", "number", default=2, help="How often it is down."),),
        ),
        SimulatedWorkflow(
            FAILING,
            "Failing",
            "Always fails, with the text of the field message.",
            done,
            (("Webhook", "trigger", ()), ("Stop and error", "stop", ("Webhook",))),
            form=(FormField("message", "Message", help="With which it fails."),),
        ),
        SimulatedWorkflow(
            POLLING,
            "Polling",
            "Answers at once and works on for 3 seconds, or as many as the field seconds says: its result is polled. "
            "Fails with the text of the field failure, if there is one.",
            done,
            (("Webhook", "trigger", ()), ("Work", "code", ("Webhook",)), ("Save", "database", ("Work",))),
            seconds=3.0,
            completion="poll",
            form=(_SECONDS, FormField("failure", "Failure", help="Makes it fail, with this reason.")),
        ),
        SimulatedWorkflow(
            CALLING_BACK,
            "Calling back",
            "Answers at once and calls back after 2 seconds, or as many as the field seconds says.",
            done,
            (
                ("Webhook", "trigger", ()),
                ("Ask a person", "wait", ("Webhook",)),
                ("Call back", "http", ("Ask a person",)),
            ),
            seconds=2.0,
            completion="callback",
            form=(_SECONDS,),
        ),
        SimulatedWorkflow(
            CHAT,
            "Chat",
            "Answers the text of the field question, as a flow of Flowise does.",
            answer,
            (
                ("Question", "trigger", ()),
                ("Model", "ai", ("Question",)),
                ("Memory", "ai", ("Question",)),
                ("Answer", "respond", ("Model", "Memory:memory")),
            ),
            seconds=0.4,
            form=(FormField("question", "Question", "longtext", required=True),),
            folder="Assistants",
        ),
        SimulatedWorkflow(
            "crm-lookup",
            "CRM: look up customer",
            "Finds the customer of the field email.",
            customer,
            (
                ("Webhook", "trigger", ()),
                ("Find customer", "database", ("Webhook",)),
                ("Found?", "if", ("Find customer",)),
                ("Say that it is down", "respond", ("Find customer:error",)),
                ("Add deals", "database", ("Found?:true",)),
                ("Say not found", "respond", ("Found?:false",)),
                ("Respond", "respond", ("Add deals",)),
            ),
            seconds=0.3,
            tags=("sales",),
            form=(FormField("email", "E-mail", "email", required=True),),
            folder="Business",
        ),
        SimulatedWorkflow(
            "score-lead",
            "Sales: score lead",
            "Gives 0 to 100 points from employees, openDeals, budget and plan, and a grade: hot, warm or cold.",
            score,
            (
                ("Webhook", "trigger", ()),
                ("Rules", "code", ("Webhook",)),
                ("Model", "ai", ("Webhook",)),
                ("Add up", "merge", ("Rules", "Model")),
                ("Respond", "respond", ("Add up",)),
            ),
            seconds=0.5,
            tags=("sales",),
            form=(
                FormField("employees", "Employees", "number"),
                FormField("openDeals", "Open deals", "number"),
                FormField("budget", "Budget", "number"),
                FormField("plan", "Plan", "choice", options=PLANS),
            ),
            folder="Business",
        ),
        SimulatedWorkflow(
            "send-mail",
            "Mail: send message",
            "Pretends to send a mail to the field to with the field subject. Nothing leaves this machine.",
            mail,
            (
                ("Webhook", "trigger", ()),
                ("Send", "mail", ("Webhook",)),
                ("Respond", "respond", ("Send",)),
                ("Note the opening", "database", ("Send",)),
            ),
            seconds=0.2,
            tags=("mail",),
            disabled=("Note the opening",),
            form=(FormField("to", "To", "email", required=True), FormField("subject", "Subject")),
            folder="Business",
        ),
        SimulatedWorkflow(
            "create-ticket",
            "Support: create ticket",
            "Makes a ticket from the field title, and sends urgent ones to the people on call.",
            ticket,
            (
                ("Webhook", "trigger", ()),
                ("Urgent?", "if", ("Webhook",)),
                ("Page on-call", "http", ("Urgent?:true",)),
                ("Put in queue", "database", ("Urgent?:false",)),
                ("Respond", "respond", ("Page on-call", "Put in queue")),
            ),
            seconds=0.3,
            tags=("support",),
            form=(FormField("title", "Title", required=True),),
            folder="Business",
        ),
    )
}
