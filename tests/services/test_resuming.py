"""Waits that people end by hand, with what the callback would have said."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, Conflict, InvalidInput, NotFound
from tests.running import (
    WORKSPACE,
    World,
    abandoned,
    graph,
    mapper,
    messages_of,
    nodes_of,
    token_in,
    wait,
    webhook,
)


async def resume(world: World, run_id: str, node_id: str = "w", body: JsonValue = None) -> None:
    await world.life.callbacks.resume(WORKSPACE, run_id, node_id, body, trigger="ui")


async def waiting(world: World, **config: JsonValue) -> str:
    run_id = await world.start(graph([wait("w", **config), mapper("end", got="data")], "w end"))
    await world.parked(run_id)
    return run_id


async def test_a_wait_is_ended_by_hand_and_the_log_says_so(world: World):
    run_id = await waiting(world)
    await resume(world, run_id, body={"n": 1})
    run = await world.ended(run_id)
    assert run.output == {"got": {"n": 1}}
    assert "The wait was ended by hand, with a body in place of the callback." in messages_of(run)
    assert "A callback arrived." not in messages_of(run)


async def test_a_called_back_workflow_is_resumed_by_hand_on_its_newest_token(world: World):
    run_id = await world.start(graph([webhook("w", completion="callback")]))
    await world.parked(run_id)
    await resume(world, run_id, body={"n": 1})
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_of_a_callback_and_many_hands_one_ends_the_wait(world: World):
    run_id = await waiting(world)
    token = (await world.tokens_of(run_id))["w"][0]
    said = await asyncio.gather(
        *(resume(world, run_id, body={"n": number}) for number in range(6)),
        world.call_back(run_id, token, {"n": 9}),
        return_exceptions=True,
    )
    run = await world.ended(run_id)
    assert sum(isinstance(one, Conflict) or one == "duplicate" for one in said) == 6
    assert sum("ended by hand" in message or "arrived" in message for message in messages_of(run)) == 1


async def test_what_does_not_wait_cannot_be_resumed(world: World):
    run_id = await waiting(world, schema={"type": "object", "required": ["n"]})
    for node_id in ("end", "never-was"):
        with pytest.raises(Conflict, match="does not wait for a callback"):
            await resume(world, run_id, node_id)
    with pytest.raises(NotFound, match="no such run"):
        await resume(world, "never-was")
    with pytest.raises(NotFound, match="no such run"):
        await world.life.callbacks.resume("another", run_id, "w", {}, trigger="ui")
    with pytest.raises(InvalidInput):
        await resume(world, run_id, body={"m": 1})
    with pytest.raises(BadRequest):
        await resume(world, run_id, body={"n": "\ud800"})
    await world.runs.cancel(WORKSPACE, run_id)
    with pytest.raises(Conflict):
        await resume(world, run_id, body={"n": 1})


async def test_a_token_that_is_not_awaited_yet_is_not_used_up_by_hand(world: World):
    held = world.platform.hold("first")
    run_id = await world.start(graph([webhook("first"), wait("w")], "first w"))
    await world.platform.called("first")
    with pytest.raises(Conflict):
        await resume(world, run_id)
    held.answer({})
    run = await world.parked(run_id)
    assert token_in(nodes_of(run)["w"].callback_url)


async def test_a_wait_that_ends_between_look_and_write_is_not_ended_twice(world: World):
    run_id = await waiting(world)
    read = world.database.read

    async def late(work: Any) -> Any:
        found = await read(work)
        patch.undo()
        await world.runs.cancel(WORKSPACE, run_id)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.database, "read", late)
        with pytest.raises(Conflict, match="does not wait"):
            await resume(world, run_id)


async def test_a_wait_goes_on_although_nobody_waits_for_the_answer_any_more(world: World):
    run_id = await waiting(world)
    await abandoned(world.database, resume(world, run_id, body={"n": 1}))
    assert (await world.ended(run_id)).output == {"got": {"n": 1}}
