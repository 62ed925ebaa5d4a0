"""Reading n8n's workflows: the graph, the webhooks and how to start them."""

from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.n8n_triggers import is_active, keeps_successes, webhooks
from orchestrator_app.providers.n8n_workflow import read_preview, read_workflow
from orchestrator_app.providers.remote_workflow import PreviewEdge
from tests.fakes.recordings import recording

BASE = "https://n8n.example"
HOOKS = "https://hooks.example"


def node(name: str, kind: str = "n8n-nodes-base.set", **settings: Any) -> JsonObject:
    return {"id": name, "name": name, "type": kind, "position": [0, 0], "parameters": {}} | settings


def webhook(name: str = "Webhook", *, webhook_id: str = "hook-id", **parameters: Any) -> JsonObject:
    made = node(name, "n8n-nodes-base.webhook", parameters=parameters)
    return made | {"webhookId": webhook_id} if webhook_id else made


def workflow(*nodes: JsonObject, connections: JsonObject | None = None, **settings: Any) -> JsonObject:
    return {
        "id": "kT3bWq0ZlMn5xYpA",
        "name": "Lead intake",
        "active": True,
        "nodes": list(nodes),
        "connections": connections or {},
    } | settings


def link(target: str, kind: str = "main") -> JsonObject:
    return {"node": target, "type": kind, "index": 0}


@pytest.mark.parametrize("release", [1, 2])
def test_a_recorded_workflow_is_read(release: int):
    raw = recording(f"n8n-{release}", "workflows_get")["response"]["body"]
    preview = read_preview(raw, BASE, HOOKS)
    assert preview.workflow.name == "RIG b last node echo"
    assert preview.workflow.is_active
    assert preview.workflow.link == f"{BASE}/workflow/{raw['id']}"
    assert [step.label for step in preview.nodes] == ["Webhook", "Set"]
    assert preview.nodes[0].is_trigger
    assert not preview.nodes[1].is_trigger
    assert preview.edges == (PreviewEdge("Webhook", "Set"),)
    assert (preview.url, preview.method, preview.completion) == (f"{HOOKS}/webhook/rig-b", "POST", "response")
    assert preview.facts["showsPublishedVersion"] is True


@pytest.mark.parametrize("release", [1, 2])
def test_a_recorded_list_is_read(release: int):
    rows = recording(f"n8n-{release}", "workflows_list_limit2")["response"]["body"]["data"]
    found = [read_workflow(row, BASE) for row in rows]
    assert all(row.name.startswith("DUMMY") and not row.is_active and not row.is_archived for row in found)
    assert all(row.updated_at and row.updated_at > 1_700_000_000_000 for row in found)


def test_connections_are_keyed_by_the_name_of_the_source():
    raw = workflow(
        webhook("Incoming"),
        node("Big lead?", "n8n-nodes-base.if"),
        node("Notify", disabled=True, notes="Tell sales"),
        node("Archive"),
        connections={
            "Incoming": {"main": [[link("Big lead?")]]},
            "Big lead?": {"main": [[link("Notify")], [link("Archive"), link("Notify")]]},
        },
    )
    preview = read_preview(raw, BASE, HOOKS)
    assert preview.edges == (
        PreviewEdge("Incoming", "Big lead?"),
        PreviewEdge("Big lead?", "Notify", "true"),
        PreviewEdge("Big lead?", "Archive", "false"),
        PreviewEdge("Big lead?", "Notify", "false"),
    )
    notify = preview.nodes[2]
    assert notify.is_disabled
    assert notify.notes == "Tell sales"


def test_an_output_without_links_may_be_null():
    raw = workflow(
        webhook(),
        node("Switch", "n8n-nodes-base.switch"),
        node("A"),
        connections={"Switch": {"main": [None, [], [link("A")]]}},
    )
    assert read_preview(raw, BASE, HOOKS).edges == (PreviewEdge("Switch", "A", "2"),)


def test_links_of_other_kinds_are_named_after_their_kind():
    raw = workflow(
        node("Agent", "@n8n/n8n-nodes-langchain.agent"),
        node("Model", "@n8n/n8n-nodes-langchain.lmChatOpenAi"),
        node("Search", "@n8n/n8n-nodes-langchain.toolWikipedia"),
        connections={
            "Model": {"ai_languageModel": [[link("Agent", "ai_languageModel")]]},
            "Search": {"ai_tool": [[link("Agent", "ai_tool")]]},
        },
    )
    assert read_preview(raw, BASE, HOOKS).edges == (
        PreviewEdge("Model", "Agent", "languageModel", "tool"),
        PreviewEdge("Search", "Agent", "tool", "tool"),
    )


@pytest.mark.parametrize(
    ("settings", "outputs", "labels"),
    [
        ({"type": "n8n-nodes-base.splitInBatches"}, 2, ["done", "loop"]),
        ({"type": "n8n-nodes-base.filter"}, 2, ["kept", "discarded"]),
        ({"onError": "continueErrorOutput"}, 2, ["0", "error"]),
        ({"onError": "continueErrorOutput"}, 1, [""]),
        ({"parameters": {"rules": {"values": [{"outputKey": "gold"}, {}]}}}, 3, ["gold", "1", "2"]),
        ({"parameters": {"rules": {"rules": [{"outputKey": "old style"}]}}}, 1, ["old style"]),
    ],
)
def test_ways_out_are_named_by_what_they_mean(settings: dict[str, Any], outputs: int, labels: list[str]):
    links: JsonObject = {"Source": {"main": [[link("Next")] for _ in range(outputs)]}}
    raw = workflow(node("Source", **settings), node("Next"), connections=links)
    edges = read_preview(raw, BASE, HOOKS).edges
    assert [edge.label for edge in edges] == labels
    assert [edge.kind for edge in edges] == ["error" if label == "error" else "main" for label in labels]


def test_the_digest_is_that_of_the_steps_and_links_without_their_places():
    start, step = webhook(path="p"), node("A")
    links: JsonObject = {"Webhook": {"main": [[link("A")]]}}

    def digest(*nodes: JsonObject, connections: JsonObject, **settings: Any) -> str:
        return read_workflow(workflow(*nodes, connections=connections, **settings), BASE).content_hash

    first = digest(start, step, connections=links)
    assert first == digest(node("A", position=[9, 9]), start, connections=links, name="Renamed")
    assert first == digest(start, step, node("Note", "n8n-nodes-base.stickyNote"), connections=links)
    assert first != digest(start, step, connections={})
    assert first != digest(start, node("A", disabled=True), connections=links)


def test_a_changed_step_has_another_digest_and_a_moved_one_the_same():
    raw = workflow(webhook(path="p"), node("A"), node("B"))
    changed = workflow(webhook(path="p"), node("A", parameters={"x": 1}), node("B", position=[5, 5]))
    before = {step.id: step.digest for step in read_preview(raw, BASE, HOOKS).nodes}
    after = {step.id: step.digest for step in read_preview(changed, BASE, HOOKS).nodes}
    assert [name for name, digest in before.items() if after[name] != digest] == ["A"]


def test_a_draft_that_is_not_published_does_not_change_the_digest():
    published = {"nodes": [webhook(path="p")], "connections": {}}
    raw = workflow(webhook(path="p"), activeVersionId="v1", versionId="v1", activeVersion=published)
    draft = raw | {"nodes": [webhook(path="draft")], "versionId": "v2"}
    assert read_workflow(draft, BASE).content_hash == read_workflow(raw, BASE).content_hash


def test_a_list_without_the_published_version_gives_no_digest_unless_the_draft_is_it():
    row = workflow(webhook(path="p"), activeVersionId="v1", versionId="v2")
    assert read_workflow(row, BASE).content_hash == ""
    assert read_workflow(row | {"versionId": "v1"}, BASE).content_hash


@pytest.mark.parametrize(
    ("kind", "app"),
    [
        ("n8n-nodes-base.slack", "Slack"),
        ("n8n-nodes-base.googleSheetsTrigger", "Google Sheets"),
        ("n8n-nodes-base.gmailTool", "Gmail"),
        ("n8n-nodes-base.httpRequest", ""),
        ("n8n-nodes-base.scheduleTrigger", ""),
        ("@n8n/n8n-nodes-langchain.lmChatOpenAi", "OpenAI"),
        ("@n8n/n8n-nodes-langchain.toolWikipedia", "Wikipedia"),
        ("@n8n/n8n-nodes-langchain.agent", ""),
        ("n8n-nodes-community.github", "GitHub"),
        ("", ""),
    ],
)
def test_the_app_of_a_step_is_made_of_its_type(kind: str, app: str):
    assert read_preview(workflow(node("A", kind)), BASE, HOOKS).nodes[0].app == app


@pytest.mark.parametrize(
    ("settings", "team", "folder"),
    [
        ({}, "", ""),
        ({"shared": [{"role": "workflow:owner", "projectId": "p"}]}, "", ""),
        ({"shared": [{"project": {"name": "Sales"}}], "parentFolder": {"name": "Leads"}}, "Sales", "Leads"),
        ({"homeProject": {"name": "Support"}}, "Support", ""),
    ],
)
def test_project_and_folder_are_told_where_n8n_tells_them(settings: dict[str, Any], team: str, folder: str):
    row = read_workflow(workflow(**settings), BASE)
    assert (row.team, row.folder) == (team, folder)


def test_a_workflow_that_nothing_outside_can_start_says_so():
    assert read_workflow(workflow(webhook()), BASE).note == ""
    assert "nothing outside can start it" in read_workflow(workflow(node("Timer")), BASE).note


def test_sticky_notes_are_no_steps():
    raw = workflow(
        webhook(),
        node("Note", "n8n-nodes-base.stickyNote"),
        connections={"Note": {"main": [[link("Webhook")]]}, "Webhook": {"main": [[link("Gone")]]}},
    )
    preview = read_preview(raw, BASE, HOOKS)
    assert [step.label for step in preview.nodes] == ["Webhook"]
    assert preview.edges == ()


def test_the_published_version_is_shown_not_the_draft():
    raw = workflow(
        webhook(path="draft"),
        activeVersionId="v1",
        activeVersion={"nodes": [webhook(path="published")], "connections": {}},
    )
    assert read_preview(raw, BASE, HOOKS).url == f"{HOOKS}/webhook/published"


@pytest.mark.parametrize(
    ("made", "path"),
    [
        (webhook(path="lead-in"), "webhook/lead-in"),
        (webhook(path="/lead-in/"), "webhook/lead-in"),
        (webhook(), "webhook/hook-id"),
        (webhook(path="users/:id/x"), "webhook/hook-id/users/:id/x"),
        (webhook(path=":id"), "webhook/hook-id/:id"),
        (webhook("My Höok (1)", webhook_id="", path="p"), "webhook/kT3bWq0ZlMn5xYpA/my%20h%C3%B6ok%20(1)/p"),
    ],
)
def test_the_path_follows_the_rules_of_n8n(made: JsonObject, path: str):
    assert webhooks(workflow(made))[0].path == path


@pytest.mark.parametrize(
    ("parameters", "methods"),
    [
        ({}, ("GET",)),
        ({"httpMethod": "PUT"}, ("PUT",)),
        ({"httpMethod": ["GET", "POST"]}, ("POST", "GET")),
        ({"multipleMethods": True}, ("POST", "GET")),
        ({"httpMethod": []}, ("GET",)),
    ],
)
def test_a_parameter_at_its_default_is_absent_and_the_default_is_get(
    parameters: dict[str, Any], methods: tuple[str, ...]
):
    assert webhooks(workflow(webhook(path="p", **parameters)))[0].methods == methods


def test_disabled_webhooks_do_not_listen_and_chats_come_after_webhooks():
    chat = node(
        "Chat", "@n8n/n8n-nodes-langchain.chatTrigger", webhookId="chat-id", parameters={"public": True}
    )
    raw = workflow(webhook("Off", path="off") | {"disabled": True}, chat, webhook("On", path="on"))
    assert [found.node for found in webhooks(raw)] == ["On", "Chat"]
    assert webhooks(raw)[1].path == "webhook/chat-id/chat"
    assert webhooks(raw)[1].methods == ("POST",)
    entry = read_preview(raw, BASE, HOOKS).entry
    assert entry.startswith("GET to the webhook node “On”, which answers at once")
    assert "also be started at “Chat”" in entry


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (workflow(webhook(), active=False), "not active"),
        (workflow(webhook(path="a/:id")), "Replace :id"),
        (workflow(webhook(path="={{ $json.p }}")), "expression"),
        (workflow(webhook(authentication="headerAuth")), "asks for headerAuth"),
        (workflow(node("Form", "n8n-nodes-base.formTrigger")), "POST to the form node “Form”"),
        (workflow(node("Chat", "@n8n/n8n-nodes-langchain.chatTrigger")), "not public"),
        (workflow(node("Timer", "n8n-nodes-base.scheduleTrigger")), "no Webhook node"),
    ],
)
def test_the_entry_says_what_the_user_has_to_know(raw: JsonObject, words: str):
    assert words in read_preview(raw, BASE, HOOKS).entry


def test_a_workflow_without_a_knowable_address_has_none():
    assert read_preview(workflow(webhook(path="={{ 1 }}")), BASE, HOOKS).url == ""
    assert read_preview(workflow(node("Timer")), BASE, HOOKS).url == ""


def test_newer_releases_say_by_the_published_version_that_a_workflow_is_active():
    assert is_active({"activeVersionId": "v1"})
    assert not is_active({"activeVersionId": None, "active": False})


def test_a_workflow_may_say_that_it_does_not_keep_good_executions():
    assert keeps_successes(workflow())
    assert keeps_successes(workflow(settings={"saveDataSuccessExecution": "DEFAULT"}))
    assert not keeps_successes(workflow(settings={"saveDataSuccessExecution": "none"}))


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"nodes": None, "connections": []},
        {"nodes": [1, {"position": "x"}], "connections": {"a": 1, "b": {"main": 3}}},
    ],
)
def test_a_broken_workflow_gives_a_poor_preview_and_no_error(raw: JsonObject):
    assert read_preview(raw, BASE, HOOKS).edges == ()
