import re

import pytest

from orchestrator_app.security.tokens import new_callback_token, new_id, same, token_hash


def test_callback_tokens_are_long_random_and_fit_into_an_address() -> None:
    tokens = {new_callback_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch(r"cb_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_the_hash_is_sha_256_and_does_not_contain_the_token() -> None:
    assert token_hash("cb_abc") == "750ecc06a381c806542f72ae1ea4a0fddaba9b07ac4ad0e69624185c06489518"
    token = new_callback_token()
    assert re.fullmatch(r"[0-9a-f]{64}", token_hash(token))
    assert token_hash(token) == token_hash(token) != token_hash(new_callback_token())
    assert token_hash("\ud800")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("cb_a", "cb_a", True),
        ("ä☃", "ä☃", True),
        ("cb_a", "cb_b", False),
        ("cb_a", "cb_", False),
        ("cb_a", "\uff43b_a", False),
        ("", "", False),
        (None, None, False),
        ("", None, False),
        (None, "cb_a", False),
        ("\ud800", "\ud800", True),
    ],
)
def test_nothing_is_never_the_same_as_nothing(
    first: str | None, second: str | None, *, expected: bool
) -> None:
    assert same(first, second) is expected


def test_ids_are_unique_and_sort_by_age() -> None:
    ids = [new_id() for _ in range(500)]
    assert ids == sorted(set(ids))
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one)
        for one in ids
    )
