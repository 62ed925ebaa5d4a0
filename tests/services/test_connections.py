from pathlib import Path

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import Conflict, CredentialUnreadable, InvalidInput, NotFound
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.connection import Choice, Connection, ConnectionCheck
from orchestrator_app.runner.hub import Change
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services import connections as connecting
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.services.workflow_views import ConnectionUsage, SyncView
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import text
from tests.services.platforms import GOOD, KEY, PIN, WS, Office, open_office

OTHER_KEY = "another-secret-2"


async def stored_text(office: Office) -> str:
    """Everything that the database holds about connections."""
    rows = await office.database.read(
        lambda connection: connection.execute(text("SELECT * FROM provider_connection")).all()
    )
    return str(rows)


async def test_a_connection_is_kept_and_tested(office: Office):
    async with office.hub.subscribe(WS) as changes:
        view = await office.connections.connect(
            WS, "memory", name=" Ours ", credentials=GOOD | {"region": "eu"}
        )
        assert [change.kind for change in await changes.take(1)] == ["connection"]
    assert (view.provider, view.name) == ("memory", "Ours")
    assert view.settings == {"baseUrl": "https://memory.example", "region": "eu"}
    assert view.secrets_set == ("apiKey",)
    assert (view.status, view.status_detail) == ("connected", "It answers.")
    assert view.created_date == view.updated_date == view.checked_date == office.clock.ms
    assert office.memory.seen == [
        Connection(view.id, "memory", "Ours", GOOD | {"region": "eu"}, view.updated_date)
    ]
    assert await office.connections.list(WS) == (view,)
    assert await office.connections.get(WS, view.id) == view


async def test_secrets_go_in_and_never_come_out(office: Office):
    connection_id = await office.connect(pin=PIN)
    views = (
        await office.connections.list(WS),
        await office.connections.get(WS, connection_id),
        await office.connections.providers(WS),
        await stored_text(office),
    )
    for secret in (KEY, PIN):
        assert secret not in str(views)
    assert (await office.connections.get(WS, connection_id)).secrets_set == ("apiKey", "pin")


async def test_without_a_name_a_connection_is_called_like_its_platform(office: Office):
    view = await office.connections.connect(WS, "memory", name="", credentials=GOOD)
    assert view.name == "Memory"


async def test_the_providers_show_their_forms_and_connections(office: Office):
    connection_id = await office.connect()
    memory, open_provider, modal = await office.connections.providers(WS)
    assert (memory.key, memory.title) == ("memory", "Memory")
    assert set(memory.capabilities) == {capability.value for capability in Capability} - {"cancel"}
    assert memory.limits == {"poll": "with a key"}
    assert memory.refusals == {"cancel": "Memory cannot stop what it began."}
    assert memory.fields[0] == {
        "key": "baseUrl",
        "label": "Address",
        "help": "Where it is.",
        "isSecret": False,
        "isOrigin": True,
        "required": True,
        "placeholder": "https://x",
        "options": [],
        "isDiscovered": False,
        "takesOthers": False,
        "modes": [],
    }
    kind, _, _, zone, team = modal.fields
    assert kind["options"] == [
        {"value": "hook", "label": "Hook address"},
        {"value": "token", "label": "Access token"},
    ]
    assert (zone["takesOthers"], zone["modes"]) == (True, ["token"])
    assert team["isDiscovered"] is True
    assert [view.id for view in memory.connections] == [connection_id]
    assert (open_provider.fields, open_provider.connections) == ((), ())


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"apiKey": "  "}, "apiKey", "API key is missing."),
        ({"apiKey": "short"}, "apiKey", "API key must have at least 8 characters."),
        ({"pin": "1234567"}, "pin", "PIN must have at least 8 characters."),
        ({"apiKey": "x" * 10_001}, "apiKey", "API key is longer than 10000 characters."),
        ({"baseUrl": "memory.example"}, "baseUrl", "Address must be a complete address"),
        ({"baseUrl": "ftp://memory.example"}, "baseUrl", "Address must be a complete address"),
        ({"baseUrl": "http://[broken"}, "baseUrl", "Address must be a complete address"),
        ({"baseUrl": "https://"}, "baseUrl", "Address must be a complete address"),
        ({"colour": "red"}, "colour", "Memory has no field “colour”."),
    ],
)
async def test_a_form_that_is_not_acceptable_is_refused_with_every_reason(
    office: Office, changed: dict[str, str], field: str, message: str
):
    for trying in (
        office.connections.connect(WS, "memory", name="Ours", credentials=GOOD | changed),
        office.connections.test("memory", GOOD | changed),
    ):
        with pytest.raises(InvalidInput) as caught:
            await trying
        assert [error["field"] for error in caught.value.errors] == [field]
        assert caught.value.errors[0]["message"].startswith(message)
    assert office.memory.seen == []
    assert await office.connections.list(WS) == ()


async def test_several_things_wrong_with_a_form_are_told_at_once(office: Office):
    with pytest.raises(InvalidInput) as caught:
        await office.connections.connect(WS, "memory", name="Ours", credentials={"x": "1", "pin": "1"})
    assert [error["field"] for error in caught.value.errors] == ["x", "baseUrl", "apiKey", "pin"]


@pytest.mark.parametrize("name", ["x" * 201, "  "])
async def test_a_name_must_be_one(office: Office, name: str):
    with pytest.raises(InvalidInput, match="1 to 200 characters"):
        await office.connect(name)


async def test_a_platform_has_each_name_once(office: Office):
    await office.connect("Ours")
    with pytest.raises(Conflict, match="Memory has a connection called “Ours” already"):
        await office.connect("Ours")
    other = await office.connect("Theirs")
    with pytest.raises(Conflict, match="“Ours”"):
        await office.connections.update(WS, other, name="Ours", credentials={})


async def test_an_unknown_provider_or_connection_is_not_found(office: Office):
    with pytest.raises(NotFound, match="There is no provider “nope”"):
        await office.connections.connect(WS, "nope", name="", credentials={})
    with pytest.raises(NotFound, match="There is no provider"):
        await office.connections.test("nope", {})
    connection_id = await office.connect()
    for workspace, wanted in ((WS, "no-such-id"), ("another", connection_id)):
        for trying in (
            office.connections.get(workspace, wanted),
            office.connections.update(workspace, wanted, name="New", credentials={}),
            office.connections.delete(workspace, wanted),
            office.connections.check(workspace, wanted),
            office.connections.open(workspace, wanted),
        ):
            with pytest.raises(NotFound, match="There is no such connection"):
                await trying
    assert await office.connections.list("another") == ()


async def test_a_secret_that_is_not_given_stays(office: Office):
    connection_id = await office.connect(pin=PIN)
    office.clock.ms += 5
    view = await office.connections.update(
        WS, connection_id, name="Renamed", credentials={"region": "us", "apiKey": ""}
    )
    assert (view.name, view.settings["region"], view.secrets_set) == ("Renamed", "us", ("apiKey", "pin"))
    assert view.updated_date == office.clock.ms
    opened = await office.connections.open(WS, connection_id)
    assert opened.values == GOOD | {"region": "us", "pin": PIN}
    kept = await office.connections.update(WS, connection_id, name=None, credentials={"apiKey": OTHER_KEY})
    assert kept.name == "Renamed"
    assert (await office.connections.open(WS, connection_id)).values["apiKey"] == OTHER_KEY


async def test_an_optional_field_can_be_emptied(office: Office):
    connection_id = await office.connect(region="eu", hookUrl="https://hooks.example")
    view = await office.connections.update(
        WS, connection_id, name=None, credentials={"region": "", "hookUrl": ""}
    )
    assert view.settings == {"baseUrl": "https://memory.example"}
    with pytest.raises(InvalidInput, match="Address is missing"):
        await office.connections.update(WS, connection_id, name=None, credentials={"baseUrl": ""})


@pytest.mark.parametrize(
    "moved",
    [{"baseUrl": "https://evil.example"}, {"baseUrl": "http://memory.example"}, {"hookUrl": "https://new"}],
)
async def test_a_secret_does_not_follow_to_another_address(office: Office, moved: dict[str, str]):
    connection_id = await office.connect()
    office.memory.seen.clear()
    with pytest.raises(InvalidInput) as caught:
        await office.connections.update(WS, connection_id, name=None, credentials=moved)
    assert caught.value.message.endswith("changed, so enter API key again.")
    assert [error["field"] for error in caught.value.errors] == ["apiKey"]
    assert office.memory.seen == []
    view = await office.connections.update(
        WS, connection_id, name=None, credentials=moved | {"apiKey": OTHER_KEY}
    )
    assert view.settings == {"baseUrl": "https://memory.example"} | moved
    assert office.memory.seen[0] is not None
    assert office.memory.seen[0].values["apiKey"] == OTHER_KEY


async def test_every_secret_must_be_entered_again_for_another_address(office: Office):
    connection_id = await office.connect(pin=PIN)
    moved = {"baseUrl": "https://new.example", "apiKey": OTHER_KEY}
    with pytest.raises(InvalidInput, match="enter PIN again"):
        await office.connections.update(WS, connection_id, name=None, credentials=moved)


@pytest.mark.parametrize(
    "same", ["https://memory.example:443", "HTTPS://Memory.Example/path", " https://memory.example"]
)
async def test_the_same_address_in_another_spelling_keeps_its_secret(office: Office, same: str):
    connection_id = await office.connect()
    view = await office.connections.update(WS, connection_id, name=None, credentials={"baseUrl": same})
    assert view.settings["baseUrl"] == same.strip()
    assert view.secrets_set == ("apiKey",)


async def test_a_deleted_connection_is_forgotten_with_its_secrets(office: Office):
    connection_id = await office.connect()
    async with office.hub.subscribe(WS) as changes:
        await office.connections.delete(WS, connection_id)
        assert await changes.take(1) == [Change("connection", WS, connection_id)]
    assert await stored_text(office) == "[]"
    with pytest.raises(NotFound):
        await office.connections.open(WS, connection_id)
    with pytest.raises(NotFound):
        await office.connections.delete(WS, connection_id)


async def test_credentials_can_be_tried_without_keeping_them(office: Office):
    office.memory.check = ConnectionCheck("refused", f"The key {KEY} is wrong.")
    outcome = await office.connections.test("memory", GOOD)
    assert outcome == ConnectionCheck("refused", "The key *** is wrong.")
    assert office.memory.seen == [Connection("", "memory", "Memory", GOOD)]
    assert await office.connections.list(WS) == ()


async def test_how_a_connection_fares_is_remembered_without_its_secrets(office: Office):
    connection_id = await office.connect()
    office.clock.ms += 5
    office.memory.check = ConnectionCheck("refused", f"The key {KEY} is wrong.")
    async with office.hub.subscribe(WS) as changes:
        assert (await office.connections.check(WS, connection_id)).status == "refused"
        assert await changes.take(1) == [Change("connection", WS, connection_id, office.clock.ms)]
    view = await office.connections.get(WS, connection_id)
    assert (view.status, view.status_detail) == ("refused", "The key *** is wrong.")
    assert view.checked_date == office.clock.ms


async def test_a_connection_that_no_key_opens_is_shown_and_can_be_mended(
    database: Database, office: Office, tmp_path: Path
):
    connection_id = await office.connect()
    later = open_office(database, Vault.open(None, tmp_path / "another.key"))
    (view,) = await later.connections.list(WS)
    assert (view.status, view.secrets_set) == ("unreadable", ())
    assert view.settings == {"baseUrl": "https://memory.example"}
    assert "another key" in view.status_detail
    with pytest.raises(CredentialUnreadable):
        await later.connections.open(WS, connection_id)
    with pytest.raises(InvalidInput, match="API key is missing"):
        await later.connections.update(WS, connection_id, name="New", credentials={})
    view = await later.connections.update(WS, connection_id, name=None, credentials={"apiKey": OTHER_KEY})
    assert (view.status, view.secrets_set) == ("connected", ("apiKey",))
    await later.connections.delete(WS, connection_id)


async def test_an_opened_connection_is_kept_for_a_moment(office: Office, monkeypatch: pytest.MonkeyPatch):
    now = 1_000.0
    monkeypatch.setattr(connecting.time, "monotonic", lambda: now)
    connection_id = await office.connect()
    first = await office.connections.open(WS, connection_id)
    assert await office.connections.open(WS, connection_id) is first
    now += connecting.KEPT_SECONDS
    second = await office.connections.open(WS, connection_id)
    assert second is not first
    assert second == first
    await office.connections.update(WS, connection_id, name="New", credentials={})
    assert (await office.connections.open(WS, connection_id)).name == "New"


async def test_a_platform_without_a_form_is_its_own_connection(office: Office):
    assert await office.connections.open(WS, "open") == Connection("open", "open", "Open")
    assert (await office.connections.check(WS, "open")).status == "connected"
    with pytest.raises(NotFound):
        await office.connections.open(WS, "memory")


async def test_only_filled_in_secrets_count_as_secrets(office: Office):
    opened = Connection("c", "memory", "Ours", GOOD | {"pin": "", "region": "not-secret"})
    assert office.connections.secrets_of(opened) == (KEY,)


async def test_what_can_be_done_depends_on_the_kind_of_connection(office: Office):
    hook = await office.connections.connect(
        WS, "modal", name="Hook", credentials={"hook": "https://hooks.example/1"}
    )
    token = {"mode": "token", "token": "token-12345", "zone": "https://eu.example"}
    full = await office.connections.connect(WS, "modal", name="Full", credentials=token)
    assert hook.capabilities == ("execute", "test")
    assert hook.sync is None
    assert "list" in full.capabilities
    assert full.sync == SyncView(full.id)
    assert full.settings == {"mode": "token", "zone": "https://eu.example"}
    view = await office.connections.update(
        WS, full.id, name=None, credentials={"mode": "hook", "hook": "https://hooks.example/2"}
    )
    assert (view.settings, view.secrets_set) == ({"mode": "hook"}, ("hook",))


async def test_stored_credentials_are_tried_with_changes_and_stay_as_they_are(office: Office):
    connection_id = await office.connect(region="eu")
    office.memory.seen.clear()
    outcome = await office.connections.test(
        "memory", {"region": "us", "apiKey": ""}, workspace_id=WS, connection_id=connection_id
    )
    assert outcome.status == "connected"
    assert office.memory.seen == [Connection("", "memory", "Memory", GOOD | {"region": "us"})]
    assert (await office.connections.get(WS, connection_id)).settings["region"] == "eu"
    with pytest.raises(InvalidInput, match="enter API key again"):
        await office.connections.test(
            "memory", {"baseUrl": "https://evil.example"}, workspace_id=WS, connection_id=connection_id
        )
    for provider, workspace in (("modal", WS), ("memory", "another")):
        with pytest.raises(NotFound, match="no such connection"):
            await office.connections.test(provider, {}, workspace_id=workspace, connection_id=connection_id)
    assert len(office.memory.seen) == 1


async def test_what_a_test_finds_is_told_without_secrets(office: Office):
    office.memory.check = ConnectionCheck(
        "connected",
        "It answers.",
        choices={"region": (Choice("eu", f"Europe {KEY}"),)},
        facts=(("Permissions", f"read, {KEY}"),),
    )
    outcome = await office.connections.test("memory", GOOD)
    assert outcome.choices == {"region": (Choice("eu", "Europe ***"),)}
    assert outcome.facts == (("Permissions", "read, ***"),)


async def test_an_outcome_for_what_a_connection_was_before_does_not_count(office: Office):
    connection_id = await office.connect()
    before = await office.connections.open(WS, connection_id)
    await office.connections.update(WS, connection_id, name="New", credentials={})
    now = await office.connections.open(WS, connection_id)
    assert now.updated_date > before.updated_date, "although no time has passed"
    await office.connections.mark(WS, before, "refused", "The old key.")
    assert (await office.connections.get(WS, connection_id)).status == "connected"
    await office.connections.mark(WS, now, "refused", "The key.")
    assert (await office.connections.get(WS, connection_id)).status == "refused"


async def test_a_check_tries_what_another_process_has_just_changed(office: Office, vault: Vault):
    connection_id = await office.connect()
    other = open_office(office.database, vault)
    await other.connections.update(WS, connection_id, name=None, credentials={"apiKey": "a-newer-key-1"})
    office.memory.seen.clear()
    await office.connections.check(WS, connection_id)
    assert [seen.values["apiKey"] for seen in office.memory.seen if seen] == ["a-newer-key-1"]


async def test_who_uses_a_connection_is_found(office: Office):
    connection_id, other = await office.connect(), await office.connect("Other")
    orchestrators = Orchestrators(office.database, office.hub, now=office.clock.now, new_id=tokens.new_id)

    async def keep(name: str, *nodes: Node) -> str:
        graph = Definition(nodes).as_json()
        return (await orchestrators.create(WS, name=name, definition=graph)).id

    used: JsonObject = {"connectionId": connection_id}
    hook = Node("a", "RemoteWebhook", "Call", used)
    flow = Node("b", "LocalFlow", "Ask", used | {"flowId": "f"})
    beta = await keep("beta", hook, flow)
    alpha = await keep("Alpha", hook)
    await keep("Mentions it only", Node("c", "ErrorBoundary", connection_id, {"fallback": connection_id}))
    await keep("Uses another", Node("a", "RemoteWebhook", "Call", {"connectionId": other}))
    deleted = await keep("Deleted", hook)
    await orchestrators.delete(WS, deleted)
    changed = await keep("Changed since", hook)
    await orchestrators.save(WS, changed, expected_version=None, definition=Definition().as_json())
    assert await office.connections.usage(WS, connection_id) == (
        ConnectionUsage(alpha, "Alpha", ("Call",)),
        ConnectionUsage(beta, "beta", ("Call", "Ask")),
    )
    for workspace, wanted in ((WS, "unknown"), ("another", connection_id)):
        with pytest.raises(NotFound):
            await office.connections.usage(workspace, wanted)
