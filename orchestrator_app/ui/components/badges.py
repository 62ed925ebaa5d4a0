"""Small marks: the state of a run or node, the kind of a node, a count."""

from typing import cast

import reflex as rx

from orchestrator_app.ui.theme import ICON_SMALL, STATES


def _by_state(state: rx.Var[str], attribute: str) -> rx.Var[str]:
    pairs = [(name, getattr(look, attribute)) for name, look in STATES.items()]
    # Between texts, Reflex' match is a text; between components, a component.
    return cast("rx.Var[str]", rx.match(state, *pairs, "gray" if attribute == "color" else state))


def _state_icon(state: rx.Var[str]) -> rx.Component:
    pairs = [
        (name, rx.icon(look.icon, size=ICON_SMALL, class_name="o-spin" if name == "RUNNING" else ""))
        for name, look in STATES.items()
    ]
    return cast("rx.Component", rx.match(state, *pairs, rx.icon("circle-dashed", size=ICON_SMALL)))


def status_badge(state: str | rx.Var[str], **props) -> rx.Component:
    """The state of a run or node by icon, word and colour. Props go to the outer span, for instance ``custom_attrs``."""
    var = rx.Var.create(state).to(str)
    return rx.el.span(
        _state_icon(var),
        rx.el.span(_by_state(var, "text")),
        class_name="o-badge",
        data_color=_by_state(var, "color"),
        data_state=var,
        **props,
    )


def tag(text: str | rx.Var[str], *, color: str | rx.Var[str] = "gray", icon: str = "") -> rx.Component:
    """A word in a coloured pill, for instance a platform's name. ``color`` is a Radix scale."""
    return rx.el.span(
        rx.icon(icon, size=ICON_SMALL) if icon else rx.fragment(),
        rx.el.span(text),
        class_name="o-badge",
        data_color=color,
    )
