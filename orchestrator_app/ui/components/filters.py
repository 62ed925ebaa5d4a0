"""What narrows a list: a search field and chips of which one is chosen."""

from collections.abc import Callable, Sequence
from typing import Any

import reflex as rx


class SearchBox(rx.Component):
    """A search field. ``on_search`` gets the text once typing has paused for ``debounce_ms`` (250), or on Enter.

    ``value`` may be set by the page at any time (cleared filters, a link); its echo of typed text changes nothing.
    """

    library = rx.asset("search_box.jsx", shared=True).importable_path
    tag = "SearchBox"

    value: rx.Var[str]
    placeholder: rx.Var[str]
    label: rx.Var[str]
    debounce_ms: rx.Var[int]

    on_search: rx.EventHandler[rx.event.passthrough_event_spec(str)]


search_box = SearchBox.create


def filter_chips(
    options: Sequence[tuple[str, str]],
    value: rx.Var[str],
    on_choose: Callable[[str], Any],
    *,
    label: str,
    counts: dict[str, rx.Var[int]] | None = None,
) -> rx.Component:
    """Chips of which exactly one is pressed.

    Args:
        options: Value and label of each; the empty value usually means "All".
        value: The chosen value.
        on_choose: Called with an option's value when the page is built; returns the event, as ``State.choose`` does.
        label: Name of the group for screen readers.
        counts: Numbers to show behind labels, by value.
    """
    return rx.el.div(
        *[
            rx.el.button(
                text,
                rx.el.span(counts[key], class_name="o-chip-count")
                if counts and key in counts
                else rx.fragment(),
                type="button",
                class_name="o-chip",
                custom_attrs={"aria-pressed": rx.cond(value == key, "true", "false")},
                on_click=on_choose(key),
            )
            for key, text in options
        ],
        class_name="o-chips",
        role="group",
        aria_label=label,
    )
