"""The editor page: canvas, drawer, the bar of the run that is shown, and the dialog that starts one."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.canvas.flow_canvas import flow_canvas
from orchestrator_app.ui.components.badges import status_badge
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.feedback import empty_state, skeleton_block, warning_callout
from orchestrator_app.ui.components.notice import notice
from orchestrator_app.ui.components.panels import canvas_area, form_field
from orchestrator_app.ui.components.times import duration
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.canvas.change_dialog import change_dialog
from orchestrator_app.ui.pages.canvas.drawer import side_panel
from orchestrator_app.ui.pages.canvas.limits_dialog import limits_dialog
from orchestrator_app.ui.pages.canvas.limits_state import LimitsState
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.pages.canvas.workflow_state import WorkflowNodesState
from orchestrator_app.ui.routes import ORCHESTRATORS, run_path, runs_of_path
from orchestrator_app.ui.theme import ICON, ICON_SMALL
from orchestrator_app.ui.workflows.state import BrowserState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = EditorState
Live: Any = LiveState
Nodes: Any = WorkflowNodesState
Limits: Any = LimitsState
Remote: Any = RemoteState
Browser: Any = BrowserState


def _heading() -> rx.Component:
    return rx.el.div(
        rx.el.h1(State.name, class_name="o-hidden"),
        rx.input(
            key=State.version.to_string() + State.name,
            default_value=State.name,
            aria_label="Name of the orchestrator",
            max_length=200,
            on_blur=State.rename_orchestrator,
            class_name="o-name-input",
            variant="soft",
        ),
        rx.el.span(
            rx.cond(State.has_changes, "Unsaved changes", "Version " + State.version.to_string()),
            class_name="o-version",
            data_dirty=State.has_changes,
            custom_attrs={"data-testid": "version"},
            aria_live="polite",
        ),
        class_name="o-editor-heading",
    )


def _button(icon: str, text: str, event, **props) -> rx.Component:
    return rx.button(
        rx.icon(icon, size=ICON),
        rx.el.span(text, class_name="o-button-text"),
        on_click=event,
        aria_label=text,
        **props,
    )


def _problems() -> rx.Component:
    def line(problem: Any) -> rx.Component:
        return rx.el.button(
            rx.icon("circle-alert", size=ICON_SMALL, aria_hidden="true"),
            rx.el.span(
                rx.cond(problem["label"] != "", rx.el.strong(problem["label"] + ": ")),
                problem["message"],
            ),
            type="button",
            class_name="o-problem",
            data_blocks=problem["blocks"],
            on_click=State.select(problem["nodeId"]),
        )

    return rx.popover.root(
        rx.popover.trigger(
            rx.button(
                rx.icon("circle-alert", size=ICON),
                rx.el.span(State.problem_list.length(), class_name="o-number"),
                variant="surface",
                color_scheme=rx.cond(State.blocking > 0, "red", "amber"),
                aria_label="Problems",
                custom_attrs={"data-testid": "problems"},
            )
        ),
        rx.popover.content(
            rx.el.h2(
                rx.cond(State.blocking > 0, "To mend before a run", "Worth a look"),
                class_name="o-popover-title",
            ),
            rx.foreach(State.problem_list, line),
            class_name="o-problems",
            max_width="420px",
        ),
    )


def _actions() -> rx.Component:
    return rx.fragment(
        rx.cond(State.problem_list.length() > 0, _problems()),
        _button(
            "save",
            "Save",
            State.save,
            variant="surface",
            color_scheme="gray",
            disabled=~State.has_changes,
            loading=State.is_saving,
            id="save",
        ),
        _button(
            "play",
            "Run",
            Live.ask_for_input,
            disabled=(State.blocking > 0) | ~State.is_loaded,
            title=rx.cond(State.blocking > 0, "Mend the problems first", "Run (Ctrl+Enter)"),
            id="run",
        ),
    )


def _run_bar() -> rx.Component:
    is_open = (Live.run_state == "RUNNING") | (Live.run_state == "WAITING") | (Live.run_state == "PENDING")
    return rx.cond(
        Live.run_id != "",
        rx.el.div(
            status_badge(Live.run_state, custom_attrs={"data-testid": "run-state"}),
            duration(
                ms=rx.cond(Live.run_ended > 0, Live.run_ended - Live.run_started, 0),
                since=Live.run_started,
                live=is_open,
            ),
            rx.el.span(Live.run_failure, class_name="o-run-bar-text", title=Live.run_failure),
            rx.link("Details", href=run_path(Live.run_id), size="2"),
            rx.cond(
                is_open,
                rx.button(
                    "Cancel run", size="1", variant="surface", color_scheme="red", on_click=Live.cancel_run
                ),
                rx.icon_button(
                    rx.icon("x", size=ICON_SMALL),
                    size="1",
                    variant="ghost",
                    color_scheme="gray",
                    aria_label="Take the run off the canvas",
                    title="Take the run off the canvas",
                    on_click=Live.dismiss_run,
                ),
            ),
            class_name="o-run-bar",
            role="status",
        ),
    )


def _newer() -> rx.Component:
    return rx.cond(
        State.is_deleted,
        rx.el.div(
            warning_callout(
                "This orchestrator was deleted", "Export is not possible any more; its runs are kept."
            ),
            class_name="o-canvas-notice",
        ),
        rx.cond(
            (State.newer_version > 0) & ~State.is_outdated,
            rx.el.div(
                warning_callout(
                    "Version " + State.newer_version.to_string() + " was saved somewhere else",
                    rx.cond(
                        State.has_changes,
                        "You have changes of your own. Load the new version, or go on; nothing is overwritten.",
                        "Load it to go on from there.",
                    ),
                    rx.button("Load it", size="1", on_click=State.reload, id="load-newer"),
                ),
                class_name="o-canvas-notice",
            ),
        ),
    )


def _outdated_dialog() -> rx.Component:
    return dialog(
        "Somebody else saved in the meantime",
        rx.el.p(
            "Version "
            + State.newer_version.to_string()
            + " was saved while you worked on version "
            + State.version.to_string()
            + ". Nothing was overwritten. If you load theirs, an undo brings your changes back."
        ),
        open=State.is_outdated,
        on_open_change=State.dismiss_outdated,
        actions=rx.fragment(
            rx.button(
                "Decide later", variant="surface", color_scheme="gray", on_click=State.dismiss_outdated
            ),
            rx.button(
                "Save mine as the newest", variant="surface", color_scheme="red", on_click=State.save_over
            ),
            rx.button("Load theirs", on_click=State.reload),
        ),
    )


def _run_dialog() -> rx.Component:
    return dialog(
        "Run",
        form_field(
            "Input",
            code_editor(
                value=Live.run_input,
                language="json",
                label="Input of the run",
                min_height="200px",
                max_height="50vh",
                invalid=Live.input_problem != "",
                on_change=Live.change_input,
                on_submit=Live.start_run,
            ),
            help="JSON that the first nodes get as their data. The last input is remembered.",
            error=Live.input_problem,
        ),
        open=Live.is_asking,
        on_open_change=Live.show_dialog,
        actions=rx.fragment(
            rx.cond(
                State.has_changes, rx.el.span("Your changes are saved first.", class_name="o-field-help")
            ),
            rx.button(
                rx.icon("play", size=ICON),
                "Run",
                on_click=Live.start_run,
                loading=Live.is_starting,
                disabled=Live.input_problem != "",
                id="start-run",
            ),
        ),
    )


def _canvas() -> rx.Component:
    return flow_canvas(
        graph=State.graph_push,
        patches=State.patches,
        statuses=Live.statuses,
        edge_states=Live.edge_states,
        problems=State.problems,
        marks=Remote.marks,
        kinds=State.kinds,
        selected_id=State.selected_id,
        read_only=False,
        color_mode=rx.color_mode,
        show_minimap=True,
        can_undo=State.can_undo,
        can_redo=State.can_redo,
        on_ops=State.apply_ops,
        on_browse=Browser.open_panel,
        on_drop_workflow=Nodes.drop_workflow,
        on_select=[Live.select_in_run, Browser.give_way],
        on_open=[Live.select_in_run, Browser.give_way],
        on_copy=State.copy_nodes,
        on_undo=State.undo,
        on_redo=State.redo,
        on_save=State.save,
        on_run=Live.ask_for_input,
    )


def _missing() -> rx.Component:
    return rx.el.div(
        empty_state(
            "search-x",
            "There is no such orchestrator",
            "It may have been deleted, or the address is mistyped.",
            rx.link(rx.button("Back to the list"), href=ORCHESTRATORS),
        ),
        class_name="o-content",
    )


def _follow() -> rx.Component:
    """Has the server look at the workflows that nodes call whenever they, or the node that is open, are others."""
    return notice(value=State.calls + "/" + State.selected_id, on_notice=Remote.follow)


def canvas_page() -> rx.Component:
    """The page."""
    body = rx.cond(
        State.is_missing,
        _missing(),
        rx.cond(
            State.is_loaded,
            canvas_area(rx.fragment(_canvas(), _run_bar(), _newer()), side_panel()),
            skeleton_block("100%", label="Loading the orchestrator"),
        ),
    )
    return page_template(
        State.name,
        rx.fragment(body, _run_dialog(), _outdated_dialog(), change_dialog(), limits_dialog(), _follow()),
        active="orchestrators",
        heading=_heading(),
        back=(ORCHESTRATORS, "Back to the list of orchestrators"),
        actions=rx.fragment(
            rx.link(
                rx.icon("history", size=ICON, aria_hidden="true"),
                href=runs_of_path(State.orchestrator_id),
                aria_label="Runs of this orchestrator",
                title="Runs of this orchestrator",
                class_name="o-icon-link",
            ),
            rx.icon_button(
                rx.icon("settings", size=ICON),
                variant="ghost",
                color_scheme="gray",
                aria_label="Settings of this orchestrator",
                title="Settings of this orchestrator",
                disabled=~State.is_loaded | State.is_missing | State.is_deleted,
                on_click=Limits.open_limits,
                id="limits",
            ),
            _actions(),
        ),
        rail=True,
        flush=True,
    )
