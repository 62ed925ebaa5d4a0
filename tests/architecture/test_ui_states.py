"""Reflex offers every public method of a state to every client; these rules keep that surface small and named."""

import ast
from collections import Counter

import pytest

from tests.architecture.sources import PRODUCT, Source, dotted_name, sources

REFLEX_STATES = frozenset(
    {"rx.State", "rx.SharedState", "rx.ComponentState", "rx.state.State", "reflex.State"}
)


def state_classes(files: list[Source]) -> list[ast.ClassDef]:
    """The classes that derive from a state of Reflex, also by way of each other."""
    classes = [node for file in files for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef)]
    states: list[ast.ClassDef] = []
    while True:
        known = REFLEX_STATES | {state.name for state in states}
        further = [
            node
            for node in classes
            if node not in states and known.intersection(dotted_name(base) for base in node.bases)
        ]
        if not further:
            return states
        states += further


def setters(files: list[Source]) -> list[str]:
    """Methods named like the setters that Reflex used to make, and uses of such setters."""
    named = [
        f"{state.name}.{node.name}"
        for state in state_classes(files)
        for node in ast.walk(state)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("set_")
    ]
    used = [
        f"{file.name}:{node.lineno} uses {node.attr}"
        for file in files
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Attribute) and node.attr == "setvar"
    ]
    return named + used


def test_no_state_lets_a_client_set_a_variable_as_it_likes():
    assert setters(sources(f"{PRODUCT}/ui")) == []


def test_reflex_makes_no_setters_by_itself():
    (config,) = sources("rxconfig.py")
    assert "state_auto_setters" not in config.text


def test_every_state_has_a_name_of_its_own():
    names = Counter(state.name for state in state_classes(sources(f"{PRODUCT}/ui")))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "text",
    [
        "class Editor(rx.State):\n  def set_name(self, name): ...",
        "class Base(rx.State): ...\nclass Editor(Base):\n  async def set_name(self, name): ...",
        "rx.input(on_change=Editor.setvar('name'))",
    ],
)
def test_each_setter_would_be_noticed(text: str):
    assert setters([Source("page.py", text)])


def test_a_method_named_after_what_the_user_does_is_no_setter():
    assert setters([Source("page.py", "class Editor(rx.State):\n  def rename(self, name): ...")]) == []


def test_a_class_that_is_no_state_may_have_setters():
    assert setters([Source("page.py", "class Graph:\n  def set_name(self, name): ...")]) == []
