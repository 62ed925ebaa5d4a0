"""The workflows of the simulated provider: what each is called, how it looks, and what it makes of its input."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.json_reading import number_at
from orchestrator_app.providers.remote_workflow import PreviewEdge, PreviewNode
from orchestrator_app.providers.simulated_results import answer, customer, done, mail, same, score, ticket

ECHO = "echo"
SLOW = "slow"
FLAKY = "flaky"
FAILING = "failing"
POLLING = "polling"
CALLING_BACK = "calling-back"
CHAT = "chat"

MAX_SECONDS = 3_600.0

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
                PreviewNode(name, name, kind, column * _STEP_X, row * _BRANCH_Y, is_trigger=not before)
            )
        return tuple(placed)

    def edges(self) -> tuple[PreviewEdge, ...]:
        """The ways between the steps."""
        return tuple(
            PreviewEdge(_source(entry), name, entry.partition(":")[2])
            for name, _, before in self.steps
            for entry in before
        )


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
        ),
        SimulatedWorkflow(
            FAILING,
            "Failing",
            "Always fails, with the text of the field message.",
            done,
            (("Webhook", "trigger", ()), ("Stop and error", "stop", ("Webhook",))),
        ),
        SimulatedWorkflow(
            POLLING,
            "Polling",
            "Answers at once and works on for 3 seconds, or as many as the field seconds says: its result is polled.",
            done,
            (("Webhook", "trigger", ()), ("Work", "code", ("Webhook",)), ("Save", "database", ("Work",))),
            seconds=3.0,
            completion="poll",
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
                ("Add deals", "database", ("Found?:true",)),
                ("Say not found", "respond", ("Found?:false",)),
                ("Respond", "respond", ("Add deals",)),
            ),
            seconds=0.3,
            tags=("sales",),
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
        ),
        SimulatedWorkflow(
            "send-mail",
            "Mail: send message",
            "Pretends to send a mail to the field to with the field subject. Nothing leaves this machine.",
            mail,
            (("Webhook", "trigger", ()), ("Send", "mail", ("Webhook",)), ("Respond", "respond", ("Send",))),
            seconds=0.2,
            tags=("mail",),
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
        ),
    )
}
