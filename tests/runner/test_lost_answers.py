"""Calls that reached their platform and whose answer never came: found there, over real HTTP, and never made again.

The answer is lost in two ways: the connection breaks, or the process dies before it has written the answer down.
"""

from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.reconciliation import SEARCH_MS
from orchestrator_app.services.views import RunDetail
from tests.crashes import MortalWorld
from tests.runner.outside import DATA, OVER_HTTP, WORKFLOWS, Platforms, Workflow
from tests.running import WORKSPACE, World, driven, failure_of, graph, mapper, messages_of, nodes_of


def around(called: Node) -> Definition:
    return graph([called, mapper("b", got="data")], "a b")


async def after(world: World, run_id: str) -> RunDetail:
    run = await driven(world, run_id, answered=())
    assert run is not None
    return run


def assert_found(run: RunDetail, workflow: Workflow) -> None:
    """The run has the result of the one execution there is."""
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert isinstance(run.output, dict)
    got = run.output["got"]
    assert says(got, workflow.output), got
    assert len(workflow.executions()) == 1
    (attempt,) = nodes_of(run)["a"].attempts
    assert failure_of(attempt)["code"] == "outcome_unknown"
    assert any("call that got no answer was found" in said for said in messages_of(run))


def says(value: Any, wanted: Any) -> bool:
    """Whether the value has all that is wanted, at whatever place."""
    if value == wanted:
        return True
    if isinstance(value, dict) and isinstance(wanted, dict):
        return all(name in value and says(value[name], item) for name, item in wanted.items()) or any(
            says(item, wanted) for item in value.values()
        )
    return False


async def died(mortal: MortalWorld, run_moment: str, definition: Definition) -> str:
    """The id of a run whose process died at this moment; another one has started."""
    await mortal.crash()
    await mortal.begin()
    mortal.life.end_at(run_moment)
    run_id = await mortal.world.start(definition, DATA)
    await mortal.life.is_over.wait()
    await mortal.crash()
    await mortal.begin()
    return run_id


@pytest.mark.parametrize("name", OVER_HTTP)
async def test_a_call_whose_connection_broke_is_found_on_its_platform(platforms: Platforms, name: str):
    workflow = await platforms.workflow(name)
    platforms.fake.lose_answers()
    run_id = await platforms.world.start(around(workflow.node), DATA)
    assert_found(await after(platforms.world, run_id), workflow)


async def test_a_simulated_workflow_that_was_given_up_is_found(platforms: Platforms):
    workflow = await platforms.workflow("simulated")
    workflow.node.config["timeout"] = 20
    run_id = await platforms.world.start(around(workflow.node), DATA)
    assert_found(await after(platforms.world, run_id), workflow)


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_a_call_whose_process_died_before_it_noted_the_answer_is_found(platforms: Platforms, name: str):
    workflow = await platforms.workflow(name)
    mortal = MortalWorld(platforms.world)
    run_id = await died(mortal, "after a call", around(workflow.node))
    assert len(workflow.executions()) == 1
    assert_found(await after(platforms.world, run_id), workflow)
    await mortal.crash()


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_of_a_call_that_its_platform_does_not_know_a_person_decides(platforms: Platforms, name: str):
    world = platforms.world
    workflow = await platforms.workflow(name)
    mortal = MortalWorld(world)
    run_id = await died(mortal, "before a call", around(workflow.node))
    begun = world.clock.ms
    run = await after(world, run_id)
    assert len(workflow.executions()) == 0
    failed = nodes_of(run)["a"]
    assert (failure_of(failed)["code"], failed.needs_decision) == ("outcome_unknown", True)
    assert "It was looked for on" in failure_of(failed)["message"]
    assert world.clock.ms - begun == SEARCH_MS
    await world.interventions.decide(WORKSPACE, run_id, "a", "retry", trigger="ui")
    run = await after(world, run_id)
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert len(workflow.executions()) == 1
    await mortal.crash()


async def test_a_call_that_make_cannot_tell_from_others_is_left_to_a_person_with_a_link(platforms: Platforms):
    world = platforms.world
    workflow = await platforms.make_without_id()
    platforms.fake.lose_answers()
    run_id = await world.start(around(workflow.node), DATA)
    run = await after(world, run_id)
    failed = nodes_of(run)["a"]
    history = f"{platforms.fake.make.base}/16/scenarios/{workflow.node.config['workflowId']}/logs"
    assert (failure_of(failed)["code"], failed.needs_decision) == ("outcome_unknown", True)
    assert failure_of(failed)["message"].endswith(
        f"Make's log shows 1 execution since the call, and none that carries the id of the call. See {history}"
    )
    assert failure_of(failed)["detail"]["link"] == history
    await world.interventions.decide(WORKSPACE, run_id, "a", "done", output={"n": 1}, trigger="ui")
    run = await world.ended(run_id)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": 1}})
    assert len(workflow.executions()) == 1


async def test_a_call_that_flowise_refused_without_being_heard_is_not_waited_for_in_vain(
    platforms: Platforms,
):
    """The prediction API refuses flows with a webhook; when that answer is lost, nothing has begun."""
    world = platforms.world
    workflow = await platforms.workflow("Flowise, webhook")
    workflow.node.config.update(url="", pollingTimeout=3_600_000)
    platforms.fake.lose_answers()
    run_id = await world.start(around(workflow.node), DATA)
    run = await after(world, run_id)
    failed = nodes_of(run)["a"]
    assert (failure_of(failed)["code"], failed.needs_decision) == ("outcome_unknown", True)
    assert "not known whether the call arrived" in failure_of(failed)["message"]
    await world.interventions.decide(WORKSPACE, run_id, "a", "retry", trigger="ui")
    assert (await after(world, run_id)).summary.state == "COMPLETED"
    assert len(workflow.executions()) == 1
