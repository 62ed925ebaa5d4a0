"""Every promise about reliability names the tests that prove it, and they exist."""

import ast
import re

import pytest

from tests.architecture.sources import ROOT

PAGE = ROOT / "docs" / "reliability.md"
PROMISES = [f"P{number}" for number in range(1, 8)]
SECTION = re.compile(r"^### (?P<name>P\d): [^\n]+$\n(?P<text>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
PROOF = re.compile(
    r"^- \[(?P<shown>[\w/]+)\]\(\.\./tests/(?P<path>[\w/]+)\.py\): `(?P<test>test_\w+)`$", re.MULTILINE
)


def sections() -> dict[str, str]:
    return {match["name"]: match["text"] for match in SECTION.finditer(PAGE.read_text(encoding="utf-8"))}


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"{path}.py").read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions}


def test_all_promises_are_there_in_their_order():
    assert list(sections()) == PROMISES


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_names_tests_that_exist(promise: str):
    text = sections()[promise]
    proofs = list(PROOF.finditer(text))
    assert proofs
    assert len(proofs) == text.count("`test_"), "a test is not named as: - [folder/file](path): `test`"
    for proof in proofs:
        assert proof["shown"] == proof["path"]
        assert proof["test"] in functions_of(proof["path"]), f"{proof['path']} has no {proof['test']}"
