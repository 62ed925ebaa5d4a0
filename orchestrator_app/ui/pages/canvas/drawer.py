"""The docked drawer: a node's settings, and what happened to it in the run that is shown."""

from itertools import groupby
from typing import Any

import reflex as rx

from orchestrator_app.domain.node_kinds import NODE_KINDS, NodeKind
from orchestrator_app.ui.components.badges import status_badge
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.feedback import error_callout, info_callout, skeleton_rows
from orchestrator_app.ui.components.filters import search_box
from orchestrator_app.ui.components.node_run import node_run_details
from orchestrator_app.ui.components.panels import docked_panel, form_field
from orchestrator_app.ui.pages.canvas.fields import CHANGE_PAUSE_MS, field_control
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = SettingsState
Live: Any = LiveState


def _kind_form(kind: NodeKind) -> rx.Component:
    sections: list[rx.Component] = []
    for name, fields in groupby(kind.fields, key=lambda field: field.section):
        controls = [field_control(kind, field) for field in fields]
        heading = [] if name == "Main" else [rx.el.h3(name, class_name="o-section-title")]
        sections.append(rx.el.div(*heading, *controls, class_name="o-form-section"))
    if not kind.fields:
        sections.append(info_callout("Nothing to set", kind.summary))
    return rx.el.div(*sections, class_name="o-form")


def _settings() -> rx.Component:
    key = State.selected_id + "/" + State.form_revision.to_string()
    return rx.el.div(
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


def workflow_chooser() -> rx.Component:
    """The list from which a workflow of the platform is taken."""

    def row(item: Any) -> rx.Component:
        return rx.el.button(
            rx.el.span(item["name"], class_name="o-pick-name"),
            rx.cond(item["isActive"] == "", rx.el.span("inactive", class_name="o-pick-note")),
            rx.el.span(item["id"], class_name="o-pick-id"),
            type="button",
            class_name="o-pick",
            on_click=State.take_workflow(item["id"]),
        )

    return dialog(
        "Choose a workflow",
        search_box(
            value=State.workflow_query,
            placeholder="Search workflows",
            label="Search workflows",
            on_search=State.search_workflows,
        ),
        rx.cond(
            State.workflow_error != "",
            error_callout("The list could not be read", State.workflow_error),
            rx.cond(
                State.is_listing,
                skeleton_rows(5),
                rx.cond(
                    State.workflows.length() > 0,
                    rx.el.div(rx.foreach(State.workflows, row), class_name="o-picks"),
                    rx.el.p("Nothing found.", class_name="o-field-help"),
                ),
            ),
        ),
        open=State.is_choosing,
        on_open_change=State.close_chooser,
    )
