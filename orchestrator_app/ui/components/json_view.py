"""JSON to read: folded, coloured, quick with large values, and never taken for HTML."""

from typing import Any

import reflex as rx

# json_view.jsx uses the copy button, whose module registers its file.
import orchestrator_app.ui.components.copy_button  # noqa: F401


class JsonView(rx.Component):
    """Shows ``text`` (JSON as text; best for large values) or ``value``. An empty text shows ``empty_text``.

    ``open_depth`` levels are open at first (2); it scrolls within ``max_height`` (CSS, 480px). Text that is no JSON
    is shown as it is.
    """

    library = rx.asset("json_view.jsx", shared=True).importable_path
    tag = "JsonView"

    text: rx.Var[str]
    value: rx.Var[Any]
    label: rx.Var[str]
    empty_text: rx.Var[str]
    open_depth: rx.Var[int]
    max_height: rx.Var[str]


json_view = JsonView.create
