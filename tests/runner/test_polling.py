import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteLook
from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderUnavailable
from orchestrator_app.runner.poller import LEASE_MS
from tests.running import World, failure_of, graph, messages_of, node, nodes_of, states_of, webhook

STARTED = RemoteAnswer("running", {"message": "Workflow was started"}, remote_id="77", memo={"id": 77})
RUNNING = RemoteLook("running", remote_id="77", memo={"id": 77})
DOWN = ProviderUnavailable("The platform is down.")


def polled(node_id: str = "a", **config: object):
    """A node whose looks are an hour apart, so that each of them needs a push."""
    return webhook(node_id, **{"completion": "poll", "pollingInterval": 3_600_000, **config})


async def looked(world: World, count: int) -> None:
    """Let one look after the other happen, until there were so many."""
    for number in range(count):
        await world.at_rest()
        world.advance(4_000_000)
        await world.platform.looked_at("a", number + 1)


async def test_a_polled_workflow_is_looked_at_until_it_has_ended(world: World):
    world.platform.on_call("a", STARTED)
    done = RemoteLook("completed", {"n": 1}, remote_id="77", link="https://n8n.example/77")
    world.platform.on_look("a", RUNNING, RUNNING, done)
    run_id = await world.start(graph([polled()]), {"order": 7})
    run = await world.parked(run_id)
    assert run.nodes[0].wait_reason == "poll"
    await looked(world, 3)
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    assert len(world.platform.calls) == 1
    (attempt,) = run.nodes[0].attempts
    assert attempt.response == {
        "status": 200,
        "headers": {},
        "body": {"message": "Workflow was started"},
        "executionId": "77",
    }
    assert messages_of(run) == [
        "The run started.",
        "Started on simulated; polling for the result.",
        "The result is that of execution 77 https://n8n.example/77.",
        "The run completed.",
    ]


async def test_a_look_knows_what_the_answer_and_the_last_look_left_for_it(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RemoteLook("running", memo={"id": 77, "seen": 1}), {"n": 1})
    run_id = await world.start(graph([polled(timeout=5_000)]), {"order": 7})
    begun = world.clock.ms
    await looked(world, 2)
    await world.ended(run_id)
    (first, memo), (second, later_memo) = world.platform.looks
    assert memo == {"id": 77}
    assert later_memo == {"id": 77, "seen": 1}
    call = world.platform.calls[0]
    for look in (first, second):
        assert (look.correlation_id, look.idempotency_key) == (call.correlation_id, call.idempotency_key)
        assert (look.provider, look.workflow_id, look.timeout_seconds) == ("simulated", "a", 5.0)
        assert (look.started_at, look.body, look.is_idempotent) == (begun, None, True)


async def test_looks_grow_apart_up_to_half_a_minute(sqlite_world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("orchestrator_app.runner.poller.uniform", lambda *_: 0.0)
    monkeypatch.setattr("orchestrator_app.runner.handlers.remote_work.uniform", lambda *_: 0.0)
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RUNNING)
    run_id = await world.start(graph([polled(pollingInterval=16_000, pollingTimeout=1_000_000)]))
    await world.parked(run_id)
    pauses: list[int] = []
    for _ in range(5):
        due = (await world.parked(run_id)).nodes[0].wake_at
        assert due is not None
        pauses.append(due - world.clock.ms)
        world.advance(pauses[-1])
        await world.at_rest()
    assert pauses == [16_000, 16_000, 20_000, 25_000, 30_000]


async def test_a_polling_timeout_counts_instead_of_the_number_of_polls(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RUNNING)
    node = polled(pollingInterval=10_000, pollingTimeout=21_000, maxPollingAttempts=100)
    run_id = await world.start(graph([node]))
    begun = world.clock.ms
    await world.at_rest()
    while world.dispatcher.active == 0 and (run := await world.runs.get("default", run_id)).nodes[0].wake_at:
        world.advance(run.nodes[0].wake_at - world.clock.ms)
        await world.at_rest()
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert (failure["code"], world.clock.ms - begun) == ("poll_timeout", 21_000)


async def test_what_a_look_says_is_told_once(world: World):
    world.platform.on_call("a", STARTED)
    waiting = RemoteLook("running", message="It waits for a person.")
    world.platform.on_look("a", RUNNING, waiting, waiting, {"n": 1})
    run_id = await world.start(graph([polled()]))
    await looked(world, 3)
    await world.at_rest()
    (status,) = (await world.runs.live("default", run_id)).statuses
    assert (status.says, status.message) == ("It waits for a person.", "")
    await looked(world, 4)
    assert messages_of(await world.ended(run_id)).count("It waits for a person.") == 1


async def test_a_result_that_may_be_anothers_is_told_as_such(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    doubt = "It is the run that began next after the call."
    world.platform.on_look("a", RemoteLook("completed", {"n": 1}, message=doubt, is_certain=False))
    run_id = await world.start(graph([polled()]))
    await looked(world, 1)
    run = await world.ended(run_id)
    assert (run.output, [line.message for line in run.logs if line.level == "warning"]) == ({"n": 1}, [doubt])


async def test_ten_minutes_of_outage_are_survived_and_do_not_count(world: World):
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", DOWN)
    # Without the outage it would be over after a minute.
    run_id = await world.start(graph([polled(pollingInterval=2_000)]))
    await world.at_rest()
    begun = world.clock.ms
    while world.clock.ms - begun < 10 * 60_000:
        world.advance(3_000)
        await world.at_rest()
    assert (await world.parked(run_id)).nodes[0].state == "WAITING"
    world.platform.on_look("a", RUNNING, {"n": 1})
    for _ in range(2):
        world.advance(40_000)
        await world.at_rest()
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    assert len([line for line in run.logs if line.level == "warning"]) == 1


async def test_looks_are_the_interval_apart_but_for_a_little_chance(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RUNNING)
    run_id = await world.start(graph([polled(pollingInterval=100_000)]))
    due = (await world.parked(run_id)).nodes[0].wake_at
    assert due is not None
    assert 90_000 <= due - world.clock.ms <= 110_000


async def test_a_workflow_that_never_ends_fails_after_the_most_looks(world: World):
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RemoteLook("running", remote_id="77", message="It waits for a form."))
    run_id = await world.start(graph([polled(maxPollingAttempts=3)]))
    await looked(world, 3)
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert failure["code"] == "poll_timeout"
    assert failure["message"] == "After 3 looks there was no result. It waits for a form."
    assert messages_of(await world.ended(run_id))[2] == "It waits for a form."
    assert failure["detail"]["executionId"] == "77"
    assert world.platform.looks_at("a") == 3


@pytest.mark.parametrize(
    ("look", "code", "message"),
    [
        (RemoteLook("failed", message="Boom.", remote_id="77", link="x"), "remote_failed", "failed: Boom."),
        (RemoteLook("cancelled"), "remote_cancelled", "was cancelled."),
    ],
)
async def test_a_remote_failure_seen_by_polling_fails_the_node(
    sqlite_world: World, look: RemoteLook, code: str, message: str
):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", look)
    run_id = await world.start(graph([polled(retryAttempts=5)]))
    await looked(world, 1)
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert failure["code"] == code
    assert failure["message"] == f"The remote workflow {message}"
    assert len(world.platform.calls) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (RemoteAnswer("failed", status_code=500), "remote_failed"),
        (RemoteAnswer("cancelled"), "remote_cancelled"),
    ],
)
async def test_a_remote_failure_told_by_the_answer_fails_the_node(
    sqlite_world: World, answer: RemoteAnswer, code: str
):
    sqlite_world.platform.on_call("a", answer)
    run = await sqlite_world.run(graph([polled()]))
    assert failure_of(run.nodes[0])["code"] == code
    assert run.nodes[0].attempts[0].status_code == answer.status_code
    assert sqlite_world.platform.looks == []


async def test_an_answer_that_is_the_result_needs_no_look(sqlite_world: World):
    sqlite_world.platform.on_call("a", RemoteAnswer("completed", {"n": 1}))
    assert (await sqlite_world.run(graph([polled()]))).output == {"n": 1}
    assert sqlite_world.platform.looks == []


async def test_looks_that_cannot_be_made_do_not_count_and_are_reported_once(world: World):
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RUNNING, DOWN, DOWN, RemoteLook("completed", {"n": 1}))
    run_id = await world.start(graph([polled(maxPollingAttempts=3, pollingInterval=200_000)]))
    for number in range(4):
        await world.at_rest()
        world.advance(220_000)
        await world.platform.looked_at("a", number + 1)
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    reported = [line for line in run.logs if line.level == "warning"]
    assert [line.message for line in reported] == [
        "Polling goes on although a look failed: The platform is down."
    ]
    assert reported[0].node_id == "a"


async def test_after_an_outage_polling_starts_to_tolerate_anew(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", DOWN, RUNNING, DOWN, RUNNING, {"n": 1})
    run_id = await world.start(graph([polled(pollingInterval=600_000)]))
    for number in range(5):
        await world.at_rest()
        world.advance(660_000)
        await world.platform.looked_at("a", number + 1)
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    assert len([line for line in run.logs if line.level == "warning"]) == 2


async def test_an_outage_without_end_fails_the_node(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", DOWN)
    run_id = await world.start(graph([polled()]))
    await looked(world, 2)
    run = await world.ended(run_id)
    assert failure_of(run.nodes[0])["code"] == "provider_unavailable"


async def test_a_refused_key_ends_polling_at_once(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", CredentialRefused("The key is not accepted."))
    run_id = await world.start(graph([polled()]))
    await looked(world, 1)
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "credential_refused"


async def test_a_busy_platform_is_looked_at_no_sooner_than_it_asks(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", ProviderBusy("Too many requests.", retry_after_seconds=3_600), {"n": 1})
    run_id = await world.start(graph([polled(pollingInterval=100_000)]))
    await world.at_rest()
    world.advance(110_000)
    await world.platform.looked_at("a", 1)
    run = await world.parked(run_id)
    assert run.nodes[0].wake_at == world.clock.ms + 3_600_000


async def test_an_execution_that_the_platform_does_not_know_yet_is_given_time(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    unknown = RemoteLook("unknown", message="No execution has this id.")
    world.platform.on_look("a", unknown, unknown, RUNNING, unknown, unknown, {"n": 1})
    run_id = await world.start(graph([polled()]))
    await looked(world, 6)
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_an_execution_that_stays_unknown_has_an_unknown_outcome(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", RemoteLook("unknown", message="No execution has this id."))
    run_id = await world.start(graph([polled(), node("b", "ErrorBoundary")], "a:error b"))
    await looked(world, 3)
    run = await world.ended(run_id)
    failure = failure_of(nodes_of(run)["a"])
    assert failure["code"] == "outcome_unknown"
    assert failure["message"] == "No execution has this id."
    assert states_of(run)["b"] == "COMPLETED"


async def test_polling_outlives_the_process_and_an_interrupted_look_does_not_count(world: World):
    world.platform.on_call("a", STARTED)
    held = world.platform.hold("a")
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", held)
    run_id = await world.start(graph([polled(maxPollingAttempts=2)]))
    await looked(world, 1)
    world.platform.on_look("a", RUNNING, RUNNING, {"n": 1})
    await world.restart()
    world.advance(LEASE_MS)
    await world.platform.looked_at("a", 2)
    await world.at_rest()
    world.advance(4_000_000)
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    assert len(world.platform.calls) == 1


async def test_the_result_of_polling_must_meet_the_success_condition(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", {"ok": False})
    run_id = await world.start(graph([polled(successCondition="data.ok")]))
    await looked(world, 1)
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "success_condition"


async def test_a_node_of_old_is_polled_when_it_says_so(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", {"n": 1})
    run_id = await world.start(graph([webhook("a", enablePolling=True, pollingInterval=3_600_000)]))
    await looked(world, 1)
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_a_result_that_is_too_large_fails_the_node(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_look("a", "x" * 1_100_000)
    run_id = await world.start(graph([polled()]))
    await looked(world, 1)
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "output_too_large"
