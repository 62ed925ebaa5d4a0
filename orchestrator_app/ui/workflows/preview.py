"""The panel beside the list: one workflow as a graph, how it is started, how its end is learned, what it asks for."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from orchestrator_app.ui.components.badges import tag
from orchestrator_app.ui.components.copy_button import copy_button
from orchestrator_app.ui.components.dialogs import dialog
from orchestrator_app.ui.components.feedback import error_callout, skeleton_block, warning_callout
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.components.workflow_graph import workflow_graph
from orchestrator_app.ui.theme import ICON, ICON_SMALL
from orchestrator_app.ui.workflows.state import BrowserState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = BrowserState

# Called with platform, connection, workflow and its name when the page is built; returns the event.
Add = Callable[[Any, Any, Any, Any], Any]


def _part(title: str, *content: rx.Component) -> rx.Component:
    return rx.el.section(rx.el.h3(title, class_name="o-section-title"), *content, class_name="o-preview-part")


def _head() -> rx.Component:
    preview = State.preview
    return rx.el.div(
        rx.icon_button(
            rx.icon("chevron-left", size=ICON),
            variant="ghost",
            color_scheme="gray",
            type="button",
            aria_label="Back to the list",
            title="Back to the list",
            class_name="o-preview-back",
            on_click=State.close_preview,
        ),
        rx.el.div(
            rx.el.h2(
                rx.cond(preview.name != "", preview.name, rx.cond(State.is_looking, "Loading…", "Workflow"))
            ),
            rx.el.div(
                rx.cond(preview.kind != "", rx.el.span(preview.kind)),
                rx.cond(preview.place != "", rx.el.span(preview.place)),
                rx.cond(preview.updated_date > 0, rx.el.span("changed ", time_ago(ms=preview.updated_date))),
                class_name="o-preview-facts",
            ),
            class_name="o-docked-titles",
        ),
        rx.cond(
            preview.name != "",
            rx.cond(
                preview.is_active,
                tag("Active", color="green", icon="circle-check"),
                tag("Inactive", icon="circle-pause"),
            ),
        ),
        class_name="o-preview-head",
    )


def _drawn() -> rx.Component:
    return workflow_graph(
        key=State.selected,
        graph=State.preview.graph,
        color_mode=rx.color_mode,
        label="Steps of " + State.preview.name,
    )


def _graph() -> rx.Component:
    preview = State.preview
    enlarge = rx.icon_button(
        rx.icon("expand", size=ICON_SMALL),
        type="button",
        size="1",
        variant="surface",
        color_scheme="gray",
        aria_label="Show the graph large",
        title="Show the graph large",
        class_name="o-preview-enlarge",
        on_click=State.enlarge(True),
    )
    return rx.el.div(
        rx.cond(
            preview.step_count > 0,
            rx.fragment(_drawn(), enlarge),
            rx.el.p(
                rx.cond(preview.is_opaque, "The platform does not show the steps.", "It has no steps yet."),
                class_name="o-preview-hint",
            ),
        ),
        class_name="o-preview-graph",
    )


def _large_graph() -> rx.Component:
    return dialog(
        State.preview.name,
        rx.el.div(_drawn(), class_name="o-preview-large"),
        open=State.is_enlarged,
        on_open_change=State.enlarge,
        max_width="min(1280px, 94vw)",
    )


def _completion(row: Any) -> rx.Component:
    return rx.el.li(
        rx.cond(
            row.is_best,
            rx.icon("star", size=ICON_SMALL, aria_hidden="true"),
            rx.cond(
                row.works,
                rx.icon("check", size=ICON_SMALL, aria_hidden="true"),
                rx.icon("x", size=ICON_SMALL, aria_hidden="true"),
            ),
        ),
        rx.el.div(
            rx.el.strong(row.title),
            rx.cond(
                row.is_best,
                rx.el.span(" best"),
                rx.cond(row.works, rx.fragment(), rx.el.span(" does not work")),
            ),
            rx.el.p(row.reason),
        ),
        data_works=row.works,
        data_best=row.is_best,
    )


def _form() -> rx.Component:
    def line(row: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(
                rx.el.span(row.label),
                rx.cond(row.required, rx.el.span(" required", class_name="o-required")),
                rx.cond(row.help != "", rx.el.div(row.help, class_name="o-row-detail")),
            ),
            rx.el.td(rx.el.code(row.path, class_name="o-id")),
            rx.el.td(
                row.type,
                rx.cond(row.default != "", rx.el.div("else ", row.default, class_name="o-row-detail")),
            ),
        )

    return rx.el.table(
        rx.el.thead(
            rx.el.tr(*[rx.el.th(name, scope="col") for name in ("Input", "Goes to", "Type")]),
        ),
        rx.el.tbody(rx.foreach(State.preview.form, line)),
        class_name="o-preview-form",
        aria_label="What the workflow asks for",
    )


def _body() -> rx.Component:
    preview = State.preview
    return rx.fragment(
        rx.cond(
            preview.failure != "",
            warning_callout(
                "The platform could not be asked",
                rx.Var.create("This is the workflow as it was read earlier. ") + preview.failure,
                rx.fragment(
                    rx.el.span("Read ", time_ago(ms=preview.fetched_date), class_name="o-muted"),
                    rx.button("Try again", size="1", variant="surface", on_click=State.look_again),
                ),
            ),
        ),
        rx.cond(preview.note != "", warning_callout("It cannot run now", preview.note)),
        _graph(),
        rx.cond(
            preview.tags.length() > 0,
            rx.el.div(
                rx.foreach(preview.tags, lambda text: rx.el.span(text, class_name="o-flow-tag")),
                class_name="o-preview-tags",
            ),
        ),
        rx.cond(
            preview.entry != "",
            _part(
                "How it starts",
                rx.el.p(preview.entry),
                rx.cond(
                    preview.address != "",
                    rx.el.div(rx.el.code(preview.address), class_name="o-copy-line"),
                ),
            ),
        ),
        rx.cond(
            preview.completions.length() > 0,
            _part(
                "How its end is learned",
                rx.el.ul(rx.foreach(preview.completions, _completion), class_name="o-completions"),
            ),
        ),
        rx.cond(preview.form.length() > 0, _part("What it asks for", _form())),
        rx.cond(
            preview.snippet != "",
            _part(
                "What to add on the platform",
                rx.el.p(preview.snippet_help),
                rx.el.div(
                    rx.el.code(preview.snippet),
                    copy_button(text=preview.snippet, label="Copy the snippet"),
                    class_name="o-copy-line o-snippet",
                ),
            ),
        ),
    )


def _foot(add: Add, label: Any, is_adding: Any) -> rx.Component:
    preview = State.preview
    return rx.el.div(
        rx.button(
            rx.icon("plus", size=ICON),
            label,
            type="button",
            loading=is_adding,
            on_click=add(preview.provider, preview.connection_id, preview.workflow_id, preview.name),
            id="add-workflow",
        ),
        rx.cond(
            preview.link != "",
            rx.el.a(
                rx.icon("external-link", size=ICON, aria_hidden="true"),
                rx.el.span("Open on " + State.provider_title),
                href=preview.link,
                target="_blank",
                rel="noopener noreferrer",
                class_name="o-button",
            ),
        ),
        rx.el.span("Read ", time_ago(ms=preview.fetched_date), class_name="o-preview-age"),
        class_name="o-docked-foot",
    )


def workflow_preview(add: Add, *, label: Any, is_adding: Any) -> rx.Component:
    """The panel. ``label`` is what the button says, and ``add`` what it does."""
    return rx.el.section(
        rx.cond(
            State.selected == "",
            rx.el.p(
                rx.icon("mouse-pointer-click", size=ICON, aria_hidden="true"),
                "Choose a workflow to look at its graph.",
                class_name="o-preview-hint",
            ),
            rx.fragment(
                _head(),
                rx.el.div(
                    rx.cond(
                        State.is_looking,
                        rx.fragment(
                            skeleton_block("280px", label="Loading the preview"),
                            skeleton_block("96px"),
                            skeleton_block("140px"),
                        ),
                        rx.cond(
                            State.preview_error != "",
                            error_callout(
                                "The workflow could not be read",
                                State.preview_error,
                                action=rx.button(
                                    "Try again", size="1", variant="surface", on_click=State.look_again
                                ),
                            ),
                            _body(),
                        ),
                    ),
                    class_name="o-docked-body",
                    tab_index=0,
                    role="group",
                    aria_label="Preview",
                ),
                rx.cond(~State.is_looking & (State.preview_error == ""), _foot(add, label, is_adding)),
                _large_graph(),
            ),
        ),
        class_name="o-preview",
        tab_index=-1,
        aria_label="Preview of a workflow",
    )
