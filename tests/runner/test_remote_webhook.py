from typing import Any
from uuid import UUID, uuid5

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from tests.running import WORKSPACE, World, failure_of, graph, messages_of, node, webhook


async def sent(world: World, data: Any = None, **config: Any):
    """The call that a node with this config makes."""
    run = await world.run(graph([webhook("a", **config)]), data)
    assert run.summary.state == "COMPLETED", messages_of(run)
    return world.platform.calls[-1]


async def test_every_call_can_be_traced_to_its_run_and_node(sqlite_world: World):
    world = sqlite_world
    run = await world.run(graph([webhook("a"), webhook("b")], "a b"))
    run_id = run.summary.id
    first, second = world.platform.calls
    assert (first.correlation_id, second.correlation_id) == (f"{run_id}.a", f"{run_id}.b")
    assert first.idempotency_key == str(uuid5(UUID(run_id), "a"))
    version, trace, span, flags = first.traceparent.split("-")
    assert (version, trace, flags) == ("00", UUID(run_id).hex, "01")
    assert len(span) == 16
    assert second.traceparent.split("-")[1:3] != [trace, span]
    assert first.started_at == world.clock.ms


@pytest.mark.parametrize("node_id", ["ünïcode node", "with space", "a" * 100, "line\nbreak"])
async def test_odd_node_ids_make_correlation_ids_that_fit_into_a_header(sqlite_world: World, node_id: str):
    other = node_id[:-1] + "x"
    nodes = [webhook(node_id, workflowId="a"), webhook(other, workflowId="b")]
    await sqlite_world.run(graph(nodes))
    ids = [call.correlation_id for call in sqlite_world.platform.calls]
    assert len(set(ids)) == 2
    for correlation_id in ids:
        assert correlation_id.isascii()
        assert correlation_id.isprintable()
        assert " " not in correlation_id
        assert len(correlation_id) < 120


async def test_the_input_is_the_body_unless_a_template_says_otherwise(sqlite_world: World):
    assert (await sent(sqlite_world, {"n": [1]})).body == {"n": [1]}
    assert (await sent(sqlite_world, {"n": [1]}, bodyTemplate='{"m": {{ data.n }}}')).body == {"m": [1]}
    assert (await sent(sqlite_world, {"n": 1}, bodyTemplate="  ")).body == {"n": 1}


async def test_inputs_are_the_body_when_there_is_no_template(sqlite_world: World):
    inputs = {"order.id": "{{ data.n }}", "order.note": "No. {{ data.n }}", "all": "{{ data }}"}
    body = {"order": {"id": 7, "note": "No. 7"}, "all": {"n": 7}}
    assert (await sent(sqlite_world, {"n": 7}, inputs=inputs)).body == body
    assert (await sent(sqlite_world, {"n": 7}, inputs=inputs, method="GET")).body == body
    assert (await sent(sqlite_world, {"n": 7}, inputs=inputs, bodyTemplate='{"m": 1}')).body == {"m": 1}
    assert (await sent(sqlite_world, {"n": 7}, inputs={})).body == {"n": 7}


async def test_inputs_get_the_callback_unless_they_place_it_themselves(sqlite_world: World):
    placed = {"n": "1", "hook": "{{ nodes.a.callbackUrl }}"}
    for inputs in ({"n": "1"}, placed):
        run_id = await sqlite_world.start(graph([webhook("a", completion="callback", inputs=inputs)]))
        await sqlite_world.parked(run_id)
    first, second = sqlite_world.platform.calls
    assert first.body == {
        "n": "1",
        "callbackUrl": first.callback_url,
        "correlationToken": first.callback_token,
    }
    assert second.body == {"n": "1", "hook": second.callback_url}


async def test_a_get_has_no_body_of_its_own(sqlite_world: World):
    assert (await sent(sqlite_world, {"n": 1}, method="GET")).body is None
    call = await sent(sqlite_world, {"n": 1}, method="GET", bodyTemplate='{"n": {{ n }}}')
    assert (call.method, call.body) == ("GET", {"n": 1})


async def test_address_and_headers_are_templates(sqlite_world: World):
    call = await sent(
        sqlite_world,
        {"id": 7, "who": "Ada"},
        url=" https://x.example/orders/{{ data.id }} ",
        headers={"X-Who": "{{ who }}", "X-Fixed": "1"},
    )
    assert call.url == "https://x.example/orders/7"
    assert call.headers == {"X-Who": "Ada", "X-Fixed": "1"}


async def test_with_another_content_type_the_body_is_text(sqlite_world: World):
    form = {"Content-TYPE": "application/x-www-form-urlencoded"}
    call = await sent(sqlite_world, {"n": "a&b"}, headers=form, bodyTemplate="x={{ $encodeUrlComponent(n) }}")
    assert (call.text_body, call.body) == ("x=a%26b", None)
    json = {"content-type": "application/vnd.api+json; charset=utf-8"}
    call = await sent(sqlite_world, {"n": 1}, headers=json, bodyTemplate='{"n": {{ n }}}')
    assert (call.text_body, call.body) == (None, {"n": 1})


async def test_the_config_travels_with_the_call(sqlite_world: World):
    call = await sent(
        sqlite_world, provider="n8n", connectionId="c1", workflowId="w1", method="PUT", timeout=1_500
    )
    assert (call.provider, call.connection_id, call.workflow_id) == ("n8n", "c1", "w1")
    assert (call.method, call.timeout_seconds, call.is_idempotent) == ("PUT", 1.5, True)
    assert (call.completion, call.callback_url, call.callback_token) == ("response", "", "")
    assert not (await sent(sqlite_world)).is_idempotent


async def test_what_is_sent_and_received_is_noted(world: World):
    world.platform.on_call(
        "a", RemoteAnswer("completed", {"n": 1}, 201, {"etag": "x"}, remote_id="77", link="https://n8n/77")
    )
    url = "https://x.example/{{ data.id }}"
    run = await world.run(graph([webhook("a", url=url, headers={"X-A": "1"})]), {"id": 7})
    (attempt,) = run.nodes[0].attempts
    call = world.platform.calls[0]
    assert attempt.request == {
        "method": "POST",
        "url": "https://x.example/7",
        "headers": {"X-A": "1"},
        "body": {"id": 7},
        "provider": "simulated",
        "connectionId": "",
        "workflowId": "a",
        "correlationId": call.correlation_id,
        "idempotencyKey": call.idempotency_key,
    }
    assert attempt.response == {
        "status": 201,
        "headers": {"etag": "x"},
        "body": {"n": 1},
        "executionId": "77",
        "link": "https://n8n/77",
    }
    assert (attempt.number, attempt.status_code) == (1, 201)


async def test_what_is_sent_is_on_disk_before_it_is_sent(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]), {"n": 1})
    await world.platform.called("a")
    run = await world.runs.get(WORKSPACE, run_id)
    (attempt,) = run.nodes[0].attempts
    assert (run.nodes[0].state, run.nodes[0].input) == ("RUNNING", {"n": 1})
    assert (attempt.number, attempt.ended_date, attempt.request["body"]) == (1, None, {"n": 1})
    held.answer({})
    await world.ended(run_id)


async def test_of_a_large_body_the_attempt_notes_the_beginning(sqlite_world: World):
    large: dict[str, Any] = {"rows": ["é" * 100] * 1_000}
    run = await sqlite_world.run(graph([webhook("a")]), large)
    (attempt,) = run.nodes[0].attempts
    assert run.output == run.input == large
    for noted in (attempt.request["body"], (attempt.response or {})["body"]):
        assert isinstance(noted, str)
        assert noted.startswith('{"rows": ["éé')
        assert len(noted) < 66_000
        assert noted.endswith(" bytes in all)")


@pytest.mark.parametrize(
    ("value", "is_met"),
    [
        (True, True),
        ("text", True),
        ([0, 1], True),
        (False, False),
        ("", False),
        (None, False),
        ([], False),
        ([0], False),
    ],
)
async def test_a_success_condition_decides_about_the_answer(sqlite_world: World, value: object, is_met: bool):  # noqa: FBT001
    sqlite_world.platform.on_call("a", {"ok": value})
    run = await sqlite_world.run(graph([webhook("a", successCondition="data.ok")]))
    assert run.summary.state == ("COMPLETED" if is_met else "FAILED")


async def test_an_answer_that_does_not_meet_the_condition_is_kept_in_the_attempt(world: World):
    world.platform.on_call("a", RemoteAnswer("completed", {"status": "sold out"}, 200))
    run = await world.run(graph([webhook("a", successCondition="data.status = 'ok'")]))
    failure = failure_of(run.nodes[0])
    assert failure["code"] == "success_condition"
    assert failure["message"] == "The answer does not meet the success condition: data.status = 'ok'"
    (attempt,) = run.nodes[0].attempts
    assert attempt.status_code == 200
    assert attempt.response == {"status": 200, "headers": {}, "body": {"status": "sold out"}}
    assert attempt.failure == failure


async def test_the_success_condition_sees_the_answer_and_earlier_nodes(sqlite_world: World):
    sqlite_world.platform.on_call("b", {"n": 2})
    met = "data.n > nodes.a.output.n and run.input.n = 1"
    run = await sqlite_world.run(graph([webhook("a"), webhook("b", successCondition=met)], "a b"), {"n": 1})
    assert run.summary.state == "COMPLETED"


async def test_a_blank_success_condition_is_none(sqlite_world: World):
    sqlite_world.platform.on_call("a", {"ok": False})
    run = await sqlite_world.run(graph([webhook("a", successCondition="  ")]))
    assert run.output == {"ok": False}


async def test_expressions_see_the_run(sqlite_world: World):
    template = '{"id": "{{ run.id }}", "name": "{{ run.orchestratorName }}", "in": {{ run.input }}, "at": {{ run.createdDate }}}'
    call = await sent(sqlite_world, {"n": 1}, bodyTemplate=template)
    assert call.body == {
        "id": call.correlation_id.removesuffix(".a"),
        "name": "Nightly",
        "in": {"n": 1},
        "at": sqlite_world.clock.ms,
    }


async def test_of_nodes_with_the_same_label_the_first_is_meant_and_ids_win(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("1", {"n": 1})
    world.platform.on_call("2", {"n": 2})
    same = [
        node(name, "RemoteWebhook", label=label, provider="simulated", workflowId=name)
        for name, label in (("1", "Same"), ("2", "Same"), ("3", "1"))
    ]
    last = webhook("x", bodyTemplate='{"label": {{ nodes.Same.output.n }}, "id": {{ nodes.`1`.output.n }}}')
    await world.run(graph([*same, last], "1 x, 2 x, 3 x"))
    assert world.platform.calls_of("x")[0].body == {"label": 1, "id": 1}
