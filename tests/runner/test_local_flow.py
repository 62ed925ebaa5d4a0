from orchestrator_app.domain.remote import RemoteAnswer, RemoteLook
from orchestrator_app.errors import OutcomeUnknown
from tests.running import World, failure_of, graph, messages_of, node


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
    assert (attempt.request["provider"], attempt.request["workflowId"]) == ("flowise", "f")
    assert (attempt.request["connectionId"], attempt.request["correlationId"]) == ("c1", call.correlation_id)
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


async def test_a_flow_that_fails_fails_its_node(sqlite_world: World):
    sqlite_world.platform.on_call("f", RemoteAnswer("failed", status_code=500, message="No model."))
    run = await sqlite_world.run(
        graph([node("a", "LocalFlow", flowId="f", baseURL="http://x", question="Hi")])
    )
    failure = failure_of(run.nodes[0])
    assert (failure["code"], failure["message"]) == ("remote_failed", "The remote workflow failed: No model.")
    assert run.nodes[0].attempts[0].status_code == 500


async def test_a_question_is_never_asked_twice(sqlite_world: World):
    sqlite_world.platform.can -= {"poll"}
    sqlite_world.platform.on_call("f", OutcomeUnknown("No answer."))
    run = await sqlite_world.run(
        graph([node("a", "LocalFlow", flowId="f", baseURL="http://x", question="Hi")])
    )
    assert failure_of(run.nodes[0])["code"] == "outcome_unknown"
    assert len(sqlite_world.platform.calls) == 1


async def test_inputs_stand_beside_the_question(sqlite_world: World):
    inputs = {"form.name": "{{ data.name }}", "form.age": "{{ data.age }}", "chatId": "x {{ data.age }}"}
    flow = node("a", "LocalFlow", flowId="f", connectionId="c1", question="Hi", inputs=inputs, streaming=True)
    await sqlite_world.run(graph([flow]), {"name": "Ada", "age": 36})
    assert sqlite_world.platform.calls[0].body == {
        "form": {"name": "Ada", "age": 36},
        "chatId": "x 36",
        "question": "Hi",
        "streaming": True,
    }


async def test_with_inputs_alone_nothing_is_asked(sqlite_world: World):
    flow = node("a", "LocalFlow", flowId="f", connectionId="c1", inputs={"form.name": "Ada"})
    await sqlite_world.run(graph([flow]), {"n": 1})
    assert sqlite_world.platform.calls[0].body == {"form": {"name": "Ada"}}


async def test_a_flow_that_waits_for_a_person_is_polled_until_it_has_ended(world: World):
    says = "It waits for a person at “Approve” in Flowise."
    world.platform.on_call("f", RemoteAnswer("running", message=says, remote_id="9", memo={"id": "9"}))
    world.platform.on_look("f", RemoteLook("running", message=says, memo={"id": "9"}), {"text": "Approved"})
    run_id = await world.start(graph([node("a", "LocalFlow", flowId="f", connectionId="c1", question="Hi")]))
    run = await world.parked(run_id)
    assert (run.nodes[0].wait_reason, messages_of(run)) == ("poll", ["The run started.", says])
    (status,) = (await world.runs.live("default", run_id)).statuses
    assert (status.says, status.waits_since) == (says, world.clock.ms)
    for _ in range(2):
        world.advance(5_000)
        await world.at_rest()
    run = await world.ended(run_id)
    assert run.output == {"text": "Approved"}
    assert [memo for _, memo in world.platform.looks] == [{"id": "9"}, {"id": "9"}]
    assert world.platform.looks[0][0].completion == "poll"


async def test_a_flow_that_cannot_be_asked_gives_the_answer_it_gave(sqlite_world: World):
    sqlite_world.platform.can = frozenset({"execute", "response"})
    sqlite_world.platform.on_call("f", RemoteAnswer("running", {"text": "So far"}))
    run = await sqlite_world.run(
        graph([node("a", "LocalFlow", flowId="f", connectionId="c1", question="Hi")])
    )
    assert run.output == {"text": "So far"}


async def test_a_flow_may_be_done_when_it_calls_back(world: World):
    world.platform.on_call("f", RemoteAnswer("running", {"status": "PROCESSING"}, status_code=202))
    question = "Tell {{ run.callbackUrl }}"
    flow = node("a", "LocalFlow", flowId="f", connectionId="c1", question=question, completion="callback")
    run_id = await world.start(graph([flow]))
    run = await world.parked(run_id)
    (call,) = world.platform.calls
    assert (call.completion, call.callback_url) == ("callback", run.nodes[0].callback_url)
    assert call.body == {"question": f"Tell {call.callback_url}"}
    await world.call_back(run_id, call.callback_token, {"status": "SUCCESS"})
    assert (await world.ended(run_id)).output == {"status": "SUCCESS"}
