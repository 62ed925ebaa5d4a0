"""Who looks at the page, and what the pages may use; accounts will have their place here."""

import logging
from typing import Any
from uuid import uuid4

import reflex as rx

from orchestrator_app.errors import OrchestratorError
from orchestrator_app.services.application import DEFAULT_WORKSPACE, Application, current

log = logging.getLogger(__name__)


def application() -> Application:
    """The use cases of this process."""
    return current()


def workspace_of(_state: rx.State) -> str:
    """The workspace in which the person behind this browser tab works."""
    return DEFAULT_WORKSPACE


def show(state: rx.State, /, **values: Any) -> None:
    """Set the vars whose value is another one now. Reflex sends every var that is set, however large, again."""
    for name, value in values.items():
        if getattr(state, name) != value:
            setattr(state, name, value)


def show_error(exception: Exception) -> rx.event.EventSpec:
    """A toast that says what happened and what to do; unknown errors get a number that is in the log."""
    if isinstance(exception, OrchestratorError):
        return rx.toast.error(exception.message, description=exception.hint or None, duration=8_000)
    reference = uuid4().hex[:8]
    log.error("an event handler broke (%s)", reference, exc_info=exception)
    return rx.toast.error(
        "Something unexpected went wrong.",
        description=f"Nothing you saved is lost. The server's log has the details under {reference}.",
        duration=12_000,
    )
