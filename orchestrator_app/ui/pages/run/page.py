"""The page of one run."""

from typing import Any

import reflex as rx

from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.runs import RunState
from orchestrator_app.ui.canvas.flow_canvas import flow_canvas
from orchestrator_app.ui.canvas.shapes import kind_shapes
from orchestrator_app.ui.components.badges import status_badge
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.copy_button import copy_button
from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.feedback import empty_state, error_callout, skeleton_rows
from orchestrator_app.ui.components.inputs import choice
from orchestrator_app.ui.components.json_view import json_view
from orchestrator_app.ui.components.node_run import node_run_details
from orchestrator_app.ui.components.panels import canvas_area, docked_panel, facts, form_field, panel
from orchestrator_app.ui.components.tables import Column, data_table, table_row
from orchestrator_app.ui.components.times import duration, exact_time
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.run.rerun_state import RerunState
from orchestrator_app.ui.pages.run.state import RunPageState
from orchestrator_app.ui.routes import RUNS, canvas_path, run_path
from orchestrator_app.ui.theme import ICON

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = RunPageState
Again: Any = RerunState

_STEPS = (
    Column("Node"),
    Column("State", width="128px"),
    Column("Tries", is_number=True, wide_only=True, width="72px"),
    Column("Took", is_number=True, width="104px"),
)


def _is_open() -> Any:
    return State.ended_date == 0


def _facts() -> rx.Component:
    return facts(
        [
            ("State", status_badge(State.state, custom_attrs={"data-testid": "run-state"})),
            (
                "Took",
                duration(ms=State.ended_date - State.started_date, since=State.started_date, live=_is_open()),
            ),
            ("Started", exact_time(ms=State.created_date)),
            ("Started by", rx.match(State.trigger, ("ui", "Hand"), ("api", "API"), State.trigger)),
            ("Version", State.version),
            (
                "Run",
                rx.el.span(
                    rx.el.code(State.id, class_name="o-id"),
                    copy_button(text=State.id, label="Copy the run's id"),
                ),
            ),
            (
                "Rerun of",
                rx.cond(
                    State.parent_id != "",
                    rx.link(
                        rx.el.code(State.parent_id[-8:], class_name="o-id"), href=run_path(State.parent_id)
                    ),
                    rx.el.span("none", class_name="o-muted"),
                ),
            ),
        ]
    )


def _step(row: Any) -> rx.Component:
    name = rx.el.div(
        rx.el.button(row.label, type="button", class_name="o-row-link", on_click=State.select(row.id)),
        rx.el.div(
            rx.match(row.kind, *[(kind.name, kind.title) for kind in NODE_KINDS.values()], row.kind),
            rx.cond(row.note != "", rx.el.span(" · " + row.note, class_name="o-error-text")),
            class_name="o-row-detail",
        ),
    )
    return table_row(
        _STEPS,
        name,
        status_badge(row.state),
        rx.cond(row.attempt > 0, row.attempt.to_string(), ""),
        duration(ms=row.duration_ms, since=row.started_date, live=row.is_open),
        key=row.id,
        data_selected=row.id == State.selected_id,
    )


def _log() -> rx.Component:
    return panel(
        "Log",
        rx.foreach(
            State.logs,
            lambda line: rx.el.div(
                exact_time(ms=line["at"].to(int)),
                rx.cond(line["node"].to(str) != "", rx.el.strong(line["node"].to(str))),
                rx.el.span(line["message"].to(str)),
                class_name="o-log-line",
                data_level=line["level"].to(str),
            ),
        ),
    )


def _content() -> rx.Component:
    graph = rx.el.div(
        flow_canvas(
            graph=State.graph,
            statuses=State.statuses,
            edge_states=State.edge_states,
            kinds=[dict(kind) for kind in kind_shapes()],
            selected_id=State.selected_id,
            read_only=True,
            color_mode=rx.color_mode,
            show_minimap=False,
            on_select=State.select,
        ),
        class_name="o-run-graph",
    )
    left = rx.el.div(
        rx.cond(
            State.failure["message"].to(str) != "",
            error_callout("The run failed", State.failure["message"].to(str), State.failure["hint"].to(str)),
        ),
        _facts(),
        graph,
        rx.el.section(
            rx.el.h2("Nodes", class_name="o-part-title"),
            data_table(_STEPS, rx.foreach(State.nodes, _step), label="Nodes of the run"),
        ),
        rx.el.div(
            panel("Input", json_view(text=State.input_text, label="Input of the run")),
            panel(
                "Output",
                json_view(text=State.output_text, label="Output of the run", empty_text="No output yet"),
            ),
            class_name="o-two",
        ),
        _log(),
        class_name="o-content o-run-content",
    )
    details = rx.cond(
        State.selected_id != "",
        docked_panel(
            State.selected_label,
            node_run_details(State),
            on_close=State.select(""),
            label="Node of the run",
            subtitle=status_badge(State.node_state),
            wide=True,
        ),
    )
    return canvas_area(left, details)


def _button(icon: str, text: str, **props: Any) -> rx.Component:
    return rx.button(
        rx.icon(icon, size=ICON), rx.el.span(text, class_name="o-button-text"), aria_label=text, **props
    )


def _retry_menu() -> rx.Component:
    """Goes on from the failed nodes; what has a result keeps it."""
    return rx.menu.root(
        rx.menu.trigger(_button("redo-2", "Retry from failed", variant="surface")),
        rx.menu.content(
            rx.menu.item("Go on in this run", on_click=State.retry("same")),
            rx.menu.item("New run on the newest version", on_click=State.retry("newest")),
        ),
    )


def _rerun_dialog() -> rx.Component:
    return dialog(
        "Run again",
        form_field(
            "Input",
            code_editor(
                value=Again.rerun_input,
                language="json",
                label="Input of the new run",
                min_height="160px",
                max_height="50vh",
                invalid=Again.rerun_problem != "",
                on_change=Again.change_rerun_input,
                on_submit=Again.rerun,
            ),
            error=Again.rerun_problem,
        ),
        form_field(
            "Version",
            choice(
                [("newest", "The newest version"), ("same", "The version of this run")],
                id="rerun-version",
                value=Again.rerun_definition,
                on_change=Again.choose_definition,
            ),
            control_id="rerun-version",
        ),
        open=Again.is_asking,
        on_open_change=Again.show_rerun_dialog,
        actions=rx.button(
            rx.icon("play", size=ICON),
            "Run",
            on_click=Again.rerun,
            disabled=Again.rerun_problem != "",
            id="start-rerun",
        ),
    )


def run_page() -> rx.Component:
    """The page."""
    missing = rx.el.div(
        empty_state(
            "search-x",
            "There is no such run",
            "The address may be mistyped.",
            rx.link(rx.button("Go to the history"), href=RUNS),
        ),
        class_name="o-content",
    )
    loading = rx.el.div(skeleton_rows(8), class_name="o-content")
    return page_template(
        State.orchestrator_name,
        rx.cond(State.is_loaded, rx.cond(State.is_missing, missing, _content()), loading),
        active="runs",
        back=(RUNS, "Back to the history"),
        actions=rx.fragment(
            rx.link(
                _button("pencil", "Open in editor", variant="surface", color_scheme="gray"),
                href=canvas_path(State.orchestrator_id),
            ),
            rx.cond(
                _is_open(),
                _button("ban", "Cancel run", color_scheme="red", variant="surface", on_click=State.cancel),
                rx.fragment(
                    rx.cond(State.state == RunState.FAILED.value, _retry_menu()),
                    _button("rotate-cw", "Run again", on_click=Again.ask_how_to_rerun),
                    _rerun_dialog(),
                ),
            ),
        ),
        flush=True,
    )
