"""What happened to one node in a run: for the drawer of the editor and for the page of a run."""

import json
import re
from typing import Any

import reflex as rx

from orchestrator_app.services.views import NodeRunView, RunDetail
from orchestrator_app.ui.components.callback import NOTHING, callback_part, callback_texts
from orchestrator_app.ui.components.feedback import error_callout
from orchestrator_app.ui.components.json_view import json_view
from orchestrator_app.ui.components.node_intervention import decision_form, resume_form
from orchestrator_app.ui.components.times import duration, exact_time
from orchestrator_app.ui.session import show

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class NodeRunTexts(rx.State, mixin=True):
    """The vars behind ``node_run_details``, for the state of a page that shows it."""

    node_state: str = ""
    node_input: str = ""
    node_output: str = ""
    node_failure: dict[str, str] = dict.fromkeys(("code", "message", "hint"), "")
    node_attempts: list[dict[str, Any]] = []
    node_logs: list[dict[str, Any]] = []
    node_callback_url: str = ""
    node_needs_decision: bool = False
    node_callback: dict[str, Any] = NOTHING
    node_callback_body: str = ""

    def _show_node_run(self, detail: RunDetail, node_id: str) -> NodeRunView | None:
        """Take over what the run says about a node; None when it has no such node."""
        node = next((node for node in detail.nodes if node.node_id == node_id), None)
        if node is None:
            self._forget_node_run()
            return None
        show(
            self,
            node_state=node.state,
            node_input=_text(node, node.input),
            node_output=_text(node, node.output),
            node_failure=failure_texts(node),
            node_attempts=attempt_texts(node),
            node_callback_url=node.callback_url,
            node_needs_decision=node.needs_decision,
            node_callback=callback_texts(node.callback),
            node_callback_body=_arrived(node),
            node_logs=[
                {"at": line.at, "level": line.level, "message": line.message}
                for line in detail.logs
                if line.node_id == node_id
            ],
        )
        return node

    def _forget_node_run(self) -> None:
        """Show nothing of any node."""
        show(
            self,
            node_state="",
            node_input="",
            node_output="",
            node_failure=dict.fromkeys(("code", "message", "hint"), ""),
            node_attempts=[],
            node_callback_url="",
            node_needs_decision=False,
            node_callback=NOTHING,
            node_callback_body="",
            node_logs=[],
        )


def _text(node: NodeRunView, value: object) -> str:
    return "" if node.started_date is None or (value is None and node.ended_date is None) else pretty(value)


def _arrived(node: NodeRunView) -> str:
    callback = node.callback
    return "" if callback is None or callback.arrived_date is None else pretty(callback.body)


def pretty(value: object) -> str:
    """JSON for reading. Half of a character stays an escape: it could not be sent to a browser."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _HALF_CHARACTER.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def failure_texts(node: NodeRunView) -> dict[str, str]:
    """A failure as texts."""
    failure = node.failure or {}
    return {key: str(failure.get(key, "")) for key in ("code", "message", "hint")}


def attempt_texts(node: NodeRunView) -> list[dict[str, Any]]:
    """The attempts of a node as texts, newest first."""
    return [
        {
            "number": str(attempt.number),
            "is_over": attempt.ended_date is not None,
            "duration": (attempt.ended_date or attempt.started_date) - attempt.started_date,
            "status": str(attempt.status_code or ""),
            "message": str((attempt.failure or {}).get("message", "")),
            "request": pretty(attempt.request),
            "response": pretty(attempt.response) if attempt.response is not None else "",
        }
        for attempt in reversed(node.attempts)
    ]


def _attempt(attempt: Any) -> rx.Component:
    return rx.el.details(
        rx.el.summary(
            rx.el.span("Attempt ", attempt["number"].to(str), class_name="o-attempt-name"),
            rx.cond(attempt["status"].to(str) != "", rx.el.span("HTTP ", attempt["status"].to(str))),
            rx.cond(
                attempt["is_over"].to(bool), duration(ms=attempt["duration"].to(int)), rx.el.span("under way")
            ),
            class_name="o-attempt-head",
        ),
        rx.cond(
            attempt["message"].to(str) != "", rx.el.p(attempt["message"].to(str), class_name="o-field-error")
        ),
        json_view(text=attempt["request"].to(str), label="Request", max_height="240px"),
        rx.cond(
            attempt["response"].to(str) != "",
            json_view(text=attempt["response"].to(str), label="Response", max_height="240px"),
        ),
        class_name="o-attempt",
    )


def node_run_details(state: Any) -> rx.Component:
    """Input, output, attempts and log of the open node in the run that is shown, and what can be done about it.

    The state has ``NodeRunTexts`` and ``NodeInterventions``.
    """
    return rx.el.div(
        rx.cond(
            state.node_failure["message"] != "",
            error_callout("This node failed", state.node_failure["message"], state.node_failure["hint"]),
        ),
        decision_form(state),
        callback_part(state),
        rx.cond(state.node_callback_url != "", rx.el.div(resume_form(state), class_name="o-form-section")),
        rx.el.h3("Input", class_name="o-section-title"),
        json_view(text=state.node_input, label="Input", empty_text="Not reached yet"),
        rx.el.h3("Output", class_name="o-section-title"),
        json_view(text=state.node_output, label="Output", empty_text="Nothing yet"),
        rx.cond(
            state.node_attempts.length() > 0,
            rx.el.div(
                rx.el.h3("Attempts", class_name="o-section-title"),
                rx.foreach(state.node_attempts, _attempt),
                class_name="o-form-section",
            ),
        ),
        rx.cond(
            state.node_logs.length() > 0,
            rx.el.div(
                rx.el.h3("Log", class_name="o-section-title"),
                rx.foreach(
                    state.node_logs,
                    lambda line: rx.el.div(
                        exact_time(ms=line["at"].to(int)),
                        rx.el.span(line["message"].to(str)),
                        class_name="o-log-line",
                        data_level=line["level"].to(str),
                    ),
                ),
                class_name="o-form-section",
            ),
        ),
        class_name="o-form",
    )
