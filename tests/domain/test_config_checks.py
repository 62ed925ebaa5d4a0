import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.domain.config_checks import Finding, check_config
from orchestrator_app.domain.node_kinds import NODE_KINDS
from tests.builders import RUNNABLE_CONFIGS, a_node, json_values, nested, unhurried

ALL_KEYS = sorted({field.key for kind in NODE_KINDS.values() for field in kind.fields})


def findings(kind: str, **config: Any) -> list[Finding]:
    return list(check_config(a_node(kind=kind, config=RUNNABLE_CONFIGS[kind] | config)))


def only(kind: str, **config: Any) -> Finding:
    found = findings(kind, **config)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_a_node_that_can_run_has_no_findings(kind):
    assert findings(kind) == []


@unhurried
@given(
    st.sampled_from(sorted(NODE_KINDS)),
    st.dictionaries(st.sampled_from(ALL_KEYS) | st.text(max_size=8), json_values, max_size=6),
)
def test_any_config_gives_sentences_and_never_an_exception(kind, config):
    for finding in check_config(a_node(kind=kind, config=config)):
        assert re.fullmatch(r"[“A-Z].*[.?]", finding.message, re.DOTALL)
        assert any(finding.field.startswith(key) for key in (*config, "flowId"))
        assert finding.code


MONSTERS = {
    "deep list": nested(5_000),
    "huge number": 10**5000,
    "huge negative number": -(10**5000),
    "largest float": 1e308,
    "long text": "x" * 1_000_000,
    "many openings": "{{" * 5_000,
    "many brackets": "(" * 5_000,
    "half a character": "\ud800",
    "zero character": "\x00",
}


@pytest.mark.parametrize("value", MONSTERS.values(), ids=list(MONSTERS))
@pytest.mark.parametrize(("kind", "key"), [(k.name, f.key) for k in NODE_KINDS.values() for f in k.fields])
def test_monstrous_values_give_short_sentences(kind, key, value):
    for finding in check_config(a_node(kind=kind, config={key: value})):
        assert len(finding.message) < 500


def test_an_unknown_key_blocks_saving_and_names_the_known_ones():
    assert only("DataMapper", maping=[]) == Finding(
        "unknown_config_key",
        "maping",
        "Data mapper has no config key “maping”. Remove it, or use one of: mappings, mode.",
        "save",
    )


def test_what_an_old_parallel_node_was_told_is_kept_but_has_no_effect():
    assert only("Parallel", maxConcurrency=5) == Finding(
        "ignored_config_key",
        "maxConcurrency",
        "The config key “maxConcurrency” has no effect: Parallel starts all its branches at once.",
        "nothing",
    )


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_value_is_no_value(value):
    for kind in NODE_KINDS.values():
        config = {field.key: value for field in kind.fields if not field.required}
        assert list(check_config(a_node(kind=kind.name, config=RUNNABLE_CONFIGS[kind.name] | config))) == []


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_required_value_must_be_there(value):
    assert only("LocalFlow", flowId=value) == Finding(
        "missing_value", "flowId", "“Flow” is missing. Fill it in."
    )


@pytest.mark.parametrize(
    ("kind", "key", "value", "sentence"),
    [
        ("RemoteWebhook", "workflowId", 5, "“Workflow” must be text, not a number."),
        ("RemoteWebhook", "connectionId", {}, "“Connection” must be text, not an object."),
        ("RemoteWebhook", "url", ["x"], "“Address” must be text, not a list."),
        ("RemoteWebhook", "bodyTemplate", {"a": 1}, "“Body” must be text, not an object."),
        ("RemoteWebhook", "successCondition", True, "“Success condition” must be text, not true/false."),
        ("RemoteWebhook", "timeout", "30000", "“Timeout” must be a whole number of milliseconds, not text."),
        (
            "RemoteWebhook",
            "timeout",
            True,
            "“Timeout” must be a whole number of milliseconds, not true/false.",
        ),
        ("RemoteWebhook", "retryAttempts", 1.5, "“Retries” must be a whole number, without a decimal point."),
        ("RemoteWebhook", "enablePolling", "true", "“Poll for the result” must be true or false, not text."),
        (
            "RemoteWebhook",
            "headers",
            ["A: b"],
            "“Headers” must be an object of names and values, not a list.",
        ),
        ("DataMapper", "mappings", {"a": "b"}, "“Mappings” must be a list, not an object."),
        ("Condition", "cases", "data.x", "“Cases” must be a list, not text."),
        ("WaitForCallback", "schema", True, "“Body schema” must be an object, not true/false."),
    ],
)
def test_a_value_of_the_wrong_type_blocks_saving(kind, key, value, sentence):
    assert only(kind, **{key: value}) == Finding("wrong_type", key, sentence, "save")


def test_a_choice_names_what_can_be_chosen():
    assert only("DataMapper", mode="merge") == Finding(
        "bad_choice", "mode", "“Mode” must be one of: replace, extend; not “merge”.", "save"
    )
    assert (
        only("DataMapper", mode=nested(900)).message == "“Mode” must be one of: replace, extend; not a list."
    )


def test_values_of_the_right_type_are_fine():
    assert findings("WaitForCallback", schema={"type": "object"}, onTimeout="continue", timeout=5) == []
    assert findings("RemoteWebhook", idempotent=False, successCondition="data.ok", workflowId="w") == []


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("timeout", 0, "“Timeout” must be between 1 and 86,400,000 milliseconds."),
        ("timeout", 86_400_001, "“Timeout” must be between 1 and 86,400,000 milliseconds."),
        ("retryAttempts", -1, "“Retries” must be between 0 and 10."),
        ("retryAttempts", 11, "“Retries” must be between 0 and 10."),
    ],
)
def test_a_number_out_of_range_blocks_a_run_but_may_be_kept(key, value, sentence):
    assert only("RemoteWebhook", **{key: value}) == Finding("out_of_range", key, sentence, "run")


def test_the_bounds_themselves_are_allowed():
    assert findings("RemoteWebhook", timeout=1, retryAttempts=0) == []
    assert findings("RemoteWebhook", timeout=86_400_000, retryAttempts=10) == []


def test_a_text_of_a_hundred_thousand_characters_is_the_longest():
    assert findings("LocalFlow", question="x" * 100_000) == []
    assert only("LocalFlow", question="x" * 100_001) == Finding(
        "too_large", "question", "“Question” has 100,001 characters; at most 100,000 are allowed.", "save"
    )


@pytest.mark.parametrize(
    ("kind", "key", "value", "beginning"),
    [
        ("RemoteWebhook", "url", "https://x.org/{{data.id", "“Address”: Line 1, column 15:"),
        ("RemoteWebhook", "bodyTemplate", '{"a": {{data.}}}', "“Body”: Line 1, column "),
        ("RemoteWebhook", "bodyTemplate", "a=1", "“Body”: Line 1, column 1:"),
        ("RemoteWebhook", "successCondition", "data.ok ==", "“Success condition”: Line 1, column "),
        ("LocalFlow", "question", "{{ }}", "“Question”: Line 1, column "),
        ("ErrorBoundary", "fallback", "{", "“Fallback”: Line 1, column 2:"),
    ],
)
def test_a_template_with_a_syntax_error_names_field_line_and_column(kind, key, value, beginning):
    found = only(kind, **{key: value})
    assert (found.code, found.field, found.blocks) == ("bad_expression", key, "run")
    assert found.message.startswith(beginning)


def test_the_sentence_on_a_syntax_error_ends_with_what_to_do():
    assert only("RemoteWebhook", successCondition="data.ok == true").message.endswith(
        "JSONata compares with a single =."
    )


@pytest.mark.parametrize(
    ("headers", "is_text"),
    [
        ({"Content-Type": "text/plain"}, True),
        ({"content-type": "application/x-www-form-urlencoded"}, True),
        ({"Content-Type": "application/json; charset=utf-8"}, False),
        ({"Content-Type": "application/vnd.api+JSON"}, False),
        ({"Content-Type": ""}, False),
        ({"Content-Type": None}, False),
        ({"Accept": "text/plain"}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_body_must_be_json_unless_the_content_type_says_otherwise(headers, is_text):
    found = [
        finding
        for finding in findings("RemoteWebhook", headers=headers, bodyTemplate="a={{data.a}}&b=1")
        if finding.field == "bodyTemplate"
    ]
    assert bool(found) is not is_text


def test_a_body_that_is_text_is_still_checked_as_a_template():
    found = only("RemoteWebhook", headers={"Content-Type": "text/plain"}, bodyTemplate="Hello {{data.")
    assert (found.field, found.code) == ("bodyTemplate", "bad_expression")
