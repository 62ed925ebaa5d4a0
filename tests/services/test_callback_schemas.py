"""What a callback's body must look like is said by a schema of the user; how callbacks are taken is in tests/runner."""

from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import InvalidInput
from orchestrator_app.runner.hub import Change
from tests.running import WORKSPACE, World, abandoned, graph, token_in, wait


async def waiting(world: World, schema: dict[str, Any] | None) -> tuple[str, str]:
    """Id and token of a run that waits for a body of this schema."""
    config = {"schema": schema} if schema is not None else {}
    run_id = await world.start(graph([wait("w", **config)]))
    run = await world.parked(run_id)
    return run_id, token_in(run.nodes[0].callback_url)


@pytest.mark.parametrize("schema", [None, {}, {"type": ["object", "null"]}])
async def test_a_body_that_meets_the_schema_is_taken(world: World, schema: dict[str, Any] | None):
    run_id, token = await waiting(world, schema)
    assert await world.call_back(run_id, token, None) == "accepted"
    assert (await world.ended(run_id)).output is None


async def test_every_error_of_a_body_is_told_up_to_a_limit(world: World):
    schema = {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    run_id, token = await waiting(world, schema)
    body: list[JsonValue] = [{"n": "x" * 1_000} for _ in range(30)]
    with pytest.raises(InvalidInput) as caught:
        await world.call_back(run_id, token, body)
    assert caught.value.message == "The body does not meet the schema of the node that waits."
    assert caught.value.hint == "Correct the body and call again; the token is still good."
    assert [error["field"] for error in caught.value.errors[:2]] == ["0/n", "1/n"]
    assert len(caught.value.errors) == 20
    assert len(caught.value.errors[0]["message"]) == 300


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"minLength": "x"},
        {"pattern": "("},
        {"$ref": "https://elsewhere.example/schema"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    ],
)
async def test_a_schema_that_is_wrong_itself_is_told_and_the_wait_goes_on(
    world: World, schema: dict[str, Any]
):
    run_id, token = await waiting(world, schema)
    with pytest.raises(InvalidInput) as caught:
        await world.call_back(run_id, token, "x")
    assert caught.value.message == "The schema of the node that waits is wrong itself."
    assert caught.value.errors[0]["field"] == "schema"
    assert (await world.parked(run_id)).nodes[0].state == "WAITING"


async def test_a_repeat_is_not_measured_by_the_schema(world: World):
    run_id, token = await waiting(world, {"type": "object"})
    await world.call_back(run_id, token, {"n": 1})
    assert await world.call_back(run_id, token, "no object") == "duplicate"


async def test_a_callback_is_told_to_open_pages(world: World):
    run_id, token = await waiting(world, None)
    await world.crash()
    orchestrator_id = (await world.runs.get(WORKSPACE, run_id)).summary.orchestrator_id
    async with world.hub.subscribe(WORKSPACE, run_id=run_id) as changes:
        await world.call_back(run_id, token, {})
        (change,) = await changes.take(1)
        assert await world.call_back(run_id, token, {}) == "duplicate"
        assert await changes.take(0) == []
    seq = (await world.runs.get(WORKSPACE, run_id)).summary.seq
    assert change == Change("run", WORKSPACE, run_id, seq, orchestrator_id)


async def test_a_callback_wakes_its_run_although_nobody_waits_for_the_answer_any_more(world: World):
    run_id, token = await waiting(world, None)
    await abandoned(world.database, world.call_back(run_id, token, {"n": 1}))
    assert (await world.ended(run_id)).output == {"n": 1}
