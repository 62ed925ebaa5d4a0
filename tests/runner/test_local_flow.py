import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import OutcomeUnknown
from tests.running import World, failure_of, graph, node


async def test_a_flow_is_asked_and_its_answer_is_the_output(world: World):
    world.platform.on_call("f", {"text": "Hello Ada"})
    flow = node(
        "a", "LocalFlow", flowId="f", connectionId="c1", question="Greet {{ data.name }}", timeout=5_000
    )
    run = await world.run(graph([flow]), {"name": "Ada"})
    assert run.output == {"text": "Hello Ada"}
    (call,) = world.platform.calls
    assert call.body == {"question": "Greet Ada"}
    assert (call.provider, call.connection_id, call.workflow_id) == ("flowise", "c1", "f")
    assert (call.url, call.timeout_seconds, call.is_idempotent) == ("", 5.0, False)
    assert call.correlation_id == f"{run.summary.id}.a"
    assert call.idempotency_key
    assert call.traceparent
    (attempt,) = run.nodes[0].attempts
    assert attempt.request["body"] == {"question": "Greet Ada"}
    assert attempt.request["flowId"] == "f"
    assert attempt.response == {"status": 200, "headers": {}, "body": {"text": "Hello Ada"}}


async def test_without_a_question_the_input_is_asked_as_json(sqlite_world: World):
    flow = node("a", "LocalFlow", flowId="f", baseURL="http://127.0.0.1:{{ data.port }}")
    await sqlite_world.run(graph([flow]), {"port": 3000})
    (call,) = sqlite_world.platform.calls
    assert call.body == {"question": '{"port":3000}'}
    assert call.url == "http://127.0.0.1:3000"


async def test_the_built_in_connection_asks_a_simulated_flow(sqlite_world: World):
    flow = node("a", "LocalFlow", flowId="chat", connectionId="simulated", question="Hi")
    await sqlite_world.run(graph([flow]))
    assert sqlite_world.platform.calls[0].provider == "simulated"


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_a_flow_that_fails_fails_its_node(sqlite_world: World, state: str):
    sqlite_world.platform.on_call("f", RemoteAnswer(state, status_code=500, message="No model."))  # pyright: ignore[reportArgumentType]
    run = await sqlite_world.run(
        graph([node("a", "LocalFlow", flowId="f", baseURL="http://x", question="Hi")])
    )
    failure = failure_of(run.nodes[0])
    assert (failure["code"], failure["message"]) == ("remote_failed", "The flow failed: No model.")
    assert run.nodes[0].attempts[0].status_code == 500


async def test_a_question_is_never_asked_twice(sqlite_world: World):
    sqlite_world.platform.on_call("f", OutcomeUnknown("No answer."))
    run = await sqlite_world.run(
        graph([node("a", "LocalFlow", flowId="f", baseURL="http://x", question="Hi")])
    )
    assert failure_of(run.nodes[0])["code"] == "outcome_unknown"
    assert len(sqlite_world.platform.calls) == 1
