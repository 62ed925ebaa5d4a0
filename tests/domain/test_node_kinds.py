import re

import pytest

from orchestrator_app.domain.config_checks import check_config
from orchestrator_app.domain.node_kinds import (
    NODE_KINDS,
    completion_of,
    is_idempotent,
    is_plain,
    output_handles,
    polling_time,
    provider_of,
    setting,
)
from tests.builders import a_node

ALL_FIELDS = [
    pytest.param(kind, field, id=f"{kind.name}.{field.key}")
    for kind in NODE_KINDS.values()
    for field in kind.fields
]

# What definitions of the original hold: names, units and defaults that must never change.
ORIGINAL_KEYS = {
    "RemoteWebhook": {
        "provider": "custom",
        "connectionId": None,
        "workflowId": None,
        "url": None,
        "method": "POST",
        "headers": {},
        "bodyTemplate": None,
        "timeout": 30_000,
        "enablePolling": False,
        "pollingInterval": 2_000,
        "maxPollingAttempts": 30,
        "retryAttempts": 3,
        "retryDelay": 1_000,
    },
    "LocalFlow": {"flowId": None, "baseURL": None, "connectionId": None, "question": None, "timeout": 30_000},
    "DataMapper": {"mappings": [], "mode": "replace"},
    "WaitForCallback": {"timeout": 3_600_000, "onTimeout": "fail", "schema": None},
    "Condition": {"cases": [], "defaultHandle": "default"},
    "ErrorBoundary": {},
    "Parallel": {},
}


def test_there_are_the_seven_kinds_of_the_original():
    assert set(NODE_KINDS) == set(ORIGINAL_KEYS)
    assert all(name == kind.name for name, kind in NODE_KINDS.items())


@pytest.mark.parametrize("kind", ORIGINAL_KEYS)
def test_the_originals_config_keys_keep_names_and_defaults(kind):
    node = a_node(kind=kind, config={})
    assert {key: setting(node, key) for key in ORIGINAL_KEYS[kind]} == ORIGINAL_KEYS[kind]
    assert all(NODE_KINDS[kind].field(key) for key in ORIGINAL_KEYS[kind])


@pytest.mark.parametrize("kind", NODE_KINDS.values(), ids=list(NODE_KINDS))
def test_a_kind_can_be_shown(kind):
    assert kind.title
    assert kind.summary.endswith(".")
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", kind.icon)
    assert re.fullmatch(r"[a-z]+", kind.color)
    keys = [field.key for field in kind.fields]
    assert len(keys) == len(set(keys))
    labels = [field.label for field in kind.fields]
    assert len(labels) == len(set(labels))


def test_no_two_kinds_look_alike():
    for attribute in ("title", "icon", "color"):
        assert len({getattr(kind, attribute) for kind in NODE_KINDS.values()}) == len(NODE_KINDS)


@pytest.mark.parametrize(("kind", "field"), ALL_FIELDS)
def test_a_field_explains_itself_and_its_default_is_acceptable(kind, field):
    assert field.label
    assert field.help.endswith((".", "..."))
    assert bool(field.choices) == (field.type == "choice")
    assert (field.most > 0) == (field.type in {"milliseconds", "integer"})
    if field.default is not None:
        config = {field.key: field.default}
        about_it = [
            finding
            for finding in check_config(a_node(kind=kind.name, config=config))
            if finding.field == field.key
        ]
        assert about_it == []


def test_an_emptied_field_counts_as_absent():
    node = a_node(
        kind="RemoteWebhook", config={"timeout": "", "provider": "  ", "method": None, "retryAttempts": 0}
    )
    assert setting(node, "timeout") == 30_000
    assert setting(node, "provider") == "custom"
    assert setting(node, "method") == "POST"
    assert setting(node, "retryAttempts") == 0


def test_a_key_that_the_kind_does_not_have_has_no_value():
    assert setting(a_node(kind="LocalFlow"), "retryAttempts") is None
    assert NODE_KINDS["LocalFlow"].field("retryAttempts") is None


@pytest.mark.parametrize(
    "kind", ["RemoteWebhook", "LocalFlow", "DataMapper", "WaitForCallback", "ErrorBoundary"]
)
def test_ordinary_nodes_have_one_output_and_one_for_errors(kind):
    assert output_handles(a_node(kind=kind)) == ("out", "error")


def test_a_parallel_node_cannot_fail():
    assert output_handles(a_node(kind="Parallel")) == ("out",)


def test_a_condition_has_an_output_per_case_then_the_default_then_errors():
    cases = [{"expression": "a", "handle": "big"}, {"expression": "b", "handle": "small"}]
    assert output_handles(a_node(kind="Condition", config={"cases": cases})) == (
        "big",
        "small",
        "default",
        "error",
    )
    named = {"cases": cases, "defaultHandle": "rest"}
    assert output_handles(a_node(kind="Condition", config=named)) == ("big", "small", "rest", "error")
    shared = {"cases": cases, "defaultHandle": "big"}
    assert output_handles(a_node(kind="Condition", config=shared)) == ("big", "small", "error")


@pytest.mark.parametrize(
    "config",
    [
        {"cases": None},
        {"cases": "data.x"},
        {"cases": [1, None, {}, {"handle": 5}, {"handle": ""}]},
        {"defaultHandle": ["a"]},
        {"cases": [{"expression": "x", "handle": "error"}]},
    ],
)
def test_outputs_of_a_broken_condition_can_still_be_drawn(config):
    assert output_handles(a_node(kind="Condition", config=config)) == ("default", "error")


def test_a_default_branch_called_error_is_not_drawn_twice():
    assert output_handles(a_node(kind="Condition", config={"defaultHandle": "error"})) == ("error",)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, False),
        ({"method": "GET"}, True),
        ({"method": "PUT"}, True),
        ({"method": "DELETE"}, True),
        ({"method": "PATCH"}, False),
        ({"method": "POST", "idempotent": True}, True),
        ({"method": "GET", "idempotent": False}, False),
        ({"method": "GET", "idempotent": None}, True),
        ({"method": ["GET"]}, False),
    ],
)
def test_get_put_and_delete_may_be_repeated_unless_the_user_says_otherwise(config, expected):
    assert is_idempotent(a_node(kind="RemoteWebhook", config=config)) is expected


def test_a_question_to_a_flow_is_never_repeated_after_an_unclear_outcome():
    assert not is_idempotent(a_node(kind="LocalFlow"))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "response"),
        ({"enablePolling": True}, "response"),
        ({"enablePolling": True, "provider": "n8n"}, "poll"),
        ({"enablePolling": False, "provider": "n8n"}, "response"),
        ({"enablePolling": True, "provider": "n8n", "completion": "callback"}, "callback"),
        ({"enablePolling": True, "provider": "n8n", "completion": ""}, "poll"),
        ({"completion": "poll"}, "poll"),
        ({"enablePolling": True, "connectionId": "c"}, "response"),
        ({"enablePolling": True, "provider": "make"}, "response"),
        ({"enablePolling": True, "provider": "make", "connectionId": "c"}, "poll"),
    ],
)
def test_completion_wins_over_the_older_flag(config, expected):
    assert completion_of(a_node(kind="RemoteWebhook", config=config)) == expected


def test_a_flow_has_a_completion_of_its_own():
    assert completion_of(a_node(kind="LocalFlow")) == "response"
    assert completion_of(a_node(kind="LocalFlow", config={"completion": "callback"})) == "callback"


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("RemoteWebhook", {}, 60_000),
        ("RemoteWebhook", {"pollingInterval": 500, "maxPollingAttempts": 4}, 2_000),
        ("RemoteWebhook", {"pollingTimeout": 7, "maxPollingAttempts": 4}, 7),
        ("RemoteWebhook", {"pollingInterval": "soon"}, 0),
        ("LocalFlow", {}, 3_600_000),
    ],
)
def test_polling_takes_the_time_that_is_given_or_that_of_all_polls(kind, config, expected):
    assert polling_time(a_node(kind=kind, config=config)) == expected


@pytest.mark.parametrize(
    ("config", "provider", "plain"),
    [
        ({}, "custom", True),
        ({"provider": "make"}, "make", True),
        ({"provider": "make", "connectionId": "c"}, "make", False),
        ({"provider": "n8n"}, "n8n", False),
    ],
)
def test_without_an_account_only_the_address_is_called(config, provider, plain):
    node = a_node(kind="RemoteWebhook", config=config)
    assert (provider_of(node), is_plain(node)) == (provider, plain)
