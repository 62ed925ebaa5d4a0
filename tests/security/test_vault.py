import base64
import os
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.errors import ConfigurationError, CredentialUnreadable
from orchestrator_app.security.vault import Vault

KEY = bytes(range(7, 39))
OTHER_KEY = bytes(range(8, 40))
ROW = "connections|secret|0199|default"
VAULT = Vault(KEY)
NO_FILE = Path("/nonexistent/key")


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


# --- sealing ----------------------------------------------------------------------------------------------------------


@given(st.text(st.characters()), st.text(max_size=80))
def test_what_was_sealed_comes_out_again_for_its_own_row_only(text: str, row: str) -> None:
    sealed = VAULT.seal(text, row=row)
    assert VAULT.open_sealed(sealed, row=row) == text
    with pytest.raises(CredentialUnreadable):
        VAULT.open_sealed(sealed, row=row + "x")


def test_half_a_character_can_be_sealed() -> None:
    assert VAULT.open_sealed(VAULT.seal("\ud83d", row=ROW), row=ROW) == "\ud83d"


def test_the_same_text_is_sealed_differently_each_time() -> None:
    sealed = {VAULT.seal("hunter2hunter2", row=ROW) for _ in range(100)}
    assert len(sealed) == 100
    assert all(one.startswith("v1.") and one.count(".") == 3 and "hunter2" not in one for one in sealed)


@pytest.mark.parametrize(
    "row",
    [
        "connections|secret|0200|default",
        "connections|note|0199|default",
        "users|secret|0199|default",
        "connections|secret|0199|other",
        "",
    ],
)
def test_a_sealed_text_cannot_be_moved_to_another_row(row: str) -> None:
    with pytest.raises(CredentialUnreadable, match="belongs to another place"):
        VAULT.open_sealed(VAULT.seal("hunter2hunter2", row=ROW), row=row)


@pytest.mark.parametrize("text", ["hunter2hunter2", "hunter2hunter2h", "hunter2hunter2hu"])
def test_no_character_of_a_sealed_text_can_be_changed(text: str) -> None:
    """Texts of three lengths: the last character of base64 may have bits that are not used."""
    alphabet = string.ascii_letters + string.digits + "-_"
    sealed = VAULT.seal(text, row=ROW)
    for place, character in enumerate(sealed):
        near = alphabet[(alphabet.find(character) + 1) % 64]
        for other in {near, "A", "_", "."} - {character}:
            with pytest.raises(CredentialUnreadable):
                VAULT.open_sealed(f"{sealed[:place]}{other}{sealed[place + 1 :]}", row=ROW)
    for other in set(alphabet) - {sealed[-1]}:
        with pytest.raises(CredentialUnreadable):
            VAULT.open_sealed(sealed[:-1] + other, row=ROW)


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=0, max_value=7))
def test_no_bit_of_the_ciphertext_can_be_flipped(place: int, bit: int) -> None:
    head, _, body = VAULT.seal("hunter2hunter2", row=ROW).rpartition(".")
    data = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    data[place % len(data)] ^= 1 << bit
    changed = base64.urlsafe_b64encode(data).decode().rstrip("=")
    with pytest.raises(CredentialUnreadable):
        VAULT.open_sealed(f"{head}.{changed}", row=ROW)


def test_a_text_that_was_cut_cannot_be_opened() -> None:
    sealed = VAULT.seal("hunter2hunter2", row=ROW)
    for length in range(len(sealed)):
        with pytest.raises(CredentialUnreadable) as caught:
            VAULT.open_sealed(sealed[:length], row=ROW)
        assert caught.value.hint


@given(st.text())
def test_any_text_that_was_never_sealed_is_told_to_be_unreadable(text: str) -> None:
    with pytest.raises(CredentialUnreadable):
        VAULT.open_sealed(text, row=ROW)


def test_another_key_is_told_apart_from_damage() -> None:
    with pytest.raises(CredentialUnreadable, match="encrypted with another key"):
        Vault(OTHER_KEY).open_sealed(VAULT.seal("hunter2hunter2", row=ROW), row=ROW)


def test_the_check_value_differs_for_each_key_and_does_not_tell_it() -> None:
    assert VAULT.key_check() == Vault(KEY).key_check()
    assert VAULT.key_check() != Vault(OTHER_KEY).key_check()
    assert KEY.hex() not in VAULT.key_check()
    assert _text(KEY) not in repr(VAULT)
    assert KEY.hex() not in repr(VAULT)


# --- where the key comes from -----------------------------------------------------------------------------------------


def test_the_first_start_makes_a_key_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "data" / "encryption.key"
    before = os.umask(0)
    try:
        vault = Vault.open(None, file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(base64.b64decode(file.read_text())) == 32
    assert Vault.open("", file).key_check() == vault.key_check()


def test_two_folders_get_two_keys(tmp_path: Path) -> None:
    assert Vault.open(None, tmp_path / "a").key_check() != Vault.open(None, tmp_path / "b").key_check()


def test_a_key_in_the_environment_wins_and_no_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "encryption.key"
    assert Vault.open(_text(KEY), file).key_check() == VAULT.key_check()
    assert not file.exists()


@pytest.mark.parametrize(
    "text",
    [
        _text(KEY),
        f" {_text(KEY)}\n",
        _text(KEY).rstrip("="),
        base64.urlsafe_b64encode(bytes([255, 254]) + KEY[2:]).decode(),
    ],
)
def test_a_key_may_be_written_in_all_usual_forms(text: str) -> None:
    assert Vault.open(text, NO_FILE).key_check()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610, 0o602, 0o777])
def test_a_key_file_that_others_can_open_stops_the_start(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "encryption.key"
    file.write_text(_text(KEY))
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Vault.open(None, file)
    file.chmod(0o400)
    assert Vault.open(None, file).key_check() == VAULT.key_check()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (_text(KEY[:31]), "31 bytes instead of 32"),
        (_text(KEY + b"x"), "33 bytes instead of 32"),
        ("", "0 bytes instead of 32"),
        ("not base64 at all!", "does not hold base64"),
        ("ä" * 43, "does not hold base64"),
        (_text(bytes(32)), "an example, not a secret"),
        (_text(b"changeme" * 4), "an example, not a secret"),
    ],
)
def test_a_wrong_key_stops_the_start_without_being_repeated(
    tmp_path: Path, content: str, sentence: str
) -> None:
    file = tmp_path / "encryption.key"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        Vault.open(None, file)
    assert "python -c" in str(caught.value)
    assert not content or content not in str(caught.value)
    assert file.read_text() == content
    if content:
        with pytest.raises(ConfigurationError, match=f"ORCHESTRATOR_ENCRYPTION_KEY.*{sentence}"):
            Vault.open(content, NO_FILE)


def test_a_folder_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "encryption.key", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be used"):
            Vault.open(None, path)
