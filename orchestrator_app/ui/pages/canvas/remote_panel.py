"""The workflow that the open node calls: its name and state, the way to it, and what became of it."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.components.badges import tag
from orchestrator_app.ui.components.feedback import error_callout, warning_callout
from orchestrator_app.ui.components.times import time_ago
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.theme import ICON, ICON_SMALL
from orchestrator_app.ui.workflows.state import BrowserState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = RemoteState
Browser: Any = BrowserState


def _name() -> rx.Component:
    remote = State.remote
    return rx.el.div(
        rx.icon("workflow", size=ICON, aria_hidden="true"),
        rx.el.div(
            rx.cond(
                remote.name != "",
                rx.el.span(remote.name, class_name="o-remote-name"),
                rx.cond(
                    State.is_looking,
                    rx.el.span("Asking " + State.remote_title + " …", class_name="o-muted", role="status"),
                    rx.el.span(State.remote_id, class_name="o-id"),
                ),
            ),
            rx.el.span(
                rx.el.span(State.remote_title),
                rx.cond(remote.place != "", rx.el.span(remote.place)),
                rx.cond(remote.fetched_date > 0, rx.el.span("read ", time_ago(ms=remote.fetched_date))),
                class_name="o-preview-facts",
            ),
            class_name="o-remote-text",
        ),
        rx.cond(
            remote.name != "",
            rx.cond(
                remote.is_active,
                tag("Active", color="green", icon="circle-check"),
                tag("Inactive", color="amber", icon="circle-pause"),
            ),
        ),
        class_name="o-remote-head",
    )


def _actions() -> rx.Component:
    remote = State.remote
    return rx.el.div(
        rx.cond(
            remote.link != "",
            rx.el.a(
                rx.icon("external-link", size=ICON_SMALL, aria_hidden="true"),
                "Open on " + State.remote_title,
                href=remote.link,
                target="_blank",
                rel="noopener noreferrer",
                class_name="o-remote-action",
            ),
        ),
        rx.el.button(
            rx.icon("refresh-cw", size=ICON_SMALL, aria_hidden="true"),
            "Look again",
            type="button",
            disabled=State.is_looking,
            on_click=State.look_again,
            class_name="o-remote-action",
        ),
        class_name="o-remote-actions",
    )


def _mark() -> Any:
    mark = State.marks[State.selected_id]
    what_changed = rx.button(
        "What changed", type="button", size="1", variant="surface", on_click=State.open_change
    )
    choose = rx.button(
        "Choose another one",
        type="button",
        size="1",
        variant="surface",
        on_click=Browser.choose_for(
            State.selected_id, State.selected_label, State.remote_provider, State.values["connectionId"]
        ),
    )
    return rx.match(
        mark["state"],
        (
            "deleted",
            error_callout("The workflow is gone", mark["message"], action=rx.fragment(choose, what_changed)),
        ),
        ("inactive", warning_callout("The workflow is switched off", mark["message"], what_changed)),
        warning_callout("The workflow was changed", mark["message"], what_changed),
    )


def _unnoticed() -> rx.Component:
    """A node that was made by hand knows no content of its workflow, so its changes cannot be told yet."""
    can_know = ~State.knows_content & (State.remote.connection_id != "")
    return rx.cond(
        can_know,
        rx.el.p(
            "Changes of it are not noticed yet. ",
            rx.el.button(
                "Notice them from now on",
                type="button",
                on_click=State.take_over_content,
                class_name="o-remote-action",
            ),
            class_name="o-remote-hint",
        ),
    )


def remote_panel() -> rx.Component:
    """The panel, or nothing for a node that calls no workflow by its id."""
    remote = State.remote
    is_marked = State.marks.contains(State.selected_id)
    is_gone = is_marked & (State.marks[State.selected_id]["state"] == "deleted")
    return rx.cond(
        State.calls_workflow & (State.about == State.selected_id),
        rx.el.section(
            _name(),
            rx.cond(is_marked, _mark()),
            rx.cond(
                (State.remote_error != "") & ~is_gone,
                error_callout("The workflow could not be read", State.remote_error),
            ),
            rx.cond(
                remote.failure != "",
                warning_callout(
                    "The platform could not be asked",
                    rx.Var.create("This is the workflow as it was read earlier. ") + remote.failure,
                ),
            ),
            rx.cond((remote.note != "") & ~is_marked, warning_callout("It cannot run now", remote.note)),
            _unnoticed(),
            _actions(),
            class_name="o-remote",
            aria_label="Workflow of the node",
        ),
    )
