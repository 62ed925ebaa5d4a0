import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.domain.definition import Definition, Edge, Problem, from_stored
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.planning import Graph
from orchestrator_app.domain.validation import MAX_PROBLEMS, Validation, validate
from tests.builders import (
    RUNNABLE_CONFIGS,
    a_chain,
    a_definition,
    a_definition_from,
    a_diamond,
    a_node,
    an_edge,
    definitions,
    json_scalars,
    json_values,
    nested,
    unhurried,
)

ORIGINALS = sorted((Path(__file__).parent.parent / "original_definitions").glob("*.json"))


def problems_of(definition: Definition) -> list[Problem]:
    return list(validate(definition.as_json()).problems)


def only(definition: Definition) -> Problem:
    found = problems_of(definition)
    assert len(found) == 1, found
    return found[0]


def config_problems(kind: str, *, disabled: bool = False, **config: Any) -> list[Problem]:
    edges = [an_edge("z", "a", "error")] if kind == "ErrorBoundary" else []
    nodes = [a_node("z", "LocalFlow"), a_node("a", kind, config, label="Mine", disabled=disabled)]
    return problems_of(a_definition(nodes, edges))


# --- definitions of the original ---


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


# --- properties ---


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


# --- bad input: one clear sentence that names the place ---


def test_a_definition_without_nodes_may_be_kept_but_not_run():
    validation = validate({"nodes": [], "edges": []})
    assert validation.can_save
    assert not validation.can_run
    assert [problem.message for problem in validation.problems] == [
        "There are no nodes yet. Add one from the palette."
    ]


def test_nothing_can_be_kept_of_what_is_no_definition():
    validation = validate("nonsense")
    assert validation.definition is None
    assert not validation.can_save
    assert not validation.can_run


def test_a_cycle_names_its_nodes_in_order():
    nodes = [a_node("a", label="Fetch"), a_node("b", label="Check"), a_node("c", label="Send")]
    edges = [an_edge("a", "b"), an_edge("b", "c"), an_edge("c", "b")]
    assert only(a_definition(nodes, edges)) == Problem(
        "cycle",
        "The edges go round in a circle: “Check” → “Send” → “Check”. Remove one of them.",
        node_id="b",
        blocks="save",
    )


def test_a_long_cycle_is_told_shortly():
    found = only(a_definition_from([(number, (number + 1) % 50) for number in range(50)], 50))
    assert found.message == (
        "The edges go round in a circle: “n0” → “n1” → “n2” → “n3” → “n4” → “n5” → “n6” → “n7” → “n8” → … → “n49” → "
        "“n0”. Remove one of them."
    )


def test_an_edge_from_or_to_nowhere_names_the_edge_and_the_missing_node():
    definition = Definition(a_chain("a", "b").nodes, (Edge("e1", "a", "gone"), Edge("e2", "lost", "b")))
    assert problems_of(definition) == [
        Problem(
            "dangling_edge",
            "Edge “e1” leads to “gone”, but there is no node with that id. Connect it to a node, or remove it.",
            edge_id="e1",
            blocks="save",
        ),
        Problem(
            "dangling_edge",
            "Edge “e2” starts at “lost”, but there is no node with that id. Connect it to a node, or remove it.",
            edge_id="e2",
            blocks="save",
        ),
    ]


def test_an_edge_between_two_missing_nodes_has_both_ends_reported():
    found = problems_of(a_definition([a_node()], [an_edge("x", "y")]))
    assert [(problem.code, problem.edge_id) for problem in found] == [("dangling_edge", "x-y")] * 2


def test_ids_used_twice_are_named():
    nodes = (a_node("a", label="One"), a_node("a", label="Two"), a_node("b"))
    edges = (Edge("e", "a", "b"), Edge("e", "a", "b", "out"))
    assert problems_of(Definition(nodes, edges)) == [
        Problem("duplicate_id", "2 nodes share the id “a”. Give each its own.", node_id="a", blocks="save"),
        Problem("duplicate_id", "2 edges share the id “e”. Give each its own.", edge_id="e", blocks="save"),
    ]


def test_a_node_of_an_unknown_kind_is_one_problem_however_many_edges_it_has():
    raw = a_diamond().as_json()
    raw["nodes"][1]["data"]["nodeType"] = "Robot"
    assert [(problem.code, problem.node_id) for problem in validate(raw).problems] == [("unknown_kind", "b")]


def test_a_definition_of_unreadable_nodes_is_not_called_empty():
    raw = {"nodes": [{"id": "a"}], "edges": []}
    assert [problem.code for problem in validate(raw).problems] == ["wrong_type"]


@pytest.mark.parametrize(
    ("config", "place", "sentence", "blocks"),
    [
        (
            {"mapings": []},
            "mapings",
            "Data mapper has no config key “mapings”. Remove it, or use one of: mappings, mode.",
            "save",
        ),
        ({"mappings": 5}, "mappings", "“Mappings” must be a list, not a number.", "save"),
        (
            {"mappings": [{"from": "data.", "to": "x"}]},
            "mappings[0].from",
            "Mapping 1: Line 1, column 6: ",
            "run",
        ),
    ],
)
def test_a_wrong_config_value_is_told_with_node_and_field(config, place, sentence, blocks):
    (found,) = config_problems("DataMapper", **config)[:1]
    assert (found.node_id, found.field, found.blocks) == ("a", place, blocks)
    assert found.message.startswith(sentence)


def test_outside_the_editor_a_sentence_about_a_config_value_names_its_node():
    (found,) = config_problems("DataMapper", mappings=5)
    assert found.as_json() == {
        "code": "wrong_type",
        "message": "“Mine”: “Mappings” must be a list, not a number.",
        "nodeId": "a",
        "edgeId": "",
        "field": "mappings",
        "blocks": "save",
    }


@pytest.mark.parametrize(
    "url",
    [
        "example.org/hook",
        "/hook",
        "ftp://example.org",
        "//example.org/hook",
        "http:example.org",
        "http:/example.org",
        "http:/{{data.host}}",
        "https://",
        "https:///hook",
        "https://:8080/hook",
        "https://exa mple.org/",
        "https://exa\nmple.org/",
        "https://example.org:port/",
        "https://example.org:99999/",
        "https://example.org:0/",
        "https://[::1/",
        "https://?x=1",
        "x{{data.url}}",
        "javascript:alert(1)",
    ],
)
def test_an_address_without_scheme_or_host_is_quoted_in_a_sentence(url):
    (found,) = config_problems("RemoteWebhook", url=url)
    shown = " ".join(url.split())
    assert found == Problem(
        "bad_url",
        f"“{shown}” is no complete address. It must start with http:// or https:// and name a host, for "
        "example https://example.org/hook.",
        "a",
        field="url",
        subject="Mine",
    )
    (found,) = config_problems("LocalFlow", flowId="f", baseURL=url)
    assert (found.code, found.field) == ("bad_url", "baseURL")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:3000",
        "HTTPS://EXAMPLE.ORG/Hook?x=1#y",
        "  https://example.org/hook \n",
        "https://[::1]:8080/",
        "https://münchen.example/",
        "https://user:secret@example.org/",
        "https://example.org?x={{data.x}}",
        "https://example.org/a b",
        "https://{{vars.host}}/hook",
        "https://{{vars.host}}",
        "https://api.{{vars.domain}}:{{vars.port}}/hook",
        "https://[{{vars.v6}}]/",
        "{{vars.base}}/hook",
        " {{vars.base}}",
    ],
)
def test_a_complete_address_or_one_that_may_become_one_is_fine(url):
    assert config_problems("RemoteWebhook", url=url) == []
    assert config_problems("LocalFlow", flowId="f", baseURL=url) == []


def test_a_long_address_is_cut_in_the_sentence():
    (found,) = config_problems("RemoteWebhook", url="x" * 5_000)
    assert f"“{'x' * 99}…”" in found.message


@pytest.mark.parametrize(
    ("config", "field", "sentence"),
    [
        ({}, "url", "“Address” is missing. Enter the complete address to call."),
        ({"url": " "}, "url", "“Address” is missing. Enter the complete address to call."),
        (
            {"provider": "simulated"},
            "workflowId",
            "“Workflow” is missing. Choose the workflow to call, or enter an address.",
        ),
        (
            {"provider": "n8n", "connectionId": "c"},
            "workflowId",
            "“Workflow” is missing. Choose the workflow to call, or enter an address.",
        ),
        (
            {"provider": "n8n", "workflowId": "w"},
            "connectionId",
            "“Connection” is missing. The platform is asked for the address, so choose the connection to use.",
        ),
        (
            {"provider": "n8n", "url": "https://x.org/w", "enablePolling": True},
            "connectionId",
            "“Connection” is missing. Polling asks the platform for the result, so choose the connection to use.",
        ),
        (
            {"url": "https://x.org/w", "completion": "poll"},
            "completion",
            "A plain address cannot be polled. Choose the completion “response” or “callback”.",
        ),
    ],
)
def test_a_call_that_lacks_something_cannot_run_but_may_be_kept(config, field, sentence):
    assert config_problems("RemoteWebhook", **config) == [
        Problem(
            "cannot_poll" if field == "completion" else "missing_value",
            sentence,
            "a",
            field=field,
            subject="Mine",
        )
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"provider": "n8n", "url": "https://x.org/w"},
        {"provider": "n8n", "connectionId": "c", "workflowId": "w"},
        {"provider": "n8n", "connectionId": "c", "workflowId": "w", "completion": "poll"},
        {"provider": "simulated", "workflowId": "slow"},
        {"provider": "simulated", "workflowId": "slow", "completion": "poll"},
        {"provider": "make", "url": "https://hook.eu2.make.com/x"},
        {"url": "https://x.org/w", "completion": "callback"},
        {"url": "https://x.org/w", "completion": "response", "enablePolling": True},
    ],
)
def test_a_call_with_all_it_needs_can_run(config):
    assert config_problems("RemoteWebhook", **config) == []


def test_polling_a_plain_address_in_the_originals_way_is_only_a_warning():
    assert config_problems("RemoteWebhook", url="https://x.org/w", enablePolling=True) == [
        Problem(
            "cannot_poll",
            "A plain address cannot be polled, so its answer is taken as the result.",
            "a",
            field="enablePolling",
            blocks="nothing",
            subject="Mine",
        )
    ]


def test_a_local_flow_needs_an_address_or_a_connection():
    assert config_problems("LocalFlow", flowId="f") == [
        Problem(
            "missing_value",
            "“Flowise address” or “Connection” is missing. Fill in one of them.",
            "a",
            field="baseURL",
            subject="Mine",
        )
    ]
    assert config_problems("LocalFlow", flowId="f", connectionId="c") == []


@pytest.mark.parametrize("url", [5, ["https://x.org"]])
def test_an_address_of_a_wrong_type_is_told_once(url):
    (found,) = config_problems("RemoteWebhook", url=url)
    assert (found.code, found.field) == ("wrong_type", "url")


def test_a_condition_without_cases_is_a_warning():
    assert config_problems("Condition") == [
        Problem(
            "no_cases",
            "There is no case, so everything takes the default branch. Add a case.",
            "a",
            field="cases",
            blocks="nothing",
            subject="Mine",
        )
    ]


def test_the_default_branch_may_not_be_called_error():
    cases = [{"expression": "data.x", "handle": "x"}]
    assert config_problems("Condition", cases=cases, defaultHandle="error") == [
        Problem(
            "bad_handle",
            "“Default branch” cannot be called “error”. Choose another name.",
            "a",
            field="defaultHandle",
            subject="Mine",
        )
    ]


@pytest.mark.parametrize(
    ("config", "outcome"), [({}, "its output is empty"), ({"mode": "extend"}, "its input goes on unchanged")]
)
def test_a_data_mapper_without_mappings_is_a_warning(config, outcome):
    assert config_problems("DataMapper", **config) == [
        Problem(
            "no_mappings",
            f"There is no mapping, so {outcome}. Add a mapping.",
            "a",
            field="mappings",
            blocks="nothing",
            subject="Mine",
        )
    ]


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_a_disabled_node_may_be_unfinished(kind):
    assert config_problems(kind, disabled=True) == []


def test_a_disabled_node_must_still_have_the_right_shape():
    (found,) = config_problems("RemoteWebhook", disabled=True, timeout="long", url="nowhere")
    assert (found.code, found.field, found.blocks) == ("wrong_type", "timeout", "save")


@pytest.mark.parametrize(("first", "second"), [("Send", "Send"), ("b", "Send")])
def test_a_name_that_means_two_nodes_is_a_warning(first, second):
    nodes = [a_node("a", label=first), a_node("b", label=second)]
    found = only(a_definition(nodes))
    assert (found.code, found.blocks) == ("duplicate_label", "nothing")
    if first == second:
        assert found.node_id == "b"
        assert found.message == (
            "Another node is called “Send” too, and expressions find only the first. Rename one of them."
        )
    else:
        assert found.node_id == "a"
        assert (
            found.message
            == "“b” is the id of another node too, and expressions find that one. Rename this node."
        )


def test_an_edge_that_is_there_twice_is_a_warning():
    found = only(a_definition([a_node("a"), a_node("b")], [an_edge(), an_edge(edge_id="again")]))
    assert found == Problem(
        "duplicate_edge",
        "The edge from “a” to “b” is there twice. Remove one.",
        edge_id="again",
        blocks="nothing",
    )


def test_an_edge_from_a_branch_that_is_not_there_names_the_branch():
    nodes = [a_node("a", "Condition", label="Paid?"), a_node("b")]
    assert only(a_definition(nodes, [an_edge("a", "b", "huge", edge_id="e")])) == Problem(
        "unknown_handle",
        "The edge from “Paid?” to “b” starts at the branch “huge”, which “Paid?” does not have. Connect it to one that "
        "exists, or add a case with that name.",
        "a",
        "e",
    )


@pytest.mark.parametrize("handle", ["large", "default", "error"])
def test_an_edge_from_a_branch_that_is_there_is_fine(handle):
    nodes = [a_node("a", "Condition"), a_node("b")]
    assert problems_of(a_definition(nodes, [an_edge("a", "b", handle)])) == []


def test_an_edge_from_no_branch_at_all_is_a_warning():
    nodes = [a_node("a", "Condition"), a_node("b")]
    assert only(a_definition(nodes, [an_edge("a", "b", edge_id="e")])) == Problem(
        "no_handle",
        "The edge from “a” to “b” starts at no branch, so it is taken in every case. Connect it to a branch if it "
        "should not.",
        "a",
        "e",
        blocks="nothing",
    )


def test_a_node_that_cannot_fail_has_no_error_output():
    nodes = [a_node("a", "Parallel", label="Both"), a_node("b", "ErrorBoundary", label="Rescue")]
    assert only(a_definition(nodes, [an_edge("a", "b", "error", edge_id="e")])) == Problem(
        "unknown_handle",
        "The edge from “Both” to “Rescue” starts at an error output, but “Both” cannot fail. Connect its output.",
        "a",
        "e",
    )


def test_an_error_boundary_that_catches_nothing_is_a_warning():
    found = only(a_definition([a_node("a"), a_node("b", "ErrorBoundary", label="Rescue")], [an_edge()]))
    assert found == Problem(
        "no_error_edge",
        "No error output leads to “Rescue”, so it catches nothing. Connect one to it.",
        node_id="b",
        blocks="nothing",
    )


def test_all_problems_are_told_at_once():
    raw = a_definition(
        [
            a_node("a", "RemoteWebhook", {"timeout": "x"}),
            a_node("a", "Condition", {"casse": []}),
            a_node("c"),
        ],
        [an_edge("c", "c"), an_edge("c", "z")],
    ).as_json()
    raw["colour"] = "red"
    assert {problem.code for problem in validate(raw).problems} == {
        "unknown_key",
        "duplicate_id",
        "duplicate_label",
        "dangling_edge",
        "cycle",
        "wrong_type",
        "missing_value",
        "unknown_config_key",
        "no_cases",
    }


@pytest.mark.parametrize(
    ("config", "blocks"),
    [
        ({"url": "https://x.org", "headers": {f"bad name {i}": "" for i in range(100)}}, "run"),
        ({"url": "https://x.org", "headers": {f"Good-{i}": 5 for i in range(100)}}, "save"),
    ],
)
def test_nobody_reads_more_than_a_thousand_problems(config, blocks):
    definition = a_definition([a_node(f"n{i}", "RemoteWebhook", config) for i in range(11)])
    validation = validate(definition.as_json())
    assert len(validation.problems) == MAX_PROBLEMS + 1
    assert validation.problems[-1] == Problem(
        "more_problems", "There are 100 more problems. Mend these first, then check again.", blocks=blocks
    )
    assert validation.can_save == (blocks == "run")
    assert not validation.can_run


def test_a_thousand_warnings_do_not_hinder_a_run():
    config = {f"old{i}": 1 for i in range(501)}
    definition = a_definition([a_node("a", config=config), a_node("b", config=config)])
    validation = validate(definition.as_json())
    assert validation.problems[-1].message.startswith("There are 2 more problems.")
    assert validation.can_run


def test_every_kind_can_run_on_its_own():
    nodes = [a_node(kind, kind) for kind in RUNNABLE_CONFIGS]
    assert validate(a_definition(nodes).as_json()).can_run
