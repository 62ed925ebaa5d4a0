from typing import Any, cast

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.services import application as applications
from orchestrator_app.services.application import Application, current, install


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applications, "_installed", [])


def test_before_the_start_is_over_there_is_no_application():
    with pytest.raises(Unavailable, match="still starting"):
        current()


def test_the_installed_application_is_the_current_one():
    first, second = (cast("Application", cast("Any", object())) for _ in range(2))
    install(first)
    assert current() is first
    install(second)
    assert current() is second
