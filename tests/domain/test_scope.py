"""The document that expressions see."""

from typing import Any

from orchestrator_app.domain.scope import ROOTS, Scope


def test_the_roots_are_always_there():
    assert tuple(Scope().document()) == ROOTS


def test_data_and_input_are_the_same_thing():
    payload: dict[str, Any] = {"customer": {"email": "a@b.c"}}
    document = Scope(payload).document()
    assert document["data"] is payload
    assert document["input"] is payload


def test_keys_of_the_payload_stand_beside_the_roots():
    assert Scope({"customer": 1}).document()["customer"] == 1


def test_a_root_wins_over_a_payload_key_of_its_name():
    scope = Scope({"run": "mine", "vars": "mine", "data": "mine"}, run={"id": "r1"}, vars={"a": 1})
    document = scope.document()
    assert document["run"] == {"id": "r1"}
    assert document["vars"] == {"a": 1}
    assert document["data"] == {"run": "mine", "vars": "mine", "data": "mine"}


def test_a_payload_that_is_no_object_is_reached_through_data_only():
    assert Scope([1, 2]).document() == {"data": [1, 2], "input": [1, 2], "run": {}, "nodes": {}, "vars": {}}


def test_nodes_are_found_by_what_they_are_filed_under():
    output: dict[str, Any] = {"output": {"x": 1}}
    document = Scope(nodes={"My label": output, "n1": output}).document()
    assert document["nodes"] == {"My label": output, "n1": output}
