"""What happened to one node in a run: for the drawer of the editor and for the page of a run."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.callback import callback_part
from orchestrator_app.ui.components.feedback import error_callout
from orchestrator_app.ui.components.json_view import json_view
from orchestrator_app.ui.components.node_intervention import decision_form, resume_form
from orchestrator_app.ui.components.times import duration, exact_time


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
