"""The browser of workflows: a tab for each platform, filters, the list, and the preview. It fills its parent."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.feedback import empty_state, error_callout, skeleton_rows, warning_callout
from orchestrator_app.ui.components.filters import filter_chips, search_box
from orchestrator_app.ui.components.inputs import choice
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.components.workflow_list import workflow_list
from orchestrator_app.ui.routes import connect_path
from orchestrator_app.ui.theme import ICON, ICON_SMALL
from orchestrator_app.ui.workflows.preview import Add, workflow_preview
from orchestrator_app.ui.workflows.state import BrowserState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = BrowserState

_ACTIVITIES = (("", "All"), ("active", "Active"), ("inactive", "Inactive"))
_ORDERS = (
    ("name", "Name, A to Z"),
    ("-name", "Name, Z to A"),
    ("-updated", "Changed last"),
    ("updated", "Changed first"),
)


def _tab(item: Any) -> rx.Component:
    return rx.el.button(
        rx.el.span(class_name="o-dot", data_color=item.color, aria_hidden="true"),
        rx.el.span(item.title),
        rx.cond(item.count > 0, rx.el.span(item.count, class_name="o-chip-count")),
        rx.el.span(", " + item.hint, class_name="o-hidden"),
        type="button",
        role="tab",
        class_name="o-tab",
        title=item.hint,
        custom_attrs={"aria-selected": rx.cond(State.provider == item.key, "true", "false")},
        on_click=State.choose_platform(item.key),
        key=item.key,
    )


def _tabs() -> rx.Component:
    return rx.el.div(
        rx.foreach(State.platforms, _tab),
        class_name="o-tabs o-platform-tabs",
        role="tablist",
        aria_label="Platforms",
    )


def _select(field: str, label: str, every: str, options: Any, value: Any) -> rx.Component:
    """A filter that exists only where something can be chosen."""
    return rx.cond(
        options.length() > 0,
        choice(
            rx.fragment(
                rx.el.option(every, value=""),
                rx.foreach(options, lambda text: rx.el.option(text, value=text)),
            ),
            value=value,
            on_change=lambda text: State.narrow(field, text),
            aria_label=label,
        ),
    )


def _filters() -> rx.Component:
    return rx.el.div(
        search_box(
            value=State.search_text,
            placeholder="Search workflows",
            label="Search workflows",
            debounce_ms=150,
            on_search=State.search,
        ),
        filter_chips(
            _ACTIVITIES, State.activity, lambda value: State.narrow("activity", value), label="State"
        ),
        _select("tag", "Tag", "Any tag", State.tags, State.tag),
        _select("folder", "Folder", "Any folder", State.folders, State.folder),
        _select("team", "Team", "Any team", State.teams, State.team),
        rx.cond(
            State.connections.length() > 1,
            choice(
                rx.fragment(
                    rx.el.option("Any connection", value=""),
                    rx.foreach(State.connections, lambda item: rx.el.option(item.name, value=item.id)),
                ),
                value=State.connection_id,
                on_change=lambda text: State.narrow("connection_id", text),
                aria_label="Connection",
            ),
        ),
        class_name="o-browser-filters",
    )


def _age() -> rx.Component:
    return rx.el.div(
        rx.el.span(
            State.total.to_string(),
            rx.cond(State.total == 1, " workflow", " workflows"),
            custom_attrs={"data-testid": "workflow-total"},
        ),
        rx.cond(
            State.is_syncing,
            rx.el.span(
                rx.icon("loader-circle", size=ICON_SMALL, class_name="o-spin", aria_hidden="true"),
                "Reading the list, " + State.synced_count.to_string() + " so far",
                class_name="o-browser-sync",
                role="status",
            ),
            rx.cond(State.synced_date > 0, rx.el.span("read ", time_ago(ms=State.synced_date))),
        ),
        rx.icon_button(
            rx.icon("refresh-cw", size=ICON_SMALL),
            type="button",
            size="1",
            variant="ghost",
            color_scheme="gray",
            aria_label="Read the list anew",
            title="Read the list anew",
            disabled=State.is_syncing,
            on_click=State.refresh,
            id="refresh-workflows",
        ),
        rx.el.span(class_name="o-spacer"),
        choice(
            _ORDERS, value=State.sort, on_change=lambda text: State.narrow("sort", text), aria_label="Order"
        ),
        class_name="o-browser-age",
    )


def _failure(item: Any) -> rx.Component:
    return warning_callout(
        rx.cond(
            item.connection != "", "“" + item.connection + "” could not be read", "The list could not be read"
        ),
        item.message,
        rx.cond(
            item.synced_date > 0,
            rx.el.span("The list below is as it was read ", time_ago(ms=item.synced_date), "."),
            rx.el.span("It was never read, so nothing of it can be shown."),
        ),
    )


def _empty() -> rx.Component:
    is_narrowed = (
        (State.search_text != "")
        | (State.activity != "")
        | (State.tag != "")
        | (State.folder != "")
        | (State.team != "")
        | (State.connection_id != "")
    )
    return rx.cond(
        is_narrowed,
        empty_state(
            "search-x",
            "Nothing found",
            "No workflow matches these filters.",
            rx.button("Clear the filters", variant="surface", on_click=State.clear_filters),
        ),
        rx.cond(
            State.is_syncing,
            skeleton_rows(8, height="56px", label="Reading the list"),
            rx.cond(
                State.failures.length() > 0,
                rx.fragment(),
                empty_state(
                    "library",
                    "No workflows there",
                    "The platform has none that this connection may see.",
                    rx.button("Look again", variant="surface", on_click=State.refresh),
                ),
            ),
        ),
    )


def _list(*, can_drag: bool) -> rx.Component:
    return rx.fragment(
        _filters(),
        _age(),
        rx.cond(State.load_error != "", error_callout("The list could not be read", State.load_error)),
        rx.foreach(State.failures, _failure),
        rx.cond(
            State.is_loaded,
            rx.cond(
                State.total > 0,
                workflow_list(
                    stretch=State.stretch,
                    provider=State.provider,
                    selected=State.selected,
                    shows_connection=State.connections.length() > 1,
                    can_drag=can_drag,
                    label="Workflows",
                    on_bring=State.bring,
                    on_open=State.open_workflow,
                ),
                _empty(),
            ),
            skeleton_rows(8, height="56px"),
        ),
    )


def workflow_browser(
    add: Add, *, label: Any, is_adding: Any, can_drag: bool = False, docked: bool = False
) -> rx.Component:
    """The browser.

    Args:
        add: Called with platform, connection, workflow and its name when the page is built; returns the event.
        label: What the button that adds says.
        is_adding: Whether something is being added.
        can_drag: Whether rows may be dragged to a canvas.
        docked: Whether it stands beside a canvas, which keeps its own keys.
    """
    unconnected = empty_state(
        "plug",
        "Not connected yet",
        "Connect the platform, and its workflows appear here.",
        rx.link(
            rx.button(rx.icon("plug", size=ICON), "Connect " + State.provider_title),
            href=connect_path(State.provider),
        ),
    )
    without_list = empty_state("list-x", "No list", State.why_no_list)
    return rx.el.div(
        _tabs(),
        rx.el.div(
            rx.el.div(
                rx.cond(
                    State.is_unconnected,
                    unconnected,
                    rx.cond(State.why_no_list != "", without_list, _list(can_drag=can_drag)),
                ),
                class_name="o-browser-list",
            ),
            rx.cond(
                ~State.is_unconnected & (State.why_no_list == ""),
                workflow_preview(add, label=label, is_adding=is_adding),
            ),
            class_name="o-browser-body",
            data_previewing=State.selected != "",
        ),
        class_name="o-browser",
        data_docked="true" if docked else "false",
    )
