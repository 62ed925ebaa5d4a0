"""The docked drawer: a node's settings, and what happened to it in the run that is shown."""

from itertools import groupby
from typing import Any

import reflex as rx

from orchestrator_app.domain.config_fields import ConfigField
from orchestrator_app.domain.node_kinds import NODE_KINDS, NodeKind
from orchestrator_app.ui.components.badges import status_badge
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.feedback import info_callout
from orchestrator_app.ui.components.node_run import node_run_details
from orchestrator_app.ui.components.panels import docked_panel, form_field
from orchestrator_app.ui.pages.canvas.completion_fields import completion_words, counts_when
from orchestrator_app.ui.pages.canvas.fields import CHANGE_PAUSE_MS, field_control
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.remote_panel import remote_panel
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.workflow_state import WorkflowNodesState
from orchestrator_app.ui.theme import ICON
from orchestrator_app.ui.workflows.browser import workflow_browser
from orchestrator_app.ui.workflows.state import BrowserState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = SettingsState
Live: Any = LiveState
Nodes: Any = WorkflowNodesState
Browser: Any = BrowserState

# Made and renewed by the program; nobody can type it.
_SET_BY_ITSELF = frozenset({"workflowHash"})


def _field(kind: NodeKind, field: ConfigField) -> rx.Component:
    """A field as far as it counts, and under the completion what the platform says of it."""
    control = field_control(kind, field)
    shown = control if (counts := counts_when(kind, field)) is None else rx.cond(counts, control)
    return rx.fragment(shown, completion_words()) if field.key == "completion" else shown


def _kind_form(kind: NodeKind) -> rx.Component:
    sections: list[rx.Component] = []
    for name, fields in groupby(kind.fields, key=lambda field: field.section):
        controls = [_field(kind, field) for field in fields if field.key not in _SET_BY_ITSELF]
        heading = [] if name == "Main" else [rx.el.h3(name, class_name="o-section-title")]
        sections.append(rx.el.div(*heading, *controls, class_name="o-form-section"))
    if not kind.fields:
        sections.append(info_callout("Nothing to set", kind.summary))
    return rx.el.div(*sections, class_name="o-form")


def _settings() -> rx.Component:
    key = State.selected_id + "/" + State.form_revision.to_string()
    return rx.el.div(
        remote_panel(),
        form_field(
            "Label",
            rx.input(
                id="node-label",
                key=key,
                default_value=State.selected_label,
                max_length=200,
                on_change=lambda text: State.change_label(text).debounce(CHANGE_PAUSE_MS),
                on_blur=State.change_label,
                width="100%",
            ),
            control_id="node-label",
            help="Expressions name the node by it.",
        ),
        rx.match(
            State.selected_kind,
            *[(kind.name, _kind_form(kind)) for kind in NODE_KINDS.values()],
            rx.fragment(),
        ),
        rx.el.div(
            rx.el.h3("More", class_name="o-section-title"),
            rx.el.label(
                rx.switch(checked=State.selected_disabled, on_change=State.switch_disabled, size="1"),
                rx.el.span("Switched off: it only hands on its input"),
                class_name="o-switch-line",
            ),
            form_field(
                "Notes",
                code_editor(
                    key=key + "/notes",
                    value=State.selected_notes,
                    language="text",
                    label="Notes",
                    min_height="64px",
                    on_change=State.change_notes,
                ),
            ),
            class_name="o-form-section",
        ),
        class_name="o-form",
    )


def _run_part() -> rx.Component:
    return rx.cond(
        Live.run_id == "",
        info_callout(
            "No run is shown", "Run the orchestrator to see here what goes in and out of this node."
        ),
        rx.cond(
            Live.node_state == "",
            info_callout("Not part of this run", "The node was added after the run began."),
            node_run_details(Live),
        ),
    )


def _tabs() -> rx.Component:
    def tab(name: str, *content: rx.Component | str) -> rx.Component:
        return rx.el.button(
            *content,
            type="button",
            role="tab",
            class_name="o-tab",
            custom_attrs={"aria-selected": rx.cond(Live.tab == name, "true", "false")},
            on_click=Live.show_tab(name),
        )

    return rx.el.div(
        tab("settings", "Settings"),
        tab("run", "Run", rx.cond(Live.node_state != "", status_badge(Live.node_state))),
        class_name="o-tabs",
        role="tablist",
        aria_label="What to show",
    )


def drawer() -> rx.Component:
    """The drawer of the selected node, or nothing."""
    return rx.cond(
        State.selected_id != "",
        docked_panel(
            State.selected_label,
            _tabs(),
            rx.cond(Live.tab == "run", _run_part(), _settings()),
            on_close=State.select(""),
            label="Node",
            subtitle=rx.match(
                State.selected_kind,
                *[(kind.name, kind.title) for kind in NODE_KINDS.values()],
                State.selected_kind,
            ),
            wide=True,
        ),
    )


def workflow_panel() -> rx.Component:
    """The browser of workflows in the place of the drawer."""

    def take(provider: Any, connection_id: Any, workflow_id: Any, _name: Any) -> Any:
        return Nodes.take_workflow(Browser.for_node, provider, connection_id, workflow_id)

    return rx.el.aside(
        rx.el.div(
            rx.el.div(
                rx.el.h2("Workflows"),
                rx.el.div(
                    rx.cond(
                        Browser.for_node != "",
                        "For the node “" + Browser.for_label + "”",
                        "Add one, or drag it to its place",
                    ),
                    class_name="o-docked-subtitle",
                ),
                class_name="o-docked-titles",
            ),
            rx.icon_button(
                rx.icon("x", size=ICON),
                variant="ghost",
                color_scheme="gray",
                type="button",
                aria_label="Close panel",
                on_click=Browser.close_panel,
            ),
            class_name="o-docked-head",
        ),
        workflow_browser(
            take,
            label=rx.cond(Browser.for_node != "", "Use this workflow", "Add to canvas"),
            is_adding=Nodes.is_adding,
            can_drag=True,
            docked=True,
        ),
        class_name="o-docked o-docked-browser",
        aria_label="Workflows",
    )


def side_panel() -> rx.Component:
    """What stands beside the canvas: the browser of workflows while it is open, else the drawer."""
    return rx.cond(Browser.is_open, workflow_panel(), drawer())
