"""How files are named and how long they are, so that a newcomer finds everything and can read it."""

import ast
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import EVERYTHING, PRODUCT, ROOT, imported_modules, sources

MOST_LINES = 400
MEANINGLESS_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "common", "core", "misc"})
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def adapters() -> list[str]:
    """The modules of the provider adapters, by the name of the class that each holds."""
    return [
        Path(source.name).stem
        for source in sources(f"{PRODUCT}/providers")
        for node in source.tree.body
        if isinstance(node, ast.ClassDef)
        and node.name.endswith("Provider")
        and Path(source.name).stem != "base"
    ]


def contract(name: str) -> dict[str, list[str]]:
    return next(item for item in PROJECT["tool"]["importlinter"]["contracts"] if item["name"] == name)


def test_no_file_is_too_long_to_be_read_in_one_go():
    lengths = {source.name: len(source.text.splitlines()) for source in sources(*EVERYTHING)}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_module_is_named_after_what_it_is_about():
    names = [source.name for source in sources(PRODUCT, "bench", "scripts")]
    assert names
    assert [name for name in names if MEANINGLESS_NAMES.intersection(Path(name).with_suffix("").parts)] == []


def test_importing_the_package_imports_nothing_else():
    assert (ROOT / PRODUCT / "__init__.py").read_text(encoding="utf-8") == ""


def test_types_are_checked_strictly_wherever_reflex_is_not_used():
    package = ROOT / PRODUCT
    parts = {path.parent.name for path in package.glob("*/__init__.py")} | {
        path.name for path in package.glob("*.py")
    }
    reflex = {"ui", "orchestrator_app.py", "__init__.py"}
    assert {f"{PRODUCT}/{part}" for part in parts - reflex} <= set(PROJECT["tool"]["pyright"]["strict"])


def test_the_contract_about_adapters_names_every_adapter():
    named = contract("Provider adapters do not know each other")["modules"]
    assert sorted(named) == sorted(f"{PRODUCT}.providers.{adapter}" for adapter in adapters())


@pytest.mark.parametrize("adapter", adapters())
def test_no_part_of_an_adapter_knows_another_adapter(adapter: str):
    others = tuple(f"{PRODUCT}.providers.{other}" for other in adapters() if other != adapter)
    parts = [s for s in sources(f"{PRODUCT}/providers") if Path(s.name).stem.split("_")[0] == adapter]
    assert parts
    for part in parts:
        assert [module for module, _line in imported_modules(part.tree) if module.startswith(others)] == []
