"""Plain inputs of forms, in the look of the other controls."""

from collections.abc import Sequence
from typing import Any

import reflex as rx


def choice(options: Sequence[tuple[str, str]] | rx.Component, **props: Any) -> rx.Component:
    """One of several: the browser's own select, which works on phones and for screen readers.

    Args:
        options: Value and text of each, or an ``rx.foreach`` of ``rx.el.option``.
        **props: As of ``rx.el.select``: ``id``, ``name``, ``default_value`` or ``value``, ``on_change`` …
    """
    items = (
        [options]
        if isinstance(options, rx.Component)
        else [rx.el.option(text, value=value) for value, text in options]
    )
    return rx.el.div(
        rx.el.select(*items, class_name="o-input", **props),
        rx.icon("chevron-down", size=16, aria_hidden="true"),
        class_name="o-choice",
    )
