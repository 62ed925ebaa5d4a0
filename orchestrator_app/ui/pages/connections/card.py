"""The card of a platform: its connections, and what Orchestrator can do on it."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.badges import tag
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.pages.connections.form_state import ConnectionFormState
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from orchestrator_app.ui.theme import ICON_SMALL

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = ConnectionsState
Form: Any = ConnectionFormState

_STATUSES = (
    ("connected", tag("Connected", color="green", icon="circle-check")),
    ("refused", tag("Refused", color="red", icon="circle-x")),
    ("unreachable", tag("Unreachable", color="amber", icon="wifi-off")),
    ("unreadable", tag("Unreadable", color="red", icon="lock")),
)
_ANSWERS = (
    ("yes", rx.icon("check", size=ICON_SMALL), "Yes"),
    ("partly", rx.icon("circle-dot-dashed", size=ICON_SMALL), "Yes"),
)


def platform_card(row: Any) -> rx.Component:
    """The card of a ``PlatformRow``."""
    return rx.el.section(
        rx.el.div(
            rx.el.span(
                row.initial, class_name="o-tile o-platform-mark", data_color=row.color, aria_hidden="true"
            ),
            rx.el.div(rx.el.h2(row.title), rx.el.p(row.purpose), class_name="o-platform-text"),
            rx.button(
                rx.icon("plus", size=ICON_SMALL),
                "Connect",
                variant="surface",
                color_scheme=rx.cond(row.connections.length() > 0, "gray", "indigo"),
                aria_label="Connect " + row.title,
                on_click=Form.open_new(row.key),
            ),
            class_name="o-platform-head",
        ),
        rx.cond(
            row.connections.length() > 0,
            rx.el.ul(rx.foreach(row.connections, _connection), class_name="o-connections"),
            rx.el.p("Not connected yet.", class_name="o-platform-empty"),
        ),
        rx.el.details(
            rx.el.summary(
                rx.icon("chevron-right", size=ICON_SMALL, aria_hidden="true"),
                rx.el.span("What Orchestrator can do on " + row.title),
                rx.el.span(row.ability_count, class_name="o-platform-count"),
            ),
            rx.el.ul(rx.foreach(row.abilities, _ability), class_name="o-abilities"),
            class_name="o-platform-fold",
        ),
        class_name="o-panel o-platform",
        aria_label=row.title,
        key=row.key,
    )


def _connection(row: Any) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(row.name),
            rx.match(row.status, *_STATUSES, tag("Never tested", icon="circle-dashed")),
            class_name="o-connection-name",
        ),
        _actions(row),
        rx.el.div(
            rx.cond(row.detail != "", rx.el.p(row.detail)),
            rx.cond(row.lacks != "", rx.el.p(row.lacks, class_name="o-muted")),
            rx.cond(
                row.sync_failure != "",
                rx.el.p("Its list of workflows was not read: " + row.sync_failure, class_name="o-error-text"),
            ),
            _marginalia(row),
            class_name="o-connection-text",
        ),
        class_name="o-connection",
        data_testid="connection",
        key=row.id,
    )


def _marginalia(row: Any) -> rx.Component:
    """Address, kind, last check and last reading of the list, as far as there are such."""
    return rx.el.ul(
        rx.cond(row.address != "", rx.el.li(row.address, class_name="o-connection-address")),
        rx.cond(row.mode != "", rx.el.li(row.mode)),
        rx.cond(row.checked_date > 0, rx.el.li("checked ", time_ago(ms=row.checked_date))),
        rx.cond(
            row.browse_path != "",
            rx.el.li(
                rx.link(
                    rx.cond(row.workflows != "", row.workflows, "Browse workflows"),
                    href=row.browse_path,
                    underline="always",
                    aria_label=rx.cond(row.workflows != "", row.workflows, "Browse workflows")
                    + " of "
                    + row.name,
                ),
                rx.cond(
                    row.is_syncing,
                    ", reading the list…",
                    rx.cond(
                        row.synced_date > 0,
                        rx.fragment(", read ", time_ago(ms=row.synced_date)),
                        rx.fragment(),
                    ),
                ),
            ),
        ),
        class_name="o-connection-margin",
    )


def _actions(row: Any) -> rx.Component:
    return rx.el.div(
        rx.button(
            "Test",
            size="1",
            variant="surface",
            color_scheme="gray",
            aria_label="Test " + row.name,
            loading=State.testing_id == row.id,
            on_click=State.check(row.id),
        ),
        rx.icon_button(
            rx.icon("pencil", size=ICON_SMALL),
            size="1",
            variant="surface",
            color_scheme="gray",
            aria_label="Edit " + row.name,
            title="Edit",
            on_click=Form.open_existing(row.id),
        ),
        rx.icon_button(
            rx.icon("unplug", size=ICON_SMALL),
            size="1",
            variant="surface",
            color_scheme="red",
            aria_label="Disconnect " + row.name,
            title="Disconnect",
            on_click=State.ask_delete(row.id, row.name),
        ),
        class_name="o-row-actions",
    )


def _ability(row: Any) -> rx.Component:
    return rx.el.li(
        rx.match(
            row.can,
            *[
                (can, rx.fragment(icon, rx.el.span(word, class_name="o-hidden")))
                for can, icon, word in _ANSWERS
            ],
            rx.fragment(rx.icon("x", size=ICON_SMALL), rx.el.span("No", class_name="o-hidden")),
        ),
        rx.el.div(
            rx.el.span(row.label),
            rx.cond(row.note != "", rx.el.span(row.note, class_name="o-ability-note")),
        ),
        data_can=row.can,
    )
