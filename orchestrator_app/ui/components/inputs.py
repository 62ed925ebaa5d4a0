"""Plain inputs of forms, in the look of the other controls."""

from collections.abc import Sequence
from typing import Any

import reflex as rx


def text_input(**props: Any) -> rx.Component:
    """A line of text. Props as of ``rx.el.input``: ``id``, ``name``, ``default_value``, ``on_blur`` and so on."""
    return rx.el.input(class_name="o-input", auto_complete="off", spell_check=False, **props)


def text_area(**props: Any) -> rx.Component:
    """Several lines of text, for instance notes. Props as of ``rx.el.textarea``."""
    return rx.el.textarea(class_name="o-input o-text-area", **props)


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
