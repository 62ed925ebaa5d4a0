"""Reads the project's own Python files, for the tests that look at how they are written."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCT = "orchestrator_app"
EVERYTHING = (PRODUCT, "tests", "bench", "scripts", "alembic", "rxconfig.py")


@dataclass(frozen=True)
class Source:
    """One Python file."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file, parsed."""
        return ast.parse(self.text, self.name)


def sources(*places: str) -> list[Source]:
    """Every Python file in these folders (or these files) of the project."""
    files: list[Path] = []
    for place in places:
        path = ROOT / place
        files += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [_source(file) for file in files]


@cache
def _source(file: Path) -> Source:
    return Source(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` for the expression that reads so, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (front := dotted_name(node.value)):
        return f"{front}.{node.attr}"
    return ""


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Every call in a file."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imported_modules(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, with the line; `from a import b` counts as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
