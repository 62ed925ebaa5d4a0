import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.domain.definition import Definition, from_stored
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.planning import Graph
from orchestrator_app.domain.validation import Validation, validate
from tests.builders import (
    definitions,
    json_scalars,
    json_values,
    nested,
    unhurried,
)

ORIGINALS = sorted((Path(__file__).parent.parent / "original_definitions").glob("*.json"))


@pytest.mark.parametrize("path", ORIGINALS, ids=lambda path: path.stem)
def test_a_definition_of_the_original_imports_unchanged_and_can_run(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    validation = validate(raw)
    assert [problem for problem in validation.problems if problem.blocks != "nothing"] == []
    assert validation.can_run
    assert validation.definition is not None
    stored = validation.definition.as_json()
    for old, new in zip(raw["nodes"], stored["nodes"], strict=True):
        assert (new["id"], new["type"], new["position"]) == (old["id"], old["type"], old["position"])
        assert (new["data"]["label"], new["data"]["nodeType"]) == (
            old["data"]["label"],
            old["data"]["nodeType"],
        )
        if "expression" not in old["data"]["config"]:
            assert new["data"]["config"] == old["data"]["config"]
    for old, new in zip(raw["edges"], stored["edges"], strict=True):
        assert (new["id"], new["source"], new["target"]) == (old["id"], old["source"], old["target"])
        assert new.get("sourceHandle") == old["sourceHandle"]
        assert new.get("targetHandle") == old["targetHandle"]
    assert len(Graph(validation.definition).order) == len(raw["nodes"])


def test_the_definitions_of_the_original_show_every_kind_and_react_flows_clutter():
    assert len(ORIGINALS) >= 4
    raws = [json.loads(path.read_text(encoding="utf-8")) for path in ORIGINALS]
    kinds = [{node["data"]["nodeType"] for node in raw["nodes"]} for raw in raws]
    assert set(NODE_KINDS) in kinds
    node_keys = {key for raw in raws for node in raw["nodes"] for key in node}
    edge_keys = {key for raw in raws for edge in raw["edges"] for key in edge}
    assert {"width", "height", "selected", "positionAbsolute", "dragging", "measured"} <= node_keys
    assert {"animated", "type", "markerEnd", "style", "label", "data"} <= edge_keys
    assert any("viewport" in raw for raw in raws)
    assert any("version" not in raw for raw in raws)


def test_both_branches_of_an_old_condition_are_still_connected():
    raw = json.loads((ORIGINALS[0]).read_text(encoding="utf-8"))
    assert ORIGINALS[0].stem == "approval_with_an_old_condition"
    graph = Graph(validate(raw).definition or Definition())
    assert graph.nodes["3"].config["cases"] == [{"expression": "data.approved = true", "handle": "true"}]
    assert [edge.source_handle for edge in graph.outgoing["3"]] == ["true", "false"]


@unhurried
@given(definitions())
def test_every_definition_that_is_built_to_run_can_run(definition):
    validation = validate(definition.as_json())
    assert validation.can_run
    assert validation.definition == definition


def is_usable(validation: Validation) -> bool:
    """Whether the engine could work with what was read."""
    if validation.definition is None:
        return False
    try:
        graph = Graph(validation.definition)
    except KeyError:
        return False
    return 0 < len(graph.nodes) == len(validation.definition.nodes) == len(graph.topological)


def check_outcome(raw: object) -> None:
    validation = validate(raw)
    assert validation.can_save <= (validation.definition is not None)
    assert validation.can_run <= validation.can_save
    assert is_usable(validation) or not validation.can_run
    assert validation.problems or validation.can_run
    for problem in validation.problems:
        assert re.fullmatch(r"[“A-Z0-9].*[.?]", problem.message, re.DOTALL), problem.message
        assert len(problem.message) < 1_000
        json.dumps(problem.as_json())
    if validation.can_save and validation.definition is not None:
        stored = validation.definition.as_json()
        assert from_stored(stored) == validation.definition
        assert validate(stored) == validation


@unhurried
@given(json_values)
def test_any_json_gets_a_verdict(value):
    check_outcome(value)


@unhurried
@given(
    st.fixed_dictionaries({}, optional={"version": json_scalars, "nodes": json_values, "edges": json_values})
)
def test_anything_in_the_place_of_nodes_and_edges_gets_a_verdict(value):
    check_outcome(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


@unhurried
@given(definitions(max_nodes=4), st.data())
def test_a_definition_broken_in_any_place_gets_a_verdict(definition, data):
    raw: Any = json.loads(json.dumps(definition.as_json()))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from([place for place in places(raw) if place]))
        holder = raw
        for key in path:
            holder = holder[key]
        change = data.draw(st.sampled_from(("replace", "delete", "add", "repeat")))
        if change == "replace":
            holder[last] = data.draw(json_values)
        elif change == "delete":
            del holder[last]
        elif isinstance(holder, list):
            holder.append(deepcopy(holder[last]) if change == "repeat" else data.draw(json_values))
        else:
            holder[data.draw(st.text(max_size=5))] = data.draw(json_values)
    check_outcome(raw)


@pytest.mark.parametrize(
    "raw",
    [
        nested(50_000),
        {"nodes": nested(50_000)},
        {"nodes": [{"id": "a", "data": {"nodeType": "DataMapper", "config": {"mappings": nested(50_000)}}}]},
        {"nodes": [{"id": "a", "data": {"nodeType": nested(50_000)}}]},
        {
            "nodes": [
                {"id": "a", "data": {"nodeType": "Condition", "config": {"defaultHandle": nested(50_000)}}}
            ]
        },
        {"version": 10**5_000, "nodes": []},
        {
            "nodes": [
                {"id": "a", "position": {"x": 10**5_000, "y": -(10**5_000)}, "data": {"nodeType": "Parallel"}}
            ]
        },
        {"nodes": [{"id": "a", "data": {"nodeType": "WaitForCallback", "config": {"timeout": 10**5_000}}}]},
    ],
    ids=range(8),
)
def test_deep_nesting_and_huge_numbers_get_a_verdict(raw):
    validation = validate(raw)
    assert validation.problems
    assert not validation.can_run
