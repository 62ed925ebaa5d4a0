"""A setting that nobody can read about does not exist."""

import pytest

from orchestrator_app.config import Settings
from tests.architecture.sources import ROOT

PAGES = ("README.md", "docs/settings.md")


@pytest.mark.parametrize("name", [f"ORCHESTRATOR_{field.upper()}" for field in Settings.model_fields])
def test_every_setting_is_documented(name: str):
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES if (ROOT / page).exists()]
    assert any(name in text for text in texts)
