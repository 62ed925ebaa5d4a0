"""Tables of lists, and the buttons that turn their pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx

from orchestrator_app.ui.theme import ICON


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``wide_only`` hides it on small screens; ``is_number`` aligns its figures; ``width`` is CSS."""

    label: str
    is_number: bool = False
    wide_only: bool = False
    width: str = ""
    is_label_hidden: bool = False

    @property
    def class_name(self) -> str:
        """Classes of the column's cells."""
        return " ".join(
            name for name, is_on in (("o-number", self.is_number), ("o-wide-only", self.wide_only)) if is_on
        )


def data_table(columns: Sequence[Column], rows: rx.Component, *, label: str) -> rx.Component:
    """A table with a header that stays in sight. ``rows`` is usually an ``rx.foreach`` of ``table_row``."""
    return rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    *[
                        rx.el.th(
                            rx.el.span(column.label, class_name="o-hidden")
                            if column.is_label_hidden
                            else column.label,
                            scope="col",
                            class_name=column.class_name,
                            style={"width": column.width} if column.width else {},
                        )
                        for column in columns
                    ]
                )
            ),
            rx.el.tbody(rows),
            class_name="o-table",
            aria_label=label,
        ),
        class_name="o-table-frame",
    )


def table_row(
    columns: Sequence[Column], *cells: rx.Component | rx.Var[Any] | str, **props: Any
) -> rx.Component:
    """A row with one cell per column. Put an ``rx.link`` of class ``o-row-link`` into the first: the whole row follows it."""
    return rx.el.tr(
        *[rx.el.td(cell, class_name=column.class_name) for column, cell in zip(columns, cells, strict=True)],
        **props,
    )


def row_link(text: str | rx.Var[str], href: str | rx.Var[str], detail: Any = None) -> rx.Component:
    """The link of a row, with a second line below it if ``detail`` is given."""
    return rx.el.div(
        rx.link(text, href=href, underline="none", class_name="o-row-link"),
        rx.el.div(detail, class_name="o-row-detail") if detail is not None else rx.fragment(),
    )


def pager(
    *,
    has_previous: rx.Var[bool],
    has_next: rx.Var[bool],
    on_previous: Any,
    on_next: Any,
    text: str | rx.Var[str] = "",
) -> rx.Component:
    """Buttons to the previous and next page of a list that is paged by key. Shown only if there is another page."""
    return rx.cond(
        has_previous | has_next,
        rx.el.nav(
            rx.el.span(text, class_name="o-pager-text"),
            rx.button(
                rx.icon("chevron-left", size=ICON),
                "Previous",
                variant="surface",
                color_scheme="gray",
                disabled=~has_previous,
                on_click=on_previous,
            ),
            rx.button(
                "Next",
                rx.icon("chevron-right", size=ICON),
                variant="surface",
                color_scheme="gray",
                disabled=~has_next,
                on_click=on_next,
            ),
            class_name="o-pager",
            aria_label="Pages",
        ),
    )
