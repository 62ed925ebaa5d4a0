"""Scenarios of Make as graphs, and what is said about starting them."""

import copy
from typing import Any

import pytest

from orchestrator_app.errors import CredentialRefused, ProviderError, ProviderRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.make_blueprint import Graph, condition_in_words, read_blueprint
from orchestrator_app.providers.remote_workflow import FormField, WorkflowPreview
from tests.fakes.connections import make_connection
from tests.fakes.make import FakeMake
from tests.fakes.make_scenario import FakeScenario
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


def module(number: int, kind: str = "util:SetVariables", **more: Any) -> dict[str, Any]:
    return {"id": number, "module": kind, "version": 1, **more}


def graph_of(*flow: dict[str, Any], orphans: list[Any] | None = None) -> Graph:
    return read_blueprint({"flow": list(flow), "metadata": {"designer": {"orphans": orphans or []}}})


def ways(graph: Graph) -> list[tuple[str, str, str, str]]:
    return [(edge.source, edge.target, edge.label, edge.kind) for edge in graph.edges]


# --- the graph ---


def test_a_flow_is_a_sequence():
    graph = graph_of(module(1), module(2), module(3))
    assert ways(graph) == [("1", "2", "", "main"), ("2", "3", "", "main")]
    assert [node.is_trigger for node in graph.nodes] == [True, False, False]


def test_a_module_has_its_own_name_or_that_of_its_action_and_its_app_in_words():
    designer = {"designer": {"x": 300, "y": -50.5, "name": "Push"}}
    graph = graph_of(
        module(1, "google-sheets:addRow", metadata=designer),
        module(2, "http:ActionSendData"),
        module(3, "odd"),
    )
    shown = [(node.label, node.app, node.kind) for node in graph.nodes]
    assert shown == [
        ("Push", "Google Sheets", "google-sheets:addRow"),
        ("ActionSendData", "HTTP", "http:ActionSendData"),
        ("odd", "Odd", "odd"),
    ]
    assert (graph.nodes[0].x, graph.nodes[0].y) == (300.0, -50.5)


def test_a_router_leads_to_the_head_of_each_route_with_its_condition():
    paid = {"name": "paid only", "conditions": [[{"a": "{{1.state}}", "o": "text:equal", "b": "paid"}]]}
    late = {"name": "", "conditions": [[{"a": "{{1.days}}", "o": "number:greater", "b": "30"}]]}
    graph = graph_of(
        module(1),
        module(
            2,
            "builtin:BasicRouter",
            mapper=None,
            routes=[
                {"flow": [module(3, filter=paid), module(4)]},
                {"flow": [module(5, filter=late)]},
                {"flow": []},
            ],
        ),
    )
    assert ways(graph) == [
        ("1", "2", "", "main"),
        ("2", "3", "paid only", "main"),
        ("3", "4", "", "main"),
        ("2", "5", "{{1.days}} > 30", "main"),
    ]
    assert graph.nodes[1].label == "Router"


def test_branches_that_merge_join_in_the_merge_module():
    condition = [[{"a": "{{1.n}}", "o": "number:less", "b": "3"}]]
    graph = graph_of(
        module(1),
        module(
            2,
            "builtin:BasicIfElse",
            branches=[
                {"type": "condition", "merge": True, "conditions": condition, "flow": [module(3)]},
                {"type": "condition", "merge": True, "label": "Nothing to do", "flow": []},
                {"type": "condition", "merge": False, "label": "Ends here", "flow": [module(4)]},
                {"type": "else", "merge": True, "disabled": True, "label": "", "flow": [module(5)]},
            ],
        ),
        module(6, "builtin:BasicMerge"),
        module(7),
    )
    assert ways(graph) == [
        ("1", "2", "", "main"),
        ("2", "3", "{{1.n}} < 3", "main"),
        ("2", "4", "Ends here", "main"),
        ("2", "5", "else (switched off)", "main"),
        ("3", "6", "", "main"),
        ("2", "6", "Nothing to do", "main"),
        ("5", "6", "", "main"),
        ("6", "7", "", "main"),
    ]


def test_an_error_handler_hangs_at_its_module_by_an_error_way():
    graph = graph_of(
        module(1, onerror=[module(9, "http:ActionSendData"), module(10, "builtin:Ignore")]), module(2)
    )
    assert ways(graph) == [
        ("1", "9", "", "error"),
        ("9", "10", "", "main"),
        ("1", "2", "", "main"),
    ]


def test_iterators_and_aggregators_are_named_and_say_what_they_collect():
    graph = graph_of(
        module(1),
        module(2, "builtin:BasicFeeder", mapper={"array": "{{1.lines}}"}),
        module(3, "builtin:BasicAggregator", parameters={"feeder": 2}),
    )
    assert [node.label for node in graph.nodes[1:]] == ["Iterator", "Array aggregator"]
    assert graph.nodes[2].notes == "It collects what module 2 hands out one by one."


@pytest.mark.parametrize("orphans", [[[module(8), module(9)]], [module(8), module(9)]])
def test_modules_that_are_not_connected_are_shown_as_switched_off(orphans: list[Any]):
    graph = graph_of(module(1), orphans=orphans)
    loose = graph.nodes[1:]
    assert [node.id for node in loose] == ["8", "9"]
    assert all(node.is_disabled and not node.is_trigger for node in loose)
    assert all("never runs" in node.notes for node in loose)
    assert len(graph.modules) == 1


def test_a_disabled_module_is_shown_as_such_and_does_not_count():
    graph = graph_of(module(1), module(2, "scenario-service:ReturnData", disabled=True))
    assert [node.is_disabled for node in graph.nodes] == [False, True]
    assert not graph.has("scenario-service:ReturnData")


def test_deep_nesting_of_routes_branches_and_handlers_is_read():
    inner = module(4, onerror=[module(5, "builtin:BasicRouter", routes=[{"flow": [module(6)]}])])
    branch = module(3, "builtin:BasicIfElse", branches=[{"type": "else", "merge": True, "flow": [inner]}])
    graph = graph_of(module(1), module(2, "builtin:BasicRouter", routes=[{"flow": [branch, module(7)]}]))
    assert ways(graph) == [
        ("1", "2", "", "main"),
        ("2", "3", "", "main"),
        ("3", "4", "else", "main"),
        ("4", "5", "", "error"),
        ("5", "6", "", "main"),
        ("4", "7", "", "main"),
    ]


@pytest.mark.parametrize(
    "flow",
    [
        None,
        {},
        ["text", 3, None],
        [{}],
        [{"id": None, "module": 7, "routes": "x", "branches": {"a": 1}, "onerror": None, "filter": [1]}],
        [
            {"id": 1, "module": "a:b", "metadata": None, "later": {"unknown": True}},
            {"id": 1, "module": "a:b"},
        ],
    ],
)
def test_what_is_not_known_is_passed_over(flow: Any):
    graph = read_blueprint({"flow": flow, "metadata": {"designer": None}, "later": 1})
    names = [node.id for node in graph.nodes]
    assert len(set(names)) == len(names)
    assert {end for edge in graph.edges for end in (edge.source, edge.target)} <= set(names)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (None, ""),
        ({"name": "  paid\n only "}, "paid only"),
        ({"conditions": [[{"a": "{{1.x}}", "o": "exist"}]]}, "{{1.x}} exists"),
        ({"conditions": [[{"a": "a", "o": "text:contain:ci", "b": "b"}]]}, "a contains b"),
        ({"conditions": [[{"a": "a", "o": "within", "b": "b"}]]}, "a within b"),
        (
            {"conditions": [[{"a": "a", "o": "text:notequal", "b": "b"}, {"a": "c", "o": "exist"}], [{"a": "d", "o": "text:startwith", "b": "e"}]]},
            "a ≠ b and c exists or d starts with e",
        ),
        ({"conditions": [[{"o": "text:equal", "b": "b"}]]}, "… = b"),
        ({"name": "n" * 200}, "n" * 79 + "…"),
    ],
)  # fmt: skip
def test_a_condition_is_told_in_words(condition: Any, words: str):
    assert condition_in_words(condition) == words


def test_the_digest_knows_settings_names_and_ways_but_not_places():
    flow = [module(1, mapper={"a": "1"}, metadata={"designer": {"x": 0, "y": 0}}), module(2)]
    original = graph_of(*flow)

    moved = copy.deepcopy(flow)
    moved[0]["metadata"]["designer"]["x"] = 900
    moved[0]["metadata"]["expect"] = [{"name": "a"}]
    assert graph_of(*moved).digest == original.digest

    changed = copy.deepcopy(flow)
    changed[0]["mapper"]["a"] = "2"
    after = graph_of(*changed)
    assert after.digest != original.digest
    assert [a.digest == b.digest for a, b in zip(after.nodes, original.nodes, strict=True)] == [False, True]

    for change in (
        {"filter": {"name": "new"}},
        {"disabled": True},
        {"metadata": {"designer": {"name": "N"}}},
    ):
        assert graph_of(flow[0], flow[1] | change).digest != original.digest
    assert graph_of(flow[0]).digest != original.digest


# --- previews from the fake ---


async def seen(provider: MakeProvider, make: FakeMake, scenario: FakeScenario) -> WorkflowPreview:
    return await provider.preview(make_connection(make), str(scenario.id))


async def test_regression_the_graph_comes_from_the_blueprints_own_address(
    make: FakeMake, provider: MakeProvider
):
    """It looked for modules in the scenario, which has none."""
    make.folders[3] = ("CRM", 16)
    scenario = make.add_scenario("Invoices", folder=3)
    preview = await seen(provider, make, scenario)
    assert make.server.calls(f"{make.api}/scenarios/{scenario.id}/blueprint", method="GET")
    assert [node.kind for node in preview.nodes] == ["util:SetVariables", "scenario-service:ReturnData"]
    assert [(edge.source, edge.target) for edge in preview.edges] == [("1", "4")]
    assert (preview.workflow.team, preview.workflow.folder) == ("Ops", "CRM")
    assert preview.workflow.content_hash == graph_of(*scenario.modules()).digest


async def test_a_scenario_that_is_run_is_polled_best_and_needs_a_return_output_for_a_result(
    make: FakeMake, provider: MakeProvider
):
    preview = await seen(provider, make, make.add_scenario("Invoices"))
    assert [(each.key, each.works) for each in preview.completions] == [
        ("poll", True),
        ("callback", True),
        ("response", True),
    ]
    assert preview.entry == "Run through Make's API."
    assert "40 seconds" in preview.completions[2].reason
    assert preview.snippet == ""

    silent = await seen(provider, make, make.add_scenario("Silent", outputs=None))
    assert "Return output" in silent.entry
    assert all("result is empty" in each.reason for each in silent.completions)


async def test_a_webhook_scenario_calls_back_best_and_gets_a_step_to_paste(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_hook_scenario("Leads")
    preview = await seen(provider, make, scenario)
    assert [each.key for each in preview.completions] == ["callback", "poll", "response"]
    assert "guessed" in preview.completions[1].reason
    assert "“Accepted”" in preview.completions[2].reason
    assert "{{1.callbackUrl}}" in preview.snippet
    assert "HTTP" in preview.snippet_help
    assert scenario.udid not in str(preview)  # who knows the address may call it


async def test_a_webhook_scenario_that_calls_back_already_needs_no_step(
    make: FakeMake, provider: MakeProvider
):
    preview = await seen(provider, make, make.add_hook_scenario("Leads", calls_back=True))
    assert (preview.completion, preview.snippet) == ("callback", "")


async def test_a_webhook_response_module_makes_the_response_best(make: FakeMake, provider: MakeProvider):
    preview = await seen(provider, make, make.add_hook_scenario("Leads", respond=(200, {})))
    assert preview.completion == "response"


async def test_a_hook_that_stands_in_the_blueprint_only_is_found(make: FakeMake, provider: MakeProvider):
    preview = await seen(provider, make, make.add_hook_scenario("Leads", shows_hook=False))
    assert preview.facts["start"] == "webhook"


async def test_a_scenario_that_starts_by_events_of_an_app_cannot_be_called_and_says_so(
    make: FakeMake, provider: MakeProvider
):
    preview = await seen(provider, make, make.add_scenario("Messages", hook_type="slack-events"))
    assert [each.works for each in preview.completions] == [False, False, False]
    assert "slack-events" in preview.entry
    assert preview.facts["start"] == "none"


async def test_a_hook_that_may_not_be_seen_is_told_with_the_scope(make: FakeMake, provider: MakeProvider):
    make.closed = {"hooks"}
    preview = await seen(provider, make, make.add_hook_scenario("Leads"))
    assert "hooks:read" in preview.entry
    assert preview.nodes


async def test_an_inactive_or_broken_scenario_says_so_in_words(make: FakeMake, provider: MakeProvider):
    preview = await seen(provider, make, make.add_scenario("Old", is_active=False, flags={"isinvalid"}))
    assert preview.entry.endswith(
        "It is not active: activate it in Make first. Make has stopped this scenario because of errors."
    )


async def test_the_inputs_become_a_form(make: FakeMake, provider: MakeProvider):
    inputs = [
        {"name": "email", "type": "email", "label": "E-mail", "required": True, "help": "Whom to ask"},
        {"name": "count", "type": "uinteger", "default": 3},
        {"name": "urgent", "type": "boolean", "default": False},
        {"name": "text", "type": "text", "multiline": True},
        {"name": "kind", "type": "select", "options": [{"label": "One", "value": "1"}, {"value": "2"}]},
        {"name": "size", "type": "text", "validate": {"enum": ["s", "m"]}},
        {"name": "lines", "type": "array", "spec": []},
        {"name": "odd", "type": "of the future"},
        {"type": "text"},
    ]
    preview = await seen(provider, make, make.add_scenario("Leads", inputs=inputs))
    assert preview.form == (
        FormField("email", "E-mail", "email", required=True, help="Whom to ask"),
        FormField("count", "count", "number", default=3),
        FormField("urgent", "urgent", "boolean", default=False),
        FormField("text", "text", "longtext"),
        FormField("kind", "kind", "choice", options=("1", "2")),
        FormField("size", "size", "choice", options=("s", "m")),
        FormField("lines", "lines", "json"),
        FormField("odd", "odd", "text"),
    )
    assert preview.entry == "Run through Make's API, with the inputs that it declares."


async def test_inputs_of_a_scheduled_scenario_are_said_not_to_be_taken(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Leads", inputs=[{"name": "email", "type": "text"}], scheduling="daily")
    assert "only when its schedule in Make is “On demand”" in (await seen(provider, make, scenario)).entry


async def test_an_interface_that_may_not_be_seen_means_no_form(make: FakeMake, provider: MakeProvider):
    make.closed = {"interface"}
    scenario = make.add_scenario("Leads", inputs=[{"name": "email", "type": "text"}])
    assert (await seen(provider, make, scenario)).form == ()


async def test_an_unknown_scenario_is_a_refusal_with_its_status(make: FakeMake, provider: MakeProvider):
    with pytest.raises(ProviderRefused, match="no scenario 7") as caught:
        await provider.preview(make_connection(make), "7")
    assert caught.value.remote_status == 404


@pytest.mark.parametrize(
    ("part", "error"), [("blueprint", CredentialRefused), ("scenarios", CredentialRefused)]
)
async def test_a_graph_that_may_not_be_seen_is_refused(
    make: FakeMake, provider: MakeProvider, part: str, error: type[ProviderError]
):
    scenario = make.add_scenario("Invoices")
    make.closed = {part}
    with pytest.raises(error, match="may not do this"):
        await seen(provider, make, scenario)
