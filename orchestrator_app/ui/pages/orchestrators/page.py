"""The list of orchestrators: the first page that people see."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.badges import status_badge
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.dialogs import confirm_dialog, dialog
from orchestrator_app.ui.components.feedback import empty_state, error_callout, skeleton_rows
from orchestrator_app.ui.components.filters import search_box
from orchestrator_app.ui.components.panels import form_field, toolbar
from orchestrator_app.ui.components.tables import Column, data_table, pager, row_link, table_row
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.orchestrators.state import OrchestratorsState
from orchestrator_app.ui.routes import canvas_path, run_path, runs_of_path
from orchestrator_app.ui.theme import ICON, ICON_SMALL

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = OrchestratorsState

_COLUMNS = (
    Column("Name"),
    Column("Nodes", is_number=True, wide_only=True, width="88px"),
    Column("Last run", width="clamp(112px, 20vw, 208px)"),
    Column("Changed", wide_only=True, width="144px"),
    Column("Actions", is_label_hidden=True, width="88px"),
)


def _last_run(row: Any) -> rx.Component:
    return rx.cond(
        row.last_run_state != "",
        rx.link(
            status_badge(row.last_run_state),
            time_ago(ms=row.last_run_date),
            href=run_path(row.last_run_id),
            underline="none",
            class_name="o-last-run",
        ),
        rx.el.span("Never run", class_name="o-muted"),
    )


def _menu(row: Any) -> rx.Component:
    def item(icon: str, text: str, **props) -> rx.Component:
        return rx.menu.item(rx.icon(icon, size=ICON_SMALL), text, **props)

    return rx.menu.root(
        rx.menu.trigger(
            rx.icon_button(
                rx.icon("ellipsis", size=ICON),
                variant="ghost",
                color_scheme="gray",
                aria_label="More for " + row.name,
            )
        ),
        rx.menu.content(
            item("pencil", "Edit", on_select=rx.redirect(canvas_path(row.id))),
            item("copy", "Duplicate", on_select=State.duplicate(row.id)),
            item("history", "Runs", on_select=rx.redirect(runs_of_path(row.id))),
            item(
                "download",
                "Export",
                on_select=rx.redirect(
                    "/api/v1/orchestrator/" + row.id + "/export?download=true", is_external=True
                ),
            ),
            rx.menu.separator(),
            item("trash-2", "Delete", color="red", on_select=State.ask_delete(row.id, row.name)),
        ),
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        _COLUMNS,
        row_link(row.name, canvas_path(row.id), row.description),
        row.node_count,
        _last_run(row),
        time_ago(ms=row.updated_date),
        rx.el.div(
            rx.icon_button(
                rx.icon("play", size=ICON),
                variant="ghost",
                aria_label="Run " + row.name,
                title="Run with the input of the last run",
                on_click=State.run(row.id),
            ),
            _menu(row),
            class_name="o-row-actions",
        ),
        key=row.id,
    )


def _empty() -> rx.Component:
    return rx.cond(
        State.query != "",
        empty_state(
            "search-x",
            "Nothing found",
            "No orchestrator has these words in its name or description.",
            rx.button("Show all", variant="surface", on_click=State.search("")),
        ),
        empty_state(
            "workflow",
            "No orchestrators yet",
            "An orchestrator joins workflows of several platforms into one process that you can watch.",
            rx.button(rx.icon("plus", size=ICON), "New orchestrator", on_click=State.ask_name(True)),
        ),
    )


def _new_dialog() -> rx.Component:
    return dialog(
        "New orchestrator",
        rx.el.form(
            form_field(
                "Name",
                rx.input(
                    id="new-name",
                    placeholder="Untitled orchestrator",
                    max_length=200,
                    auto_focus=True,
                    on_change=State.change_name,
                    width="100%",
                ),
                control_id="new-name",
                error=State.name_problem,
            ),
            id="new-form",
            on_submit=State.create,
        ),
        open=State.is_naming,
        on_open_change=State.ask_name,
        max_width="440px",
        actions=rx.button("Create", type="submit", form="new-form"),
    )


def _import_dialog() -> rx.Component:
    return dialog(
        "Import",
        form_field(
            "Definition",
            code_editor(
                value=State.import_text,
                language="json",
                label="Definition to import",
                min_height="240px",
                max_height="50vh",
                on_change=State.change_import,
            ),
            help="JSON of an export, or a definition with nodes and edges. Definitions of the Flowise orchestrator "
            "import unchanged.",
        ),
        rx.cond(
            State.import_problems.length() > 0,
            rx.el.ul(
                rx.foreach(State.import_problems, rx.el.li),
                class_name="o-problem-texts",
                role="alert",
            ),
        ),
        open=State.is_importing,
        on_open_change=State.ask_import,
        actions=rx.button(
            "Import", on_click=State.import_document, disabled=State.import_text == "", id="do-import"
        ),
    )


def _delete_dialog() -> rx.Component:
    return confirm_dialog(
        title="Delete this orchestrator?",
        description="“"
        + State.deleting_name
        + "” leaves the list for good. Runs under way go on to their end, and its history stays.",
        on_confirm=State.delete,
        open=State.is_deleting,
        on_open_change=State.show_delete,
    )


def orchestrators_page() -> rx.Component:
    """The page."""
    table = rx.fragment(
        rx.el.div(
            data_table(_COLUMNS, rx.foreach(State.rows, _row), label="Orchestrators"),
            class_name="o-orchestrators",
        ),
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
                placeholder="Search orchestrators",
                label="Search orchestrators",
                on_search=State.search,
            )
        ),
        rx.cond(State.load_error != "", error_callout("The list could not be read", State.load_error)),
        rx.cond(State.is_loaded, rx.cond(State.rows.length() > 0, table, _empty()), skeleton_rows(6)),
        _new_dialog(),
        _import_dialog(),
        _delete_dialog(),
    )
    return page_template(
        "Orchestrators",
        content,
        active="orchestrators",
        actions=rx.fragment(
            rx.button(
                rx.icon("upload", size=ICON),
                rx.el.span("Import", class_name="o-button-text"),
                variant="surface",
                color_scheme="gray",
                aria_label="Import",
                on_click=State.ask_import(True),
            ),
            rx.button(
                rx.icon("plus", size=ICON),
                rx.el.span("New orchestrator", class_name="o-button-text"),
                aria_label="New orchestrator",
                on_click=State.ask_name(True),
            ),
        ),
    )
