"""What the serving process loads when it starts: no more than it needs, and all of that."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator_app.frontend import PROJECT_ROOT

SERVING = """
import json, sys
from orchestrator_app import __main__ as launcher
from orchestrator_app.config import load_settings

launcher._prepare_reflex(load_settings())
from orchestrator_app.orchestrator_app import app
from reflex.state import all_base_state_classes

loaded = sorted(sys.modules)
states = sorted(all_base_state_classes)
for page in app._unevaluated_pages.values():
    page.component()
print(json.dumps({"loaded": loaded, "states": states, "states of pages": sorted(all_base_state_classes)}))
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process knows that is about to serve, and what it knows when it has drawn all pages as well."""
    settings = {"ORCHESTRATOR_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    told = subprocess.run(
        [sys.executable, "-c", SERVING],
        cwd=PROJECT_ROOT,
        env=os.environ | settings,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(told.stdout)


def test_every_state_is_known_before_any_page_is_drawn(process: dict[str, Any]):
    assert len(process["states"]) > 10
    assert process["states"] == process["states of pages"]


def test_how_pages_look_is_not_loaded(process: dict[str, Any]):
    looks = [f"orchestrator_app.ui.pages.{page.parent.name}.page" for page in pages()]
    assert len(looks) == 6
    assert not {*looks, "orchestrator_app.ui.canvas.flow_canvas"}.intersection(process["loaded"])


@pytest.mark.parametrize("package", ["alembic", "sqlalchemy", "sqlmodel"])
def test_what_only_upgrades_of_the_database_need_is_not_loaded(process: dict[str, Any], package: str):
    assert package not in process["loaded"]


def pages() -> list[Path]:
    return list((PROJECT_ROOT / "orchestrator_app/ui/pages").glob("*/page.py"))
