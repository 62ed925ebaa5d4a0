"""The connections to platforms: a card for each platform, the form of a connection, and the question before one goes."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.credential_form import credential_form
from orchestrator_app.ui.components.dialogs import confirm_dialog, dialog
from orchestrator_app.ui.components.feedback import skeleton_block
from orchestrator_app.ui.layout import page_template
from orchestrator_app.ui.pages.connections.card import platform_card
from orchestrator_app.ui.pages.connections.form_state import ConnectionFormState
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from orchestrator_app.ui.routes import canvas_path

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = ConnectionsState
Form: Any = ConnectionFormState

_CARD_HEIGHT = "146px"


def _form_dialog() -> rx.Component:
    return dialog(
        Form.title,
        credential_form(
            key=Form.form_key,
            fields=Form.fields,
            method=Form.method,
            url=Form.url,
            test_url=Form.test_url,
            connection_id=Form.connection_id,
            on_done=Form.stored,
            on_cancel=Form.show_form(False),
        ),
        description="Secrets are stored sealed; nobody can read them back.",
        open=Form.is_open,
        on_open_change=Form.show_form,
        max_width="520px",
    )


def _user(row: Any) -> rx.Component:
    return rx.el.li(
        rx.link(row.name, href=canvas_path(row.orchestrator_id)),
        rx.el.span(row.nodes),
        key=row.orchestrator_id,
    )


def _disconnect_dialog() -> rx.Component:
    return confirm_dialog(
        title="Disconnect?",
        description=State.deleting_text,
        content=rx.cond(
            State.usage.length() > 0,
            rx.el.ul(
                rx.foreach(State.usage, _user), class_name="o-usage", aria_label="Orchestrators that use it"
            ),
        ),
        confirm_label="Disconnect",
        on_confirm=State.delete,
        open=State.is_deleting,
        on_open_change=State.show_delete,
    )


def connections_page() -> rx.Component:
    """The page."""
    content = rx.fragment(
        rx.el.div(
            rx.cond(
                State.is_loaded,
                rx.foreach(State.platforms, platform_card),
                rx.fragment(*[skeleton_block(_CARD_HEIGHT) for _ in range(4)]),
            ),
            class_name="o-platforms",
        ),
        _form_dialog(),
        _disconnect_dialog(),
    )
    return page_template("Connections", content, active="connections")
