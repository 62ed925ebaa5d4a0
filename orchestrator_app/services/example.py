"""The example orchestrator of a first start: every node kind, on the simulated provider, runs without an account."""

from typing import Any

from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.services.views import OrchestratorDetail

NAME = "Example: qualify a lead"
DESCRIPTION = (
    "Looks up a customer, scores the lead and asks an assistant at the same time, and lets a person approve hot leads. "
    "It runs on simulated workflows: press Run, nothing leaves this machine."
)


def _node(
    node_id: str,
    kind: str,
    label: str,
    place: tuple[int, int],
    config: dict[str, Any] | None = None,
    *,
    notes: str = "",
) -> dict[str, Any]:
    data: dict[str, Any] = {"label": label, "nodeType": kind, "config": config or {}}
    if notes:
        data["notes"] = notes
    return {
        "id": node_id,
        "type": "orchestratorNode",
        "position": {"x": place[0], "y": place[1]},
        "data": data,
    }


def _edge(source: str, target: str, handle: str = "out") -> dict[str, Any]:
    return {"id": f"{source}-{handle}-{target}", "source": source, "target": target, "sourceHandle": handle}


def example_definition() -> dict[str, Any]:
    """The graph."""
    simulated = {"provider": "simulated"}
    nodes = [
        _node(
            "crm",
            "RemoteWebhook",
            "Look up customer",
            (0, 200),
            simulated
            | {
                "workflowId": "crm-lookup",
                "bodyTemplate": '{"email": {{ $exists(data.email) ? data.email : "ada.lovelace@analytical.example" }}}',
            },
            notes='Run it with {} or with an e-mail address of your own: {"email": "you@company.example"}.',
        ),
        _node("both", "Parallel", "At the same time", (310, 200), {}),
        _node(
            "score",
            "RemoteWebhook",
            "Score lead",
            (620, 20),
            simulated | {"workflowId": "score-lead", "idempotent": True, "retryAttempts": 2},
            notes="If scoring fails, the error boundary goes on with a score of its own.",
        ),
        _node(
            "rescue",
            "ErrorBoundary",
            "Score by hand",
            (700, 200),
            {"fallback": '{"score": 50, "grade": "unknown"}'},
        ),
        _node(
            "assistant",
            "LocalFlow",
            "Ask assistant",
            (620, 380),
            {
                "flowId": "chat",
                "connectionId": "simulated",
                "question": "How should we greet {{ nodes.`Look up customer`.output.customer.name }}?",
            },
        ),
        _node(
            "card",
            "DataMapper",
            "Lead card",
            (1040, 200),
            {
                "mappings": [
                    {"from": "nodes.`Look up customer`.output.customer.email", "to": "email"},
                    {"from": "data.score", "to": "score"},
                    {"from": "data.grade", "to": "grade"},
                    {"from": "nodes.`Look up customer`.output.customer.name", "to": "name"},
                    {"from": "nodes.`Ask assistant`.output.text", "to": "greeting"},
                    {"from": "=example", "to": "source"},
                ],
                "mode": "replace",
            },
        ),
        _node(
            "worth",
            "Condition",
            "Worth a call?",
            (1350, 200),
            {"cases": [{"expression": "data.score >= 40", "handle": "yes"}], "defaultHandle": "no"},
        ),
        _node(
            "ask",
            "RemoteWebhook",
            "Ask for approval",
            (1680, 80),
            simulated | {"workflowId": "calling-back"},
            notes="The simulated approver calls back after two seconds.",
        ),
        _node(
            "approval", "WaitForCallback", "Approval", (1990, 80), {"timeout": 600000, "onTimeout": "fail"}
        ),
        _node(
            "mail",
            "RemoteWebhook",
            "Send mail",
            (2300, 80),
            simulated
            | {
                "workflowId": "send-mail",
                "bodyTemplate": '{"to": "{{ nodes.`Lead card`.output.email }}", "subject": "Welcome, '
                '{{ nodes.`Lead card`.output.name }}"}',
            },
        ),
        _node(
            "archive",
            "DataMapper",
            "Keep for later",
            (1680, 360),
            {"mappings": [{"from": "=archived", "to": "state"}], "mode": "extend"},
        ),
    ]
    edges = [
        _edge("crm", "both"),
        _edge("both", "score"),
        _edge("both", "assistant"),
        _edge("score", "card"),
        _edge("score", "rescue", "error"),
        _edge("rescue", "card"),
        _edge("assistant", "card"),
        _edge("card", "worth"),
        _edge("worth", "ask", "yes"),
        _edge("ask", "approval"),
        _edge("approval", "mail"),
        _edge("worth", "archive", "no"),
    ]
    return {"version": 1, "nodes": nodes, "edges": edges}


async def create_example(orchestrators: Orchestrators, workspace_id: str) -> OrchestratorDetail:
    """Store the example."""
    return await orchestrators.create(
        workspace_id, name=NAME, description=DESCRIPTION, definition=example_definition()
    )
