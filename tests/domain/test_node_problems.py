from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Problem
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.validation import validate
from tests.builders import (
    a_definition,
    a_node,
    an_edge,
)


def problems_of(definition: Definition) -> list[Problem]:
    return list(validate(definition.as_json()).problems)


def config_problems(kind: str, *, disabled: bool = False, **config: Any) -> list[Problem]:
    edges = [an_edge("z", "a", "error")] if kind == "ErrorBoundary" else []
    nodes = [a_node("z", "LocalFlow"), a_node("a", kind, config, label="Mine", disabled=disabled)]
    return problems_of(a_definition(nodes, edges))


@pytest.mark.parametrize(
    ("config", "place", "sentence", "blocks"),
    [
        (
            {"mapings": []},
            "mapings",
            "Data mapper has no config key “mapings”. Remove it, or use one of: mappings, mode.",
            "save",
        ),
        ({"mappings": 5}, "mappings", "“Mappings” must be a list, not a number.", "save"),
        (
            {"mappings": [{"from": "data.", "to": "x"}]},
            "mappings[0].from",
            "Mapping 1: Line 1, column 6: ",
            "run",
        ),
    ],
)
def test_a_wrong_config_value_is_told_with_node_and_field(config, place, sentence, blocks):
    (found,) = config_problems("DataMapper", **config)[:1]
    assert (found.node_id, found.field, found.blocks) == ("a", place, blocks)
    assert found.message.startswith(sentence)


def test_outside_the_editor_a_sentence_about_a_config_value_names_its_node():
    (found,) = config_problems("DataMapper", mappings=5)
    assert found.as_json() == {
        "code": "wrong_type",
        "message": "“Mine”: “Mappings” must be a list, not a number.",
        "nodeId": "a",
        "edgeId": "",
        "field": "mappings",
        "blocks": "save",
    }


@pytest.mark.parametrize(
    "url",
    [
        "example.org/hook",
        "/hook",
        "ftp://example.org",
        "//example.org/hook",
        "http:example.org",
        "http:/example.org",
        "http:/{{data.host}}",
        "https://",
        "https:///hook",
        "https://:8080/hook",
        "https://exa mple.org/",
        "https://exa\nmple.org/",
        "https://example.org:port/",
        "https://example.org:99999/",
        "https://example.org:0/",
        "https://[::1/",
        "https://?x=1",
        "x{{data.url}}",
        "javascript:alert(1)",
    ],
)
def test_an_address_without_scheme_or_host_is_quoted_in_a_sentence(url):
    (found,) = config_problems("RemoteWebhook", url=url)
    shown = " ".join(url.split())
    assert found == Problem(
        "bad_url",
        f"“{shown}” is no complete address. It must start with http:// or https:// and name a host, for "
        "example https://example.org/hook.",
        "a",
        field="url",
        subject="Mine",
    )
    (found,) = config_problems("LocalFlow", flowId="f", baseURL=url)
    assert (found.code, found.field) == ("bad_url", "baseURL")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:3000",
        "HTTPS://EXAMPLE.ORG/Hook?x=1#y",
        "  https://example.org/hook \n",
        "https://[::1]:8080/",
        "https://münchen.example/",
        "https://user:secret@example.org/",
        "https://example.org?x={{data.x}}",
        "https://example.org/a b",
        "https://{{vars.host}}/hook",
        "https://{{vars.host}}",
        "https://api.{{vars.domain}}:{{vars.port}}/hook",
        "https://[{{vars.v6}}]/",
        "{{vars.base}}/hook",
        " {{vars.base}}",
    ],
)
def test_a_complete_address_or_one_that_may_become_one_is_fine(url):
    assert config_problems("RemoteWebhook", url=url) == []
    assert config_problems("LocalFlow", flowId="f", baseURL=url) == []


def test_a_long_address_is_cut_in_the_sentence():
    (found,) = config_problems("RemoteWebhook", url="x" * 5_000)
    assert f"“{'x' * 99}…”" in found.message


@pytest.mark.parametrize(
    ("config", "field", "sentence"),
    [
        ({}, "url", "“Address” is missing. Enter the complete address to call."),
        ({"url": " "}, "url", "“Address” is missing. Enter the complete address to call."),
        (
            {"provider": "simulated"},
            "workflowId",
            "“Workflow” is missing. Choose the workflow to call, or enter an address.",
        ),
        (
            {"provider": "n8n", "connectionId": "c"},
            "workflowId",
            "“Workflow” is missing. Choose the workflow to call, or enter an address.",
        ),
        (
            {"provider": "n8n", "workflowId": "w"},
            "connectionId",
            "“Connection” is missing. The platform is asked for the address, so choose the connection to use.",
        ),
        (
            {"provider": "n8n", "url": "https://x.org/w", "enablePolling": True},
            "connectionId",
            "“Connection” is missing. Polling asks the platform for the result, so choose the connection to use.",
        ),
        (
            {"provider": "make"},
            "url",
            "“Address” is missing. Enter the complete address to call, or choose a connection and a workflow.",
        ),
        (
            {"provider": "zapier", "connectionId": "c"},
            "workflowId",
            "“Workflow” is missing. Choose the workflow to call, or enter an address.",
        ),
        (
            {"provider": "make", "url": "https://hook.eu2.make.com/x", "completion": "poll"},
            "completion",
            (
                "Without a connection a plain address cannot be polled. Choose a connection, or the completion “response” or "
                "“callback”."
            ),
        ),
        (
            {"url": "https://x.org/w", "completion": "poll"},
            "doneCondition",
            (
                "“Done when” is missing. Enter an expression that is true when the status address shows the end, for instance "
                'data.status = "done"; or choose another completion.'
            ),
        ),
    ],
)
def test_a_call_that_lacks_something_cannot_run_but_may_be_kept(config, field, sentence):
    assert config_problems("RemoteWebhook", **config) == [
        Problem(
            "cannot_poll" if field == "completion" else "missing_value",
            sentence,
            "a",
            field=field,
            subject="Mine",
        )
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"provider": "n8n", "url": "https://x.org/w"},
        {"provider": "n8n", "connectionId": "c", "workflowId": "w"},
        {"provider": "n8n", "connectionId": "c", "workflowId": "w", "completion": "poll"},
        {"provider": "simulated", "workflowId": "slow"},
        {"provider": "simulated", "workflowId": "slow", "completion": "poll"},
        {"provider": "make", "url": "https://hook.eu2.make.com/x"},
        {"provider": "make", "connectionId": "c", "workflowId": "w", "completion": "poll"},
        {"provider": "zapier", "connectionId": "c", "workflowId": "w", "enablePolling": True},
        {
            "url": "https://x.org/w",
            "completion": "poll",
            "doneCondition": "data.done",
            "statusUrl": "{{ data.at }}",
        },
        {"url": "https://x.org/w", "completion": "callback"},
        {"url": "https://x.org/w", "completion": "response", "enablePolling": True},
    ],
)
def test_a_call_with_all_it_needs_can_run(config):
    assert config_problems("RemoteWebhook", **config) == []


def test_a_flow_is_polled_with_a_key():
    (found,) = config_problems("LocalFlow", flowId="f", baseURL="https://x.org", completion="poll")
    assert (found.code, found.field) == ("missing_value", "connectionId")
    assert found.message == "“Connection” is missing. Polling asks Flowise for the result, which needs a key."
    assert config_problems("LocalFlow", flowId="f", connectionId="c", completion="poll") == []


def test_the_status_address_must_be_complete():
    (found,) = config_problems(
        "RemoteWebhook",
        url="https://x.org/w",
        completion="poll",
        doneCondition="data.done",
        statusUrl="x.org/state",
    )
    assert (found.code, found.field) == ("bad_url", "statusUrl")


def test_polling_a_plain_address_in_the_originals_way_is_only_a_warning():
    assert config_problems("RemoteWebhook", url="https://x.org/w", enablePolling=True) == [
        Problem(
            "cannot_poll",
            "A plain address cannot be polled like this, so its answer is taken as the result.",
            "a",
            field="enablePolling",
            blocks="nothing",
            subject="Mine",
        )
    ]


def test_a_local_flow_needs_an_address_or_a_connection():
    assert config_problems("LocalFlow", flowId="f") == [
        Problem(
            "missing_value",
            "“Flowise address” or “Connection” is missing. Fill in one of them.",
            "a",
            field="baseURL",
            subject="Mine",
        )
    ]
    assert config_problems("LocalFlow", flowId="f", connectionId="c") == []


@pytest.mark.parametrize("url", [5, ["https://x.org"]])
def test_an_address_of_a_wrong_type_is_told_once(url):
    (found,) = config_problems("RemoteWebhook", url=url)
    assert (found.code, found.field) == ("wrong_type", "url")


def test_a_condition_without_cases_is_a_warning():
    assert config_problems("Condition") == [
        Problem(
            "no_cases",
            "There is no case, so everything takes the default branch. Add a case.",
            "a",
            field="cases",
            blocks="nothing",
            subject="Mine",
        )
    ]


def test_the_default_branch_may_not_be_called_error():
    cases = [{"expression": "data.x", "handle": "x"}]
    assert config_problems("Condition", cases=cases, defaultHandle="error") == [
        Problem(
            "bad_handle",
            "“Default branch” cannot be called “error”. Choose another name.",
            "a",
            field="defaultHandle",
            subject="Mine",
        )
    ]


@pytest.mark.parametrize(
    ("config", "outcome"), [({}, "its output is empty"), ({"mode": "extend"}, "its input goes on unchanged")]
)
def test_a_data_mapper_without_mappings_is_a_warning(config, outcome):
    assert config_problems("DataMapper", **config) == [
        Problem(
            "no_mappings",
            f"There is no mapping, so {outcome}. Add a mapping.",
            "a",
            field="mappings",
            blocks="nothing",
            subject="Mine",
        )
    ]


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_a_disabled_node_may_be_unfinished(kind):
    assert config_problems(kind, disabled=True) == []


def test_a_disabled_node_must_still_have_the_right_shape():
    (found,) = config_problems("RemoteWebhook", disabled=True, timeout="long", url="nowhere")
    assert (found.code, found.field, found.blocks) == ("wrong_type", "timeout", "save")
