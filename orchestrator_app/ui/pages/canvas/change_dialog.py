"""What changed in the workflow that a node calls: in sentences, and as it was beside as it is."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.feedback import error_callout, skeleton_block
from orchestrator_app.ui.components.workflow_graph import workflow_graph
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = RemoteState


def _graph(title: str, graph: Any, unknown: str, *, is_known: Any) -> rx.Component:
    return rx.el.section(
        rx.el.h3(title, class_name="o-section-title"),
        rx.el.div(
            rx.cond(
                is_known,
                workflow_graph(graph=graph, color_mode=rx.color_mode, label=title),
                rx.el.p(unknown, class_name="o-preview-hint"),
            ),
            class_name="o-preview-graph",
        ),
        class_name="o-preview-part",
    )


def _content() -> rx.Component:
    change = State.change
    return rx.fragment(
        rx.el.ul(
            rx.foreach(change.sentences, rx.el.li),
            class_name="o-changes",
            custom_attrs={"data-testid": "changes"},
        ),
        rx.el.div(
            _graph(
                "As it was",
                change.was,
                "What it looked like then is not known any more.",
                is_known=change.has_was,
            ),
            _graph("As it is", change.now, "It is not there any more.", is_known=change.has_now),
            class_name="o-compared",
        ),
    )


def _loading() -> rx.Component:
    return rx.fragment(
        skeleton_block("48px", label="Comparing"),
        rx.el.div(skeleton_block("306px"), skeleton_block("306px"), class_name="o-compared"),
    )


def change_dialog() -> rx.Component:
    """The dialog."""
    return dialog(
        "What changed",
        rx.cond(
            State.is_reading_change,
            _loading(),
            rx.cond(
                State.change_error != "",
                error_callout("The workflow could not be compared", State.change_error),
                _content(),
            ),
        ),
        open=State.is_comparing,
        on_open_change=State.show_change,
        actions=rx.fragment(
            rx.button("Close", variant="surface", color_scheme="gray", on_click=State.show_change(False)),
            rx.cond(
                State.change.can_be_taken_over,
                rx.button("I have seen it", on_click=State.take_over_change, id="seen-change"),
            ),
        ),
        max_width="min(1120px, 94vw)",
    )
