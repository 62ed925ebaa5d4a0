"""Reading n8n's executions, on those recorded from both releases."""

from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.n8n_execution import (
    execution_id,
    failure_of,
    link_to,
    output_of,
    started_at,
    state_of,
    waiting_sentence,
    was_started_by,
)
from tests.fakes.recordings import recording

RELEASES = pytest.mark.parametrize("release", [1, 2])


def recorded(release: int, name: str) -> JsonObject:
    return recording(f"n8n-{release}", name)["response"]["body"]


def with_header(execution: JsonObject) -> JsonObject:
    """The recorder called its header x-run-id; ours has another name."""
    return _renamed(execution)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            "X-Correlation-ID" if key == "x-run-id" else key: _renamed(item) for key, item in value.items()
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value


@RELEASES
def test_a_good_execution_gives_the_item_of_the_last_node(release: int):
    execution = recorded(release, "execution_get_data")
    assert state_of(execution) == "completed"
    output = output_of(execution)
    assert isinstance(output, dict)
    assert output["in"] == {"a": 1, "b": 2}
    assert output["executionId"] == execution_id(execution)
    assert failure_of(execution) == ""


@RELEASES
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("execution_error_d_stop", "node “Stop”: rig stop: bad thing"),
        ("execution_error_d_resp", "node “Stop”: rig stop: bad thing"),
        ("execution_error_d_code", "node “Code”: rig code boom [line 1]"),
        (
            "execution_error_d_http",
            'node “HTTP”: The service was not able to process your request (500 - "{"a":1,"b":2,"n":1}")',
        ),
    ],
)
def test_a_failed_execution_gives_the_reason_and_the_node(release: int, name: str, reason: str):
    execution = recorded(release, name)
    assert state_of(execution) == "failed"
    assert failure_of(execution).replace("\\", "") == reason


@RELEASES
def test_a_failed_execution_without_data_gives_no_reason(release: int):
    execution = recorded(release, "execution_error_nodata")
    assert (state_of(execution), failure_of(execution), output_of(execution)) == ("failed", "", None)


@RELEASES
@pytest.mark.parametrize("name", ["execution_running", "execution_get_data", "execution_error_d_stop"])
def test_the_call_that_started_it_is_found_while_it_runs_and_afterwards(release: int, name: str):
    runs = {"execution_running": "run-i_slow", "execution_get_data": "run-idempotent_again"}
    execution = with_header(recorded(release, name))
    assert was_started_by(execution, runs.get(name, "run-d_stop"))
    assert not was_started_by(execution, "run-other")


def test_a_waiting_execution_is_running_and_says_until_when():
    execution = recorded(2, "execution_waiting")
    assert state_of(execution) == "running"
    assert waiting_sentence(execution) == "Execution 41 waits in n8n until 2026-11-23T07:40:31.121Z."
    assert was_started_by(with_header(execution), "run-i_wait70")


@RELEASES
def test_one_that_waits_for_a_call_says_so(release: int):
    execution = recorded(release, "execution_waiting_webhook")
    assert "until somebody calls its resume address" in waiting_sentence(execution)


def test_a_stopped_execution_is_cancelled():
    assert state_of(recorded(2, "execution_after_stop")) == "cancelled"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("new", "running"),
        ("running", "running"),
        ("waiting", "running"),
        ("success", "completed"),
        ("error", "failed"),
        ("crashed", "failed"),
        ("canceled", "cancelled"),
        ("unknown", "unknown"),
        ("something new", "unknown"),
    ],
)
def test_states_are_mapped(status: str, state: str):
    assert state_of({"status": status}) == state


def executed(*branches: list[Any] | None, runs: int = 1) -> JsonObject:
    entry = {
        "data": {
            "main": [None if items is None else [{"json": item} for item in items] for items in branches]
        }
    }
    earlier = {"data": {"main": [[{"json": "of an earlier round"}]]}}
    data = {"lastNodeExecuted": "End", "runData": {"End": [earlier] * (runs - 1) + [entry]}}
    return {"data": {"resultData": data}}


@pytest.mark.parametrize(
    ("execution", "output"),
    [
        (executed([{"a": 1}]), {"a": 1}),
        (executed([{"a": 1}, {"a": 2}]), [{"a": 1}, {"a": 2}]),
        (executed([]), None),
        (executed(None, [{"b": 1}]), {"b": 1}),
        (executed([], [{"b": 1}]), {"b": 1}),
        (executed([{"a": 1}], runs=3), {"a": 1}),
        ({"data": {}}, None),
        ({}, None),
    ],
)
def test_the_output_is_one_item_or_a_list_of_the_last_round(execution: JsonObject, output: Any):
    assert output_of(execution) == output


@pytest.mark.parametrize(
    ("execution", "reason"),
    [
        ({"status": "crashed"}, "it crashed"),
        ({"data": {"resultData": {"error": {"description": "only this"}}}}, "only this"),
        ({"data": {"resultData": {"error": {"message": "x" * 600}}}}, "x" * 500 + "…"),
        (
            {
                "data": {
                    "resultData": {"lastNodeExecuted": "A", "runData": {"A": [{"error": {"message": "m"}}]}}
                }
            },
            "node “A”: m",
        ),
    ],
)
def test_reasons_are_found_wherever_n8n_puts_them(execution: JsonObject, reason: str):
    assert failure_of(execution) == reason


def test_ids_may_be_numbers_and_times_may_be_missing():
    assert execution_id({"id": 42}) == "42"
    assert started_at({"startedAt": None}) is None


def test_a_link_needs_workflow_and_execution():
    assert link_to("https://n8n.example", "a/b", "7") == "https://n8n.example/workflow/a%2Fb/executions/7"
    assert link_to("https://n8n.example", "", "7") == ""
    assert link_to("https://n8n.example", "w", "") == ""
