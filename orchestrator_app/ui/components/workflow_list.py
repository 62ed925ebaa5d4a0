"""The list of remote workflows: only the rows in sight are drawn, and only the stretches looked at are fetched."""

from typing import Any

import reflex as rx

# The list shows times, and hands rows to the canvas; the module of times registers the files of both.
import orchestrator_app.ui.components.times  # noqa: F401


def _bring(key: rx.Var[str], offset: rx.Var[int]) -> tuple[rx.Var[str], rx.Var[int]]:
    return key, offset


def _open(connection_id: rx.Var[str], workflow_id: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return connection_id, workflow_id


class WorkflowList(rx.Component):
    """A list of any length.

    Properties:
        stretch: ``{"key", "revision", "offset", "total", "rows"}``. ``key`` differs when the list is another one
            (filters, order): the list then begins at its top. ``revision`` differs when the same list has other
            contents: what is in sight is fetched anew, without moving. A row has ``id``, ``connectionId``,
            ``connection``, ``name``, ``isActive``, ``note``, ``tags``, ``place``, ``kind`` and ``changedDate``.
        provider: Key of the platform, for what is dragged.
        selected: ``connectionId/id`` of the row whose preview is open, or empty.
        shows_connection: Whether rows name their connection.
        can_drag: Whether rows may be dragged to a canvas.
        label: Its name for screen readers.

    Events:
        on_bring: Key and offset of the stretch that is in sight and missing.
        on_open: Connection and id of the row that was clicked, or chosen with Enter.
    """

    library = rx.asset("workflow_list.jsx", shared=True).importable_path
    tag = "WorkflowList"
    lib_dependencies: list[str] = ["@tanstack/react-virtual@3.14.26"]

    stretch: rx.Var[dict[str, Any]]
    provider: rx.Var[str]
    selected: rx.Var[str]
    shows_connection: rx.Var[bool]
    can_drag: rx.Var[bool]
    label: rx.Var[str]

    on_bring: rx.EventHandler[_bring]
    on_open: rx.EventHandler[_open]


workflow_list = WorkflowList.create
