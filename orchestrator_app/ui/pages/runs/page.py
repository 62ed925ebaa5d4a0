"""The history of runs."""

from typing import Any

import reflex as rx

from orchestrator_app.domain.runs import RunState
from orchestrator_app.ui.components.badges import status_badge, tag
from orchestrator_app.ui.components.dialogs import confirm_dialog
from orchestrator_app.ui.components.feedback import empty_state, error_callout, skeleton_rows
from orchestrator_app.ui.components.filters import filter_chips, search_box
from orchestrator_app.ui.components.panels import toolbar
from orchestrator_app.ui.components.tables import Column, data_table, pager, row_link, table_row
from orchestrator_app.ui.components.times import duration, time_ago
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.runs.bulk_state import BulkState
from orchestrator_app.ui.pages.runs.state import RunsState
from orchestrator_app.ui.routes import ORCHESTRATORS, run_path
from orchestrator_app.ui.theme import ICON, ICON_SMALL, STATES

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = RunsState
Many: Any = BulkState

_COLUMNS = (
    Column("Orchestrator"),
    Column("State", width="128px"),
    Column("Started", width="128px"),
    Column("Took", is_number=True, wide_only=True, width="104px"),
    Column("By", wide_only=True, width="80px"),
    Column("Run", wide_only=True, width="120px"),
    Column("Actions", is_label_hidden=True, wide_only=True, width="64px"),
)
_TRIGGERS = (("ui", "Hand"), ("api", "API"))


def _row(row: Any) -> rx.Component:
    return table_row(
        _COLUMNS,
        row_link(row.orchestrator_name, run_path(row.id), rx.cond(row.waits != "", row.waits, row.failure)),
        status_badge(row.state),
        time_ago(ms=row.created_date),
        duration(ms=row.duration_ms, since=row.started_date, live=row.is_open),
        rx.match(row.trigger, *_TRIGGERS, row.trigger),
        rx.el.code(row.id[-8:], class_name="o-id", title=row.id),
        rx.cond(
            row.is_open,
            rx.icon_button(
                rx.icon("ban", size=ICON),
                variant="ghost",
                color_scheme="red",
                aria_label="Cancel this run",
                title="Cancel this run",
                on_click=State.cancel(row.id),
            ),
        ),
        key=row.id,
    )


def _empty() -> rx.Component:
    is_filtered = (State.query != "") | (State.state_filter != "") | (State.orchestrator_id != "")
    return rx.cond(
        is_filtered,
        empty_state(
            "search-x",
            "No such runs",
            "No run matches these filters.",
            rx.button("Show all runs", variant="surface", on_click=State.show_everything),
        ),
        empty_state(
            "history",
            "No runs yet",
            "Every run of every orchestrator appears here, whoever started it.",
            rx.link(rx.button(rx.icon("workflow", size=ICON), "Go to the orchestrators"), href=ORCHESTRATORS),
        ),
    )


def _for_all() -> rx.Component:
    """Does the same to all runs that the filter shows, after a question."""
    open_states = ("PENDING", "RUNNING", "WAITING")
    # Offered where there is something to cancel, and nowhere else.
    can_cancel = (State.state_filter == "") & (sum(State.counts[state] for state in open_states) > 0)
    for state in open_states:
        can_cancel |= (State.state_filter == state) & (State.counts[state] > 0)
    is_cancel = Many.bulk_action == "cancel"
    return rx.fragment(
        rx.cond(
            can_cancel,
            rx.button(
                rx.icon("ban", size=ICON),
                "Cancel all of these",
                variant="surface",
                color_scheme="red",
                loading=Many.is_working,
                on_click=Many.ask("cancel"),
            ),
        ),
        rx.cond(
            (State.state_filter == RunState.FAILED.value) & (State.counts[RunState.FAILED.value] > 0),
            rx.button(
                rx.icon("redo-2", size=ICON),
                "Retry all of these",
                variant="surface",
                loading=Many.is_working,
                on_click=Many.ask("retry"),
            ),
        ),
        confirm_dialog(
            title=rx.cond(is_cancel, "Cancel these runs?", "Retry these runs?"),
            description=rx.cond(
                is_cancel,
                f"Open runs that match the filter: {Many.bulk_count}. Calls under way are cut; whether they had an effect "
                "outside stays unknown.",
                f"Failed runs that match the filter: {Many.bulk_count}. Each goes on from its failed nodes; those with a "
                "call whose outcome is unknown are left as they are.",
            ),
            confirm_label=rx.cond(is_cancel, "Cancel the runs", "Retry the runs"),
            decline_label=rx.cond(is_cancel, "Let them run", "Cancel"),
            on_confirm=Many.carry_out,
            open=Many.is_asking,
            on_open_change=Many.show_dialog,
            is_dangerous=is_cancel,
        ),
    )


def runs_page() -> rx.Component:
    """The page."""
    options = [("", "All"), *((state.value, STATES[state.value].text) for state in RunState)]
    table = rx.fragment(
        data_table(_COLUMNS, rx.foreach(State.rows, _row), label="Runs"),
        pager(
            has_previous=State.has_previous,
            has_next=State.has_next,
            on_previous=State.previous_page,
            on_next=State.next_page,
        ),
    )
    content = rx.fragment(
        toolbar(
            search_box(
                value=State.query,
                placeholder="Orchestrator or run id",
                label="Search runs",
                on_search=State.search,
            ),
            filter_chips(
                options,
                State.state_filter,
                State.choose_state,
                label="State",
                counts={value: State.counts[value] for value, _ in options},
            ),
            rx.spacer(),
            _for_all(),
        ),
        rx.cond(
            State.orchestrator_id != "",
            rx.el.button(
                tag("Only: " + State.orchestrator_name, color="indigo"),
                rx.icon("x", size=ICON_SMALL, aria_hidden="true"),
                type="button",
                class_name="o-filter-line",
                aria_label="Show the runs of all orchestrators",
                on_click=State.show_all_orchestrators,
            ),
        ),
        rx.cond(
            State.queue_text != "",
            rx.el.p(
                rx.icon("hourglass", size=ICON_SMALL, aria_hidden="true"),
                State.queue_text,
                class_name="o-queue-line",
                role="status",
                custom_attrs={"data-testid": "queue"},
            ),
        ),
        rx.cond(State.load_error != "", error_callout("The history could not be read", State.load_error)),
        rx.cond(State.is_loaded, rx.cond(State.rows.length() > 0, table, _empty()), skeleton_rows(8)),
    )
    return page_template("Runs", content, active="runs")
