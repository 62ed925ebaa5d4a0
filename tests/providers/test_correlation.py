"""Whether what a platform keeps of a call carries the id of the call."""

from typing import Any

import pytest

from orchestrator_app.providers.correlation import carries


@pytest.mark.parametrize(
    ("data", "is_held"),
    [
        ({"correlation_id": "r:n-1"}, True),
        ({"deep": [{"text": 'raw {"x": "r:n-1"}'}]}, True),
        ("correlation_id=r%3An-1&a=1", True),
        ("http://x/?id=r:n-1", True),
        ({"r:n-1": 1}, True),
        ({"correlation_id": "r:n-10"}, False),
        ({"correlation_id": "r:n-1-2"}, False),
        ({"correlation_id": "or:n-1"}, False),
        ("", False),
        (None, False),
    ],
)
def test_an_id_is_held_only_if_all_of_it_is_there(data: Any, is_held: bool):  # noqa: FBT001
    assert carries(data, "r:n-1") is is_held
    assert not carries(data, "")
