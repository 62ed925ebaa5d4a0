"""What the state of a page knows of one node in a run."""

import json
import re
from typing import Any

import reflex as rx

from orchestrator_app.services.views import NodeRunView, RunDetail
from orchestrator_app.ui.components.callback_texts import NOTHING, callback_texts
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
