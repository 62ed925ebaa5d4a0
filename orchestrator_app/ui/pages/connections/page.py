"""The connections to platforms: a panel for each platform, and the form of a connection."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.badges import tag
from orchestrator_app.ui.components.credential_form import credential_form
from orchestrator_app.ui.components.dialogs import confirm_dialog, dialog
from orchestrator_app.ui.components.feedback import skeleton_rows
from orchestrator_app.ui.components.panels import panel
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from orchestrator_app.ui.theme import ICON_SMALL

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = ConnectionsState

_LOOKS = (
    ("connected", tag("Connected", color="green", icon="circle-check")),
    ("refused", tag("Refused", color="red", icon="circle-x")),
    ("unreachable", tag("Unreachable", color="red", icon="wifi-off")),
    ("unreadable", tag("Unreadable", color="red", icon="lock")),
)


def _connection(row: Any) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(row.name),
            rx.el.span(row.address, class_name="o-row-detail"),
            rx.cond(row.detail != "", rx.el.span(row.detail, class_name="o-row-detail")),
            class_name="o-connection-text",
        ),
        rx.match(row.status, *_LOOKS, tag("Never tested", icon="circle-dashed")),
        rx.el.span(time_ago(ms=row.checked_date, empty="never"), class_name="o-muted o-wide-only"),
        rx.el.div(
            rx.button(
                "Test",
                size="1",
                variant="surface",
                color_scheme="gray",
                loading=State.testing_id == row.id,
                on_click=State.check(row.id),
            ),
            rx.icon_button(
                rx.icon("pencil", size=ICON_SMALL),
                size="1",
                variant="ghost",
                color_scheme="gray",
                aria_label="Edit " + row.name,
                on_click=State.open_existing(row.id),
            ),
            rx.icon_button(
                rx.icon("trash-2", size=ICON_SMALL),
                size="1",
                variant="ghost",
                color_scheme="red",
                aria_label="Disconnect " + row.name,
                on_click=State.ask_delete(row.id, row.name),
            ),
            class_name="o-row-actions",
        ),
        class_name="o-connection",
        key=row.id,
    )


def _platform(row: Any) -> rx.Component:
    return panel(
        row.title,
        rx.cond(
            row.connections.length() > 0,
            rx.el.ul(rx.foreach(row.connections, _connection), class_name="o-connections"),
            rx.el.p("Not connected yet.", class_name="o-muted"),
        ),
        actions=rx.button(
            rx.icon("plus", size=ICON_SMALL),
            "Connect",
            size="1",
            variant="surface",
            aria_label="Connect " + row.title,
            on_click=State.open_new(row.key),
        ),
    )


def connections_page() -> rx.Component:
    """The page."""
    content = rx.fragment(
        rx.cond(
            State.is_loaded,
            rx.el.div(rx.foreach(State.platforms, _platform), class_name="o-platforms"),
            skeleton_rows(4),
        ),
        dialog(
            State.form_title,
            credential_form(
                key=State.form_key,
                fields=State.form_fields,
                method=State.form_method,
                url=State.form_url,
                test_url=State.form_test_url,
                on_done=State.stored,
                on_cancel=State.show_form(False),
            ),
            open=State.is_editing,
            on_open_change=State.show_form,
            max_width="520px",
        ),
        confirm_dialog(
            title="Disconnect?",
            description="“"
            + State.deleting_name
            + "” and its key are forgotten. Nodes that use it fail until another connection is chosen.",
            confirm_label="Disconnect",
            on_confirm=State.delete,
            open=State.is_deleting,
            on_open_change=State.show_delete,
        ),
    )
    return page_template("Connections", content, active="connections")
