"""The completion of a node: which of its fields count, and what the platform says of each way for this workflow."""

from typing import Any

import reflex as rx

from orchestrator_app.domain.config_fields import ConfigField
from orchestrator_app.domain.node_kinds import LOCAL_FLOW, REMOTE_WEBHOOK, NodeKind
from orchestrator_app.ui.components.copy_button import copy_button
from orchestrator_app.ui.components.feedback import warning_callout
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.theme import ICON_SMALL

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = RemoteState

_OF_POLLING = frozenset({"pollingInterval", "pollingTimeout"})
_OF_STATUS_ADDRESS = frozenset({"statusUrl", "doneCondition", "failedCondition"})


def counts_when(kind: NodeKind, field: ConfigField) -> rx.Var[bool] | None:
    """When a field has a meaning; None for those that always have one. What was set or is wrong is always shown."""
    if kind.name not in {REMOTE_WEBHOOK.name, LOCAL_FLOW.name}:
        return None
    is_webhook = kind.name == REMOTE_WEBHOOK.name
    is_polled = State.values["completion"] == "poll"
    if is_webhook:
        is_polled |= State.values["enablePolling"] == "true"
    if field.key in _OF_POLLING:
        counts = is_polled
    elif field.key == "maxPollingAttempts":
        counts = is_polled & (State.values["pollingTimeout"] == "")
    elif field.key in _OF_STATUS_ADDRESS:
        counts = is_polled & (State.values["provider"] == "custom")
    elif field.key == "callbackTimeout":
        counts = State.values["completion"] == "callback"
    elif field.key == "enablePolling":
        counts = rx.Var.create(False)  # the older way: only where it was chosen
    else:
        return None
    has_own_value = State.values[field.key] != _default_text(field)
    return counts | has_own_value | State.field_problems.contains(field.key)


def _default_text(field: ConfigField) -> str:
    """What the control shows when nothing is set."""
    if isinstance(field.default, bool):
        return "true" if field.default else "false"
    return "" if field.default is None else str(field.default)


def completion_words() -> rx.Component:
    """What the platform says of each way for the workflow that is chosen; nothing while it is not known."""
    remote, chosen = State.remote, State.values["completion"]

    def way(row: Any) -> rx.Component:
        is_chosen = row.key == chosen
        return rx.el.li(
            rx.cond(
                row.works,
                rx.cond(
                    is_chosen,
                    rx.icon("circle-check", size=ICON_SMALL, aria_hidden="true"),
                    rx.icon("circle", size=ICON_SMALL, aria_hidden="true"),
                ),
                rx.icon("circle-x", size=ICON_SMALL, aria_hidden="true"),
            ),
            rx.el.div(
                rx.el.strong(row.title),
                rx.cond(is_chosen, rx.el.span(" chosen")),
                rx.cond(row.is_best, rx.el.span(" recommended", class_name="o-recommended")),
                rx.cond(row.works, rx.fragment(), rx.el.span(" does not work")),
                rx.el.p(row.reason),
            ),
            data_works=row.works,
            data_chosen=is_chosen,
            key=row.key,
        )

    def complaint(row: Any) -> rx.Component:
        return rx.cond(
            (row.key == chosen) & ~row.works,
            warning_callout("This workflow does not end like that", row.reason),
        )

    words = rx.fragment(
        rx.foreach(remote.completions, complaint),
        rx.el.ul(
            rx.foreach(remote.completions, way),
            class_name="o-ways",
            aria_label="What the platform says of each way",
        ),
        rx.cond(
            (chosen == "callback") & (remote.snippet != ""),
            rx.el.div(
                rx.el.p(remote.snippet_help, class_name="o-field-help"),
                rx.el.div(
                    rx.el.code(remote.snippet),
                    copy_button(text=remote.snippet, label="Copy the snippet"),
                    class_name="o-copy-line o-snippet",
                ),
                class_name="o-field",
            ),
        ),
    )
    return rx.cond((State.about == State.selected_id) & (remote.completions.length() > 0), words)
