"""A plain address has no API of its platform: it is polled by a status address and conditions."""

from dataclasses import replace

import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import CredentialUnreadable
from orchestrator_app.storage.sql import text
from tests.fakes.server import FakeServer
from tests.running import World, driven, failure_of, graph, node, webhook

STATUS = "https://jobs.example/7"
PLAIN = {
    "provider": "custom",
    "url": "https://jobs.example/start",
    "doneCondition": "data.state = 'done'",
    "failedCondition": "data.state in ['failed', 'dead']",
}


def polled(**config: object):
    """A node whose looks are an hour apart, so that each of them needs a push."""
    return webhook("a", **{"completion": "poll", "pollingInterval": 3_600_000, **PLAIN, **config})


async def looked(world: World, count: int) -> None:
    """Let one look after the other happen, until there were so many."""
    for number in range(count):
        await world.at_rest()
        world.advance(4_000_000)
        await world.platform.looked_at("a", number + 1)


def state(name: str) -> RemoteLook:
    return RemoteLook("running", {"state": name})


async def test_a_plain_address_is_asked_until_its_condition_is_true(world: World):
    world.platform.on_call("a", RemoteAnswer("running", {"job": {"url": STATUS}}, status_code=202))
    world.platform.on_look("a", state("new"), RemoteLook("running", None), state("done"))
    run_id = await world.start(graph([polled(statusUrl="{{ job.url }}?full=1")]), {"job": "input"})
    await looked(world, 3)
    assert (await world.ended(run_id)).output == {"state": "done"}
    assert {call.status_url for call, _ in world.platform.looks} == {f"{STATUS}?full=1"}


async def test_conditions_of_an_earlier_address_do_not_judge_what_a_platform_tells(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running", remote_id="7"))
    world.platform.on_look("a", RemoteLook("running"), {"n": 1})
    config = {"provider": "n8n", "url": "", "connectionId": "c", "doneCondition": "$not($exists(data.state))"}
    run_id = await world.start(graph([polled(**config)]))
    await looked(world, 2)
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_without_a_status_address_the_answer_tells_it(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running", location=STATUS))
    world.platform.on_look("a", state("done"))
    run_id = await world.start(graph([polled()]))
    await looked(world, 1)
    await world.ended(run_id)
    assert world.platform.looks[0][0].status_url == STATUS


async def test_an_answer_that_tells_no_status_address_fails_the_node(sqlite_world: World):
    sqlite_world.platform.on_call("a", RemoteAnswer("running", {"ok": True}))
    failure = failure_of((await sqlite_world.run(graph([polled()]))).nodes[0])
    assert failure["code"] == "unreadable_answer"
    assert failure["message"].startswith("The answer has no header Location")


async def test_a_plain_address_may_tell_that_it_failed(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running"))
    world.platform.on_look("a", RemoteLook("running", {"state": "dead", "why": "No disk."}))
    run_id = await world.start(graph([polled(statusUrl=STATUS)]))
    await looked(world, 1)
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert failure["code"] == "remote_failed"
    assert "No disk." in failure["message"]


async def test_a_condition_that_fails_fails_the_node(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running"))
    world.platform.on_look("a", RemoteLook("running", {"n": 1}))
    broken = {"doneCondition": "$error('Oh.')", "failedCondition": ""}
    run_id = await world.start(graph([polled(**broken, statusUrl=STATUS)]))
    await looked(world, 1)
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "expression_error"


@pytest.mark.parametrize("told_by", ["node", "answer"])
async def test_a_token_in_the_status_address_is_kept_sealed_and_shown_nowhere(
    http_world: World, fake_server: FakeServer, told_by: str
):
    world, token = http_world, "s3cret-of-the-status-address"
    job = f"{fake_server.url}/job/a?looks=2&end=done&token={token}"
    polling = node(
        "a",
        "RemoteWebhook",
        url=job,
        completion="poll",
        statusUrl=job if told_by == "node" else "",
        doneCondition="data.status = 'done'",
    )
    run_id = await world.start(graph([polling]))
    run = await world.parked(run_id)
    memo = await world.database.read(
        lambda connection: connection.execute(text("SELECT memo FROM node_run")).scalar_one()
    )
    assert "statusUrl" in memo
    assert token not in memo
    assert fake_server.url.removeprefix("http://") in memo
    run = await driven(world, run_id)
    assert run is not None
    assert (run.summary.state, run.output) == ("COMPLETED", {"status": "done", "result": {"looks": 2}})
    assert token not in f"{run.nodes}{run.logs}"
    assert {look.query["token"] for look in fake_server.calls("/job/a", method="GET")} == {token}


async def test_a_status_address_that_an_older_release_has_kept_is_still_looked_at(
    http_world: World, fake_server: FakeServer
):
    call = RemoteCall(
        "custom", status_url=f"{fake_server.url}/job/a", correlation_id="r.a", timeout_seconds=5
    )
    assert (await http_world.gateway.poll("default", call, {})).state == "running"
    sealed = http_world.gateway.sealed_address(call, call.status_url)
    elsewhere = replace(call, status_url=sealed, correlation_id="r.b")
    with pytest.raises(CredentialUnreadable):
        await http_world.gateway.poll("default", elsewhere, {})
