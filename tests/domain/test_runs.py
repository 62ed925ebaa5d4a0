import json

import pytest
from hypothesis import given

from orchestrator_app.domain.runs import Failure, NodeState, RunState
from tests.builders import json_values, unhurried


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED"])
def test_nothing_follows_an_end_state_of_a_run(state):
    assert RunState(state).is_end


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "WAITING"])
def test_other_states_of_a_run_go_on(state):
    assert not RunState(state).is_end


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "SKIPPED", "CANCELLED"])
def test_nothing_follows_an_end_state_of_a_node(state):
    assert NodeState(state).is_end


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "WAITING"])
def test_other_states_of_a_node_go_on(state):
    assert not NodeState(state).is_end


def test_every_state_was_asked_above():
    assert [state for state in RunState if state.is_end] == ["COMPLETED", "FAILED", "CANCELLED"]
    assert {state.value for state in NodeState} - {state.value for state in RunState} == {"SKIPPED"}


def test_states_travel_as_plain_text():
    assert json.dumps(NodeState.WAITING) == '"WAITING"'
    assert f"{RunState.FAILED}" == "FAILED"


@unhurried
@given(json_values)
def test_a_failure_survives_storage(value):
    failure = Failure("timeout", "No answer came.", "Try again later.", {"facts": value})
    assert Failure.from_json(json.loads(json.dumps(failure.as_json()))) == failure


def test_a_stored_failure_may_lack_hint_and_detail():
    assert Failure.from_json({"code": "x", "message": "Oh."}) == Failure("x", "Oh.")
    assert Failure.from_json({"code": "x", "message": "Oh.", "detail": None}).detail == {}
