"""The lock files: complete, tamper-proof, and free of the addresses of the machine that wrote them."""

import re
import tomllib

import pytest

from tests.architecture.sources import ROOT

PYTHON_LOCKS = ("run.txt", "dev.txt", "uv.txt")
PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>\S+)( ;.*)? \\$", re.MULTILINE)
ENTRY = re.compile(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL)


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return {match["name"]: match["version"] for match in PIN.finditer(text)}


@pytest.mark.parametrize("lock", PYTHON_LOCKS)
def test_every_locked_package_has_one_version_and_its_hashes(lock: str):
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    entries = ENTRY.findall(text)
    assert entries
    assert [entry for entry in entries if not PIN.match(entry) or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("path", [*(f"requirements/{lock}" for lock in PYTHON_LOCKS), "reflex.lock/bun.lock"])
def test_no_lock_names_a_host(path: str):
    assert "://" not in (ROOT / path).read_text(encoding="utf-8")


def test_development_uses_the_versions_that_run():
    development = pins("dev.txt")
    assert {name: development.get(name) for name in pins("run.txt")} == pins("run.txt")


def test_every_package_of_the_project_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
    assert names <= pins("dev.txt").keys()
