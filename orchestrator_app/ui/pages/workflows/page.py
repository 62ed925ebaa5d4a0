"""The page of the workflows on all platforms."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.filters import search_box
from orchestrator_app.ui.components.panels import form_field
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.workflows.state import PlacingState
from orchestrator_app.ui.theme import ICON
from orchestrator_app.ui.workflows.browser import workflow_browser

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = PlacingState


def _offered(item: Any) -> rx.Component:
    return rx.el.button(
        rx.el.span(item.name, class_name="o-pick-name"),
        rx.el.span(
            item.node_count.to_string(),
            rx.cond(item.node_count == 1, " node", " nodes"),
            class_name="o-muted",
        ),
        time_ago(ms=item.updated_date),
        type="button",
        class_name="o-pick",
        on_click=State.choose(item.id),
        key=item.id,
    )


def _dialog() -> rx.Component:
    return dialog(
        "Add “" + State.workflow_name + "”",
        rx.el.form(
            form_field(
                "To a new orchestrator",
                rx.el.div(
                    rx.input(
                        id="new-orchestrator",
                        key=State.workflow_name,
                        default_value=State.new_name,
                        max_length=200,
                        on_change=State.change_name,
                        width="100%",
                    ),
                    rx.button(rx.icon("plus", size=ICON), "Create", type="submit"),
                    class_name="o-joined",
                ),
                control_id="new-orchestrator",
                error=State.name_problem,
            ),
            on_submit=lambda _data: State.create(),
        ),
        rx.el.div(
            rx.el.div("Or to one that exists", class_name="o-label"),
            search_box(
                value=State.query,
                placeholder="Search orchestrators",
                label="Search orchestrators",
                on_search=State.search,
            ),
            rx.cond(
                State.offered.length() > 0,
                rx.el.div(rx.foreach(State.offered, _offered), class_name="o-picks"),
                rx.el.p("There is none of that name.", class_name="o-field-help"),
            ),
            class_name="o-field",
        ),
        open=State.is_asking,
        on_open_change=State.show_dialog,
        description="The editor opens with the workflow as a node. It is saved when you save the orchestrator.",
    )


def workflows_page() -> rx.Component:
    """The page."""
    return page_template(
        "Workflows",
        rx.fragment(workflow_browser(State.ask_where, label="Add to canvas", is_adding=False), _dialog()),
        active="workflows",
        flush=True,
    )
