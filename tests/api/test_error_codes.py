"""The catalog of error codes and docs/errors.md say the same, and leave nothing out that the program can say."""

import ast
import re
from collections.abc import Iterator

import pytest

from orchestrator_app.api import refusals
from orchestrator_app.api.error_codes import ERROR_CODES
from orchestrator_app.errors import NodeFailed, OrchestratorError
from tests.architecture.sources import PRODUCT, ROOT, sources

DOCS = ROOT / "docs" / "errors.md"
REPORTERS = frozenset({"Problem", "Finding", "report"})


def descendants(kind: type[OrchestratorError]) -> Iterator[type[OrchestratorError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


CLASSES = [kind for kind in descendants(OrchestratorError) if kind.__module__.startswith(PRODUCT)]


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call in these folders, with the name of what is called."""
    for source in sources(*(f"{PRODUCT}/{folder}" for folder in folders)):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func).rpartition(".")[2], node


def failure_codes() -> set[str]:
    """The codes that nodes and runs are made to fail with. An f-string stands for all codes that begin like it."""
    found: set[str] = set()
    for name, call in calls("domain", "runner", "services", "storage"):
        named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        values = named if name == NodeFailed.__name__ else call.args[:1] if name == "Failure" else []
        for value in values:
            if isinstance(value, ast.Constant):
                found.add(str(value.value))
            elif isinstance(value, ast.JoinedStr):
                start = ast.literal_eval(value.values[0])
                found |= {code for code in ERROR_CODES if code.startswith(start)} or {start}
    return found


def problem_codes() -> set[str]:
    """The codes of problems that a definition can have."""
    return {
        str(call.args[0].value)
        for name, call in calls("domain")
        if name in REPORTERS and call.args and isinstance(call.args[0], ast.Constant)
    }


def sections() -> dict[str, str]:
    """The text below each code's heading, on one line."""
    parts = re.split(
        r"^### (\w+)$", DOCS.read_text(encoding="utf-8").partition("\n## Problems")[0], flags=re.MULTILINE
    )
    return {
        code: " ".join(text.partition("\n## ")[0].split())
        for code, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_error_of_the_program_is_in_the_catalog():
    assert refusals.MethodNotAllowed in CLASSES
    expected = {kind.code for kind in CLASSES} | failure_codes()
    assert set(ERROR_CODES) == expected
    assert {"callback_timeout", "remote_failed", "output_too_large"} <= failure_codes()


def test_the_docs_have_a_heading_for_every_code():
    assert list(sections()) != []
    assert set(sections()) == set(ERROR_CODES)


@pytest.mark.parametrize("code", ERROR_CODES)
def test_the_docs_say_what_the_catalog_says(code: str):
    known, text = ERROR_CODES[code], sections()[code]
    status = next((kind.http_status for kind in CLASSES if kind.code == code), None)
    shown = "" if known.seen_in == "failure" else f" (status {status})"
    assert text == f"**{known.title}**{shown}. {known.meaning} {known.remedy}"


def test_the_docs_name_every_problem_of_a_definition():
    table = re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(table) > 20
    assert [code for code, _meaning in table] == sorted(problem_codes())
    assert all(meaning.endswith(".") for _code, meaning in table)


def test_the_catalog_is_written_in_sentences():
    for code, known in ERROR_CODES.items():
        assert known.meaning.endswith("."), code
        assert re.search(r"[.`}]$", known.remedy), code
        assert not known.title.endswith("."), code
