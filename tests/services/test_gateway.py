import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import (
    CredentialRefused,
    NotSupported,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    Unavailable,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.registry import build_providers
from orchestrator_app.runner.hub import Hub
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.gateway import Gateway
from orchestrator_app.storage.database import Database
from tests.fakes.server import FakeServer
from tests.services.platforms import KEY, WS, MemoryProvider, Office
from tests.steered import SteeredClock

TOKEN = "cb_" + "t" * 43


def call(connection_id: str = "", provider: str = "memory", **settings: str) -> RemoteCall:
    return RemoteCall(provider, connection_id, **settings)  # pyright: ignore[reportArgumentType]


async def ask(office: Office, operation: str, connection_id: str) -> None:
    if operation == "execute":
        await office.gateway.execute(WS, call(connection_id))
    else:
        await office.gateway.poll(WS, call(connection_id), {})


async def test_a_call_gets_its_opened_connection(office: Office):
    connection_id = await office.connect()
    office.memory.seen.clear()
    answer = await office.gateway.execute(WS, call(connection_id))
    assert answer.output == {"ok": True}
    assert [seen.values["apiKey"] for seen in office.memory.seen if seen] == [KEY]
    await office.gateway.execute(WS, call())
    assert office.memory.seen[-1] is None
    await office.gateway.execute(WS, call("open", "open"))
    assert office.open.seen == [None]


async def test_what_a_connection_can_do_is_known(office: Office):
    assert await office.gateway.capabilities(WS, call("open", "open")) == {"execute", "list"}
    assert await office.gateway.capabilities(WS, call(provider="nope")) == frozenset()
    hook = await office.connections.connect(
        WS, "modal", name="Hook", credentials={"mode": "hook", "hook": "https://hooks.example/abcdefgh"}
    )
    assert await office.gateway.capabilities(WS, call(hook.id, "modal")) == {"test", "execute"}
    # The call itself says what is wrong with a connection that is not there.
    assert "poll" in await office.gateway.capabilities(WS, call("gone", "modal"))


async def test_a_refusal_has_the_reason_of_the_platform(office: Office):
    never = await office.gateway.refusal(WS, call(), "cancel")
    assert (never.message, never.provider) == ("Memory cannot stop what it began.", "memory")
    poll = await office.gateway.refusal(WS, call(), "poll")
    assert poll.message == (
        "Memory does not offer this with this kind of connection: asking how an execution fares."
    )
    assert (poll.hint, poll.operation) == ("It works with: with a key.", "poll")
    assert (await office.gateway.refusal(WS, call(), "callback")).hint == ""


async def test_how_often_a_platform_may_be_looked_at_is_known(office: Office):
    assert office.gateway.looks_per_minute("memory") == office.memory.looks_per_minute
    assert office.gateway.looks_per_minute("nope") > 0


async def test_a_callback_is_the_result_unless_the_platform_says_otherwise(office: Office):
    connection_id = await office.connect()
    body = {"echo": f"{KEY} {TOKEN}", "n": 1}
    look = await office.gateway.called_back(WS, call(connection_id, callback_token=TOKEN), {"id": 1}, body)
    assert (look.state, look.output, look.memo) == ("completed", {"echo": "*** ***", "n": 1}, {"id": 1})


async def test_what_cannot_be_stopped_is_told_in_words(office: Office, monkeypatch: pytest.MonkeyPatch):
    connection_id = await office.connect()
    with pytest.raises(NotSupported, match=r"Memory cannot stop what it began\."):
        await office.gateway.cancel(WS, call(connection_id), {})

    async def cancel(*_: object) -> str:
        return f"Stopped with {KEY}."

    monkeypatch.setattr(office.memory, "cancel", cancel)
    assert await office.gateway.cancel(WS, call(connection_id), {}) == "Stopped with ***."


async def test_no_secret_comes_back_in_an_answer(office: Office):
    connection_id = await office.connect()
    office.memory.answer = RemoteAnswer(
        "failed",
        {"echo": f"Bearer {KEY}", "url": f"https://x?token={TOKEN}", "token": "kept: of the user's own data"},
        headers={"x-echo": KEY, "x-api-key": "whatever", "etag": "1"},
        link=f"https://memory.example/{KEY}",
        message=f"Wrong key {KEY}.",
    )
    answer = await office.gateway.execute(WS, call(connection_id, callback_token=TOKEN))
    assert answer.output == {
        "echo": "Bearer ***",
        "url": "https://x?token=***",
        "token": "kept: of the user's own data",
    }
    assert answer.headers == {"x-echo": "***", "x-api-key": "***", "etag": "1"}
    assert (answer.link, answer.message) == ("https://memory.example/***", "Wrong key ***.")


async def test_no_secret_comes_back_in_a_look(office: Office):
    connection_id = await office.connect()
    office.memory.look = RemoteLook("failed", [KEY], link=KEY, message=KEY)
    look = await office.gateway.poll(WS, call(connection_id), {})
    assert (look.output, look.link, look.message) == (["***"], "***", "***")


@pytest.mark.parametrize("operation", ["execute", "poll"])
async def test_no_secret_comes_back_in_an_error(office: Office, operation: str):
    connection_id = await office.connect()
    error = ProviderRefused(
        f"It says: {KEY}", hint=f"Not {KEY}", remote_status=400, context={"answer": {"k": KEY}, "n": 1}
    )
    office.memory.answer = office.memory.look = error
    with pytest.raises(ProviderRefused) as caught:
        await ask(office, operation, connection_id)
    assert (caught.value.message, caught.value.hint) == ("It says: ***", "Not ***")
    assert caught.value.context == {"answer": {"k": "***"}, "n": 1}
    assert caught.value.remote_status == 400


async def test_what_is_noted_has_no_secrets(office: Office):
    connection_id = await office.connect()
    noted = {"headers": {"Authorization": "Bearer x", "X-A": KEY}, "body": f"{KEY} and {TOKEN}"}
    # Also before the connection was opened for a call.
    office.connections._opened.clear()
    redacted = await office.gateway.redact(WS, call(connection_id, callback_token=TOKEN), noted)
    assert redacted == {"headers": {"Authorization": "***", "X-A": "***"}, "body": "*** and ***"}
    assert await office.gateway.redact(WS, call(), {"n": 1}) == {"n": 1}
    assert await office.gateway.redact(WS, call("gone"), {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("operation", ["execute", "poll"])
async def test_a_refused_key_marks_its_connection(office: Office, operation: str):
    connection_id = await office.connect()
    office.memory.answer = office.memory.look = CredentialRefused(f"Key {KEY} refused.")
    with pytest.raises(CredentialRefused):
        await ask(office, operation, connection_id)
    view = await office.connections.get(WS, connection_id)
    assert (view.status, view.status_detail) == ("refused", "Key *** refused.")


async def test_a_key_that_only_lacks_a_permission_does_not_mark_its_connection(office: Office):
    connection_id = await office.connect()
    office.memory.look = CredentialRefused("It may not read executions.", lacks_permission=True)
    with pytest.raises(CredentialRefused):
        await ask(office, "poll", connection_id)
    assert (await office.connections.get(WS, connection_id)).status == "connected"


async def test_a_late_refusal_of_the_old_key_does_not_mark_a_connection_that_was_corrected(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    connection_id = await office.connect()

    async def refused_late(*_: object) -> RemoteAnswer:
        await office.connections.update(WS, connection_id, name=None, credentials={"apiKey": "the-right-key"})
        raise CredentialRefused("The key is wrong.")

    monkeypatch.setattr(office.memory, "execute", refused_late)
    with pytest.raises(CredentialRefused):
        await ask(office, "execute", connection_id)
    assert (await office.connections.get(WS, connection_id)).status == "connected"


async def test_a_refusal_without_a_connection_marks_nothing(office: Office):
    office.memory.answer = CredentialRefused("Sign in first.")
    async with office.hub.subscribe(WS) as changes:
        with pytest.raises(CredentialRefused):
            await office.gateway.execute(WS, call())
        assert await changes.take(0) == []


async def test_a_secret_goes_only_to_the_addresses_it_was_entered_for(office: Office):
    connection_id = await office.connect(hookUrl="http://hooks.example:8080/base")
    for allowed in (
        "https://memory.example/a?b",
        "https://MEMORY.example:443/",
        "http://hooks.example:8080/x",
        "",
    ):
        await office.gateway.execute(WS, call(connection_id, url=allowed))
    office.memory.seen.clear()
    for refused in (
        "https://evil.example/",
        "http://memory.example/",
        "https://memory.example:444/",
        "https://memory.example@evil.example/",
        "https://memory.example.evil.example/",
        "memory.example",
        "https://[broken",
    ):
        with pytest.raises(ProviderRefused) as caught:
            await office.gateway.execute(WS, call(connection_id, url=refused))
        assert caught.value.message.startswith(
            "The connection “Ours” is bound to http://hooks.example:8080, https"
        )
    assert office.memory.seen == []


async def test_a_connection_of_another_platform_is_refused(office: Office):
    connection_id = await office.connect()
    with pytest.raises(ProviderRefused, match="is for memory, not for open"):
        await office.gateway.execute(WS, call(connection_id, "open"))


async def test_an_unknown_platform_or_connection_is_refused_in_words(office: Office):
    with pytest.raises(NotSupported, match="There is no provider “nope” here yet"):
        await office.gateway.execute(WS, call(provider="nope"))
    for workspace, wanted in ((WS, "deleted"), ("another", await office.connect())):
        with pytest.raises(ProviderRefused, match="There is no such connection") as caught:
            await office.gateway.execute(workspace, call(wanted))
        assert caught.value.hint


async def test_a_database_that_is_away_may_be_back_for_the_next_try(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> None:
        raise Unavailable("The database cannot be used right now.")

    monkeypatch.setattr(office.connections, "open", away)
    with pytest.raises(Unavailable) as caught:
        await office.gateway.execute(WS, call("c1"))
    assert caught.value.retryable


async def test_other_errors_of_a_platform_mark_nothing(office: Office):
    connection_id = await office.connect()
    office.memory.answer = ProviderUnavailable("It is down.")
    with pytest.raises(ProviderError):
        await office.gateway.execute(WS, call(connection_id))
    assert (await office.connections.get(WS, connection_id)).status == "connected"


# --- over real HTTP ---


@pytest.fixture
def real_gateway(database: Database, vault: Vault, http_client: HttpClient) -> tuple[Gateway, Connections]:
    providers = build_providers(http_client)
    clock = SteeredClock()
    connections = Connections(database, vault, providers, Hub(), now=clock.now, new_id=tokens.new_id)
    return Gateway(providers, connections, vault), connections


async def test_a_server_that_echoes_the_secret_does_not_bring_it_into_the_journal(
    real_gateway: tuple[Gateway, Connections], fake_server: FakeServer
):
    gateway, connections = real_gateway
    credentials = {"origin": fake_server.url, "headerName": "X-Key", "headerValue": KEY}
    view = await connections.connect(WS, "custom", name="Shop", credentials=credentials)
    sent = RemoteCall("custom", view.id, url=f"{fake_server.url}/echo", body={"key": KEY}, timeout_seconds=5)
    assert (await gateway.execute(WS, sent)).output == {"key": "***"}
    assert fake_server.calls("/echo")[-1].headers["x-key"] == KEY
    refused = RemoteCall(
        "custom", view.id, url=f"{fake_server.url}/status/400?message={KEY}", timeout_seconds=5
    )
    with pytest.raises(ProviderRefused) as caught:
        await gateway.execute(WS, refused)
    assert KEY not in f"{caught.value.message}{caught.value.hint}{caught.value.context}"
    assert "***" in caught.value.message


async def test_make_is_called_by_its_address_alone(
    real_gateway: tuple[Gateway, Connections], fake_server: FakeServer
):
    gateway, _ = real_gateway
    url = f"{fake_server.url}/echo/hook"
    answer = await gateway.execute(WS, RemoteCall("make", url=url, body={"n": 1}, timeout_seconds=5))
    assert answer.output == {"n": 1}


@pytest.mark.parametrize(("calls_back_itself", "state"), [(False, "running"), (True, "completed")])
async def test_the_end_of_an_execution_ends_the_wait_for_its_callback_only_where_the_platform_calls_back(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    calls_back_itself: bool,  # noqa: FBT001
    state: str,
):
    monkeypatch.setattr(MemoryProvider, "calls_back_itself", calls_back_itself)
    call = RemoteCall("memory", await office.connect(), "w1", completion="callback")
    look = await office.gateway.poll(WS, call, {})
    assert look.state == state
    assert (look.output == {"ok": True}) is calls_back_itself
    assert "still awaited" in look.message or calls_back_itself


async def test_a_failed_execution_ends_the_wait_for_its_callback(office: Office):
    office.memory.look = RemoteLook("failed", message="Boom.")
    call = RemoteCall("memory", await office.connect(), "w1", completion="callback")
    assert (await office.gateway.poll(WS, call, {})).state == "failed"
