"""The n8n adapter on the recorded answers themselves: what it makes of each, byte for byte as it came."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.n8n_api import ALL_LISTS, PERMISSIONS
from tests.fakes.connections import remote_call
from tests.fakes.recordings import names, recording
from tests.providers.raw_server import RawServer, answer

RELEASES = pytest.mark.parametrize("release", [2, 1])
FAILED = "failed"
COMPLETED = "completed"
Expected = str | type[ProviderError]

# What a webhook's answer comes to; where the releases differ, that of 2.41.1 first. The rest is completed.
WEBHOOKS: dict[str, Expected | tuple[Expected, Expected]] = {
    "webhook_b_empty": FAILED,
    "webhook_bad_json": ProviderRefused,
    "webhook_c_noreach": (FAILED, FAILED),
    "webhook_d_code": FAILED,
    "webhook_d_http": FAILED,
    "webhook_d_resp": (FAILED, COMPLETED),
    "webhook_d_stop": FAILED,
    "webhook_e_auth_missing": CredentialRefused,
    "webhook_e_auth_wrong": CredentialRefused,
    "webhook_f_inactive": ProviderRefused,
    "webhook_f_inactive_test_url": ProviderRefused,
    "webhook_i_slow_last_stopped": (FAILED, COMPLETED),
    "webhook_k_resume": COMPLETED,
    "webhook_l_nowid": (COMPLETED, ProviderRefused),
    "webhook_l_param_plain": ProviderRefused,
    "webhook_l_two_off": ProviderRefused,
    "webhook_unknown": ProviderRefused,
    "webhook_wrong_method": ProviderRefused,
}
# What a list of workflows comes to; the rest is a page.
LISTS: dict[str, Expected | tuple[Expected, Expected]] = {
    "workflows_list_bad_cursor": ProviderRefused,
    "workflows_list_bad_key": CredentialRefused,
    "workflows_list_bearer": CredentialRefused,
    "workflows_list_no_key": CredentialRefused,
    "workflows_list_limit251": (COMPLETED, ProviderRefused),
    "workflows_list_default": COMPLETED,
}
STATES = {"success": "completed", "error": "failed", "canceled": "cancelled"}


def expected(table: dict[str, Expected | tuple[Expected, Expected]], name: str, release: int) -> Expected:
    found = table.get(name, COMPLETED)
    return found[2 - release] if isinstance(found, tuple) else found


def as_sent(recorded: dict[str, Any]) -> bytes:
    """The recorded answer as it came over the wire."""
    response = recorded["response"]
    body = response["body"]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = "".join(f"{name}: {value}\r\n" for name, value in response["headers"].items())
    return answer(content, status=f"{response['status']} Recorded", headers=headers)


def beginning_with(prefix: str) -> list[tuple[int, str]]:
    return [
        (release, name)
        for release in (2, 1)
        for name in names(f"n8n-{release}")
        if name.startswith(prefix) and recording(f"n8n-{release}", name).get("response")
    ]


@pytest.fixture
async def provider(http_client: HttpClient) -> AsyncIterator[N8nProvider]:
    made = N8nProvider(http_client)
    yield made
    await made.close()


def at(server: RawServer) -> Connection:
    return Connection("c", "n8n", "Recorded", {"baseUrl": server.url, "apiKey": "key"})


@pytest.mark.parametrize(("release", "name"), beginning_with("webhook_"))
async def test_every_recorded_webhook_answer_is_understood(provider: N8nProvider, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    wanted = expected(WEBHOOKS, name, release)
    async with RawServer(as_sent(recorded)) as server:
        call = remote_call("n8n", url=f"{server.url}/webhook/x", method=recorded["request"]["method"])
        if not isinstance(wanted, str):
            with pytest.raises(wanted) as caught:
                await provider.execute(None, call)
            assert caught.value.message.endswith((".", "!", "”"))
            return
        answered = await provider.execute(None, call)
        assert answered.state == wanted
        if wanted == COMPLETED:
            assert answered.output == (recorded["response"]["body"] or None)
        else:
            assert answered.message


@pytest.mark.parametrize(("release", "name"), beginning_with("execution_"))
async def test_every_recorded_execution_is_understood(provider: N8nProvider, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    body, status = recorded["response"]["body"], recorded["response"]["status"]
    if "data" in body and isinstance(body["data"], list):  # after a retry the list was asked
        body = body["data"][0]
        recorded["response"]["body"] = body
    lists = as_sent(recording(f"n8n-{release}", "workflows_list_default"))
    async with RawServer(as_sent(recorded), instead={b"/workflows?": lists}) as server:
        call = remote_call("n8n", completion="poll", correlation_id="")
        if status == 400:
            with pytest.raises(ProviderRefused):
                await provider.poll(at(server), call, {"executionId": "1"})
            return
        if name.startswith("execution_stop") or status == 409:
            await stops_or_says_why(provider, server, recorded)
            return
        look = await provider.poll(at(server), call, {"executionId": "1"})
    if status == 404:
        assert (look.state, look.is_certain) == ("unknown", False)
        return
    assert look.state == STATES.get(body["status"], "running")
    assert look.remote_id == str(body["id"])
    if look.state == "failed":
        assert bool(look.message) == ("data" in body)


async def stops_or_says_why(provider: N8nProvider, server: RawServer, recorded: dict[str, Any]) -> None:
    """The recorded answer is that of the stop; what is asked before it is an execution that runs."""
    sent = as_sent(recorded)
    running = answer(b'{"id": "7", "status": "running"}')

    async def script(reader: Any, writer: Any) -> None:
        while request := await server.read_request(reader):
            writer.write(sent if request.startswith(b"POST") else running)

    async with RawServer(script) as stopping:
        said = await provider.cancel(at(stopping), remote_call("n8n"), {"executionId": "7"})
    wanted = {200: "stopped", 409: "had ended", 404: "", 405: "cannot be told"}[
        recorded["response"]["status"]
    ]
    assert wanted in said
    assert said.endswith((".", "there."))


@pytest.mark.parametrize(("release", "name"), beginning_with("executions_list"))
async def test_every_recorded_list_of_executions_can_be_searched(
    provider: N8nProvider, release: int, name: str
):
    recorded = recording(f"n8n-{release}", name)
    async with RawServer(as_sent(recorded)) as server:
        call = remote_call("n8n", completion="poll", correlation_id="nobody's")
        if recorded["response"]["status"] == 400:
            with pytest.raises(ProviderRefused):
                await provider.poll(at(server), call, {})
            return
        look = await provider.poll(at(server), call, {})
        assert (look.state, look.is_certain) == ("running", False)


@pytest.mark.parametrize(("release", "name"), beginning_with("workflows_list"))
async def test_every_recorded_list_of_workflows_is_read(provider: N8nProvider, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    wanted = expected(LISTS, name, release)
    async with RawServer(as_sent(recorded)) as server:
        if not isinstance(wanted, str):
            with pytest.raises(wanted):
                await provider.workflows(at(server), cursor="x")
            return
        page = await provider.workflows(at(server), cursor="x")
    body = recorded["response"]["body"]
    kept = [row for row in body["data"] if isinstance(row, dict) and not row["isArchived"]]
    assert [workflow.id for workflow in page.workflows] == [row["id"] for row in kept]
    assert page.cursor == (body["nextCursor"] or "")


@pytest.mark.parametrize(("release", "name"), beginning_with("workflows_get"))
async def test_every_recorded_workflow_is_read(provider: N8nProvider, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    body = recorded["response"]["body"]
    async with RawServer(as_sent(recorded)) as server:
        if recorded["response"]["status"] == 404:
            with pytest.raises(ProviderRefused) as caught:
                await provider.preview(at(server), "x")
            assert caught.value.remote_status == 404
            return
        preview = await provider.preview(at(server), body["id"])
    assert preview.workflow.is_active == body["active"]
    assert preview.workflow.content_hash
    assert preview.workflow.team == "Rig Owner <rig@example.com>"
    assert [node.label for node in preview.nodes] == [node["name"] for node in body["nodes"]]


@pytest.mark.parametrize(("release", "name"), [*beginning_with("apikey_"), *beginning_with("healthz")])
async def test_every_recorded_answer_to_a_key_makes_a_check(provider: N8nProvider, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    async with RawServer(as_sent(recorded)) as server:
        check = await provider.test(at(server))
    status = recorded["response"]["status"]
    body = recorded["response"]["body"]
    if status in {401, 403}:
        assert check.status == "refused"
    elif isinstance(body.get("data"), list):
        assert check.status == "connected"
    else:
        # No list: n8n with its API closed, if it says at the same time that it is well; else not n8n at all.
        assert check.status == ("refused" if body.get("status") == "ok" else "unreachable")


@RELEASES
async def test_the_recorded_permissions_of_a_key_are_shown(provider: N8nProvider, release: int):
    listed = as_sent(recording(f"n8n-{release}", "workflows_list_limit2"))
    discovered = as_sent(recording(f"n8n-{release}", "api_discover"))
    server = RawServer(b"")

    async def script(reader: Any, writer: Any) -> None:
        while request := await server.read_request(reader):
            writer.write(discovered if b"/discover" in request.partition(b"\r\n")[0] else listed)

    server = RawServer(script)
    async with server:
        check = await provider.test(at(server))
    assert check.status == "connected"
    assert check.facts == ((("Permissions", ", ".join(PERMISSIONS)),) if release == 2 else ())


@RELEASES
async def test_the_recorded_callback_is_the_result(provider: N8nProvider, release: int):
    body = recording(f"n8n-{release}", "callback_received")["got"]["body"]
    look = await provider.called_back(None, remote_call("n8n", completion="callback"), {}, body)
    assert (look.state, look.output, look.remote_id) == ("completed", body, body["executionId"])


@RELEASES
def test_the_lists_are_asked_in_the_order_in_which_all_calls_were_found(release: int):
    recorded = recording(f"n8n-{release}", "correlation_demo")
    found = {look["query"].removeprefix("&status="): look["found"] for look in recorded["whileRunning"]}
    assert found == {"running": 10, "": 0}  # without a filter n8n lists none of those that run
    afterwards = {look["query"].removeprefix("&status="): look["found"] for look in recorded["afterwards"]}
    assert afterwards[""] == 10
    assert ALL_LISTS[:2] == ("running", "")


@RELEASES
@pytest.mark.parametrize("name", ["api_unknown_path", "executions_stop_many", "resume_call"])
async def test_an_answer_that_is_no_list_is_not_taken_for_one(provider: N8nProvider, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    async with RawServer(as_sent(recorded)) as server:
        status = recorded["response"]["status"]
        if status >= 400:
            with pytest.raises(ProviderUnavailable if status == 404 else ProviderRefused):
                await provider.workflows(at(server))
            return
        page = await provider.workflows(at(server))
        assert page.workflows == ()


def test_only_webhooks_that_exist_are_expected_to_be_something_else():
    assert WEBHOOKS.keys() | LISTS.keys() <= {name for _, name in beginning_with("w")}
    assert UnreadableAnswer not in WEBHOOKS.values()
