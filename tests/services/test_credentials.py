import pytest

from orchestrator_app.errors import InvalidInput
from orchestrator_app.services.credentials import changed_values, checked_values
from tests.services.platforms import MemoryProvider, ModalProvider

HOOK = "https://hooks.example/1"
TOKEN = {"mode": "token", "token": "token-12345", "zone": "https://eu.example"}


def refused(credentials: dict[str, str], present: dict[str, str] | None = None) -> dict[str, str]:
    """The sentence for each field that is not acceptable."""
    with pytest.raises(InvalidInput) as caught:
        changed_values(ModalProvider(), present or {}, credentials)
    return {error["field"]: error["message"] for error in caught.value.errors}


def test_without_a_choice_the_first_mode_counts_and_only_its_fields_exist():
    assert checked_values(ModalProvider(), {"hook": HOOK}) == {"mode": "hook", "hook": HOOK}
    assert checked_values(ModalProvider(), {"hook": HOOK, "token": "x", "zone": "nonsense"}) == {
        "mode": "hook",
        "hook": HOOK,
    }


def test_what_is_required_depends_on_the_mode():
    assert refused({}) == {"hook": "Hook is missing."}
    assert refused({"mode": "token"}) == {"token": "Token is missing.", "zone": "Zone is missing."}
    assert checked_values(ModalProvider(), TOKEN) == TOKEN


def test_a_choice_must_be_one_of_the_options_unless_others_are_taken():
    assert refused({"mode": "magic", "hook": HOOK}) == {
        "mode": "Kind must be one of: Hook address, Access token."
    }
    other = TOKEN | {"zone": "https://own.example", "team": "any team that a test found"}
    assert checked_values(ModalProvider(), other) == other


def test_a_platform_checks_what_its_fields_alone_do_not_tell():
    assert refused({"hook": "https://evil.example/1"}) == {
        "hook": "Hook must begin with https://hooks.example/."
    }
    assert refused({"hook": "http://"}) == {"hook": "Hook must have at least 8 characters."}


def test_a_changed_mode_asks_for_its_own_secret_and_forgets_the_other():
    present = {"mode": "hook", "hook": HOOK}
    assert refused({"mode": "token", "zone": "https://eu.example"}, present) == {"token": "Token is missing."}
    assert changed_values(ModalProvider(), present, TOKEN) == TOKEN


def test_a_choice_that_nobody_made_anew_stays():
    assert changed_values(ModalProvider(), TOKEN, {"team": "7", "token": "  "}) == TOKEN | {"team": "7"}


def test_a_secret_stays_with_the_zone_it_was_entered_for():
    assert refused({"zone": "https://us.example"}, TOKEN) == {"token": "Zone changed, so enter Token again."}
    moved = {"zone": "https://us.example", "token": "token-67890"}
    assert changed_values(ModalProvider(), TOKEN, moved) == TOKEN | moved


def test_a_secret_does_not_follow_to_what_is_no_address():
    with pytest.raises(InvalidInput, match="enter API key again"):
        changed_values(
            MemoryProvider(),
            {"baseUrl": "https://memory.example", "apiKey": "the-secret-key-1"},
            {"baseUrl": "memory.example"},
        )


def test_what_may_be_left_out_can_be_taken_away():
    present = {"baseUrl": "https://memory.example", "region": "eu", "apiKey": "key-12345", "pin": "pin-12345"}
    kept = {"baseUrl": "https://memory.example", "apiKey": "key-12345"}
    assert changed_values(MemoryProvider(), present, {"pin": None, "region": None}) == kept
    assert changed_values(MemoryProvider(), present, {"pin": ""}) == present


def test_what_is_required_and_what_is_unknown_cannot_be_taken_away():
    with pytest.raises(InvalidInput) as caught:
        changed_values(
            MemoryProvider(), {"baseUrl": "https://x", "apiKey": "key-12345"}, {"apiKey": None, "x": None}
        )
    found = {error["field"]: error["message"] for error in caught.value.errors}
    assert found == {"apiKey": "API key is missing.", "x": "Memory has no field “x”."}


def test_a_secret_that_is_taken_away_need_not_be_entered_again_when_the_address_changes():
    present = {"baseUrl": "https://memory.example", "apiKey": "key-12345", "pin": "pin-12345"}
    moved = {"baseUrl": "https://other.example", "apiKey": "key-67890", "pin": None}
    assert changed_values(MemoryProvider(), present, moved) == {
        "baseUrl": "https://other.example",
        "apiKey": "key-67890",
    }
