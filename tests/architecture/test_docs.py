"""The documentation against the program: nothing is left out, nothing is out of date, no link leads nowhere."""

import json
import re
import struct
from pathlib import Path

import pytest

from orchestrator_app.config import Settings
from orchestrator_app.domain.config_fields import ConfigField, FieldType
from orchestrator_app.domain.node_kinds import NODE_KINDS, NodeKind
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.registry import PROVIDERS
from orchestrator_app.providers.simulated_workflows import WORKFLOWS
from tests.architecture.sources import PRODUCT, ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
MOST_SCREENSHOT_BYTES = 300_000

CODE_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
MAKE = re.compile(r"\bmake ([a-z-]+)\b")
TARGET = re.compile(r"^([a-z-]+):.*## ", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return CODE_BLOCK.sub("", read(page))


def anchors(page: Path) -> set[str]:
    """What can follow `#` in a link to the page, as code hosts make it of headings."""
    texts = [match["text"].lower() for match in HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-") for text in texts}


def links(page: Path) -> list[str]:
    return [match["target"] for match in LINK.finditer(CODE.sub("", prose(page)))]


def section(page: Path, heading: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    level = heading.partition(" ")[0]
    found = re.search(
        rf"^{re.escape(heading)}$\n(?P<text>.*?)(?=^#{{1,{len(level)}}} |\Z)",
        read(page),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{page.name} has no heading “{heading}”"
    return found["text"]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [number for number, row in enumerate(cells) if set(row[0]) == {"-"}]
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(cells) if number not in heads and number not in rules]


@each_page
def test_every_link_leads_to_something(page: Path):
    dead: list[str] = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)
    assert dead == []


def test_every_page_can_be_reached_from_the_readme():
    reached: set[Path] = set()
    waiting = [README]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        waiting += [path for path in targets if path in PAGES and path not in reached]
    assert reached == set(PAGES)


@each_page
def test_every_command_is_a_target_of_make(page: Path):
    written = " ".join(
        [*CODE.findall(prose(page)), *(match["code"] for match in CODE_BLOCK.finditer(read(page)))]
    )
    assert set(MAKE.findall(written)) <= set(TARGET.findall(read(ROOT / "Makefile")))


def test_the_readme_names_the_two_commands():
    assert {"run", "test"} <= set(MAKE.findall(section(README, "## Start")))


@each_page
def test_every_block_of_json_is_json(page: Path):
    for match in CODE_BLOCK.finditer(read(page)):
        if match["language"] == "json":
            json.loads(match["code"])


def test_the_screenshot_is_small_and_of_a_usual_size():
    image = (DOCS / "images" / "canvas.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) == (1440, 900)
    assert len(image) < MOST_SCREENSHOT_BYTES


def shown_default(name: str) -> str:
    """A setting's default as its page tells it."""
    default = Settings.model_fields[name].default
    if isinstance(default, Path | list):
        return f"`{default}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    text = str(default) if default is not None else ""
    return f"`{text}`" if text.strip("*") else "none"


def test_the_page_of_settings_has_every_setting_and_no_other():
    headings = re.findall(r"^### (\w+)$", read(DOCS / "settings.md"), re.MULTILINE)
    assert sorted(headings) == sorted(f"ORCHESTRATOR_{name.upper()}" for name in Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_page_of_settings_tells_each_default_and_meaning(name: str):
    text = section(DOCS / "settings.md", f"### ORCHESTRATOR_{name.upper()}").strip()
    first, _, rest = text.partition("\n\n")
    assert first == f"Default: {shown_default(name)}."
    assert rest


TYPES: dict[FieldType, str] = {
    "text": "text",
    "template": "text with `{{ }}`",
    "body": "text: JSON with `{{ }}`",
    "expression": "expression",
    "milliseconds": "milliseconds, {least:,} to {most:,}",
    "integer": "whole number, {least:,} to {most:,}",
    "boolean": "`true` or `false`",
    "choice": "one of {choices}",
    "headers": "object of texts with `{{ }}`",
    "inputs": "object of texts with `{{ }}`",
    "mappings": "list of mappings",
    "cases": "list of cases",
    "json": "object",
    "connection": "id of a connection",
}


def shown_type(field: ConfigField) -> str:
    """What a config key takes, in a few words."""
    words, choices = TYPES[field.type], ", ".join(f"`{choice}`" for choice in field.choices)
    is_filled_in = field.type in {"milliseconds", "integer", "choice"}
    return words.format(least=field.least, most=field.most, choices=choices) if is_filled_in else words


def kind_table(kind: NodeKind) -> str:
    """The config keys of a node kind as its page must list them."""
    lines = ["| Key | In the drawer | Takes | Default | Meaning |", "|---|---|---|---|---|"]
    for field in kind.fields:
        absent = "required" if field.required else "none"
        default = absent if field.default is None else f"`{json.dumps(field.default)}`"
        lines.append(f"| `{field.key}` | {field.label} | {shown_type(field)} | {default} | {field.help} |")
    return "\n".join(lines) if kind.fields else "There is nothing to set."


@pytest.mark.parametrize("kind", NODE_KINDS.values(), ids=list(NODE_KINDS))
def test_the_page_of_node_kinds_tells_every_config_key(kind: NodeKind):
    text = section(DOCS / "node-kinds.md", f"## {kind.title}")
    assert f"`{kind.name}`" in text
    assert kind_table(kind) in text, f"It must hold this:\n{kind_table(kind)}"


CAPABILITY_WORDS = {
    Capability.TEST: "Test the connection",
    Capability.TEAMS: "Choose organization and team",
    Capability.LIST: "List and search workflows",
    Capability.PREVIEW: "Show a workflow as a graph",
    Capability.FORM: "Know what a workflow asks for",
    Capability.EXECUTE: "Start a workflow",
    Capability.RESPONSE: "End by the answer",
    Capability.POLL: "End by polling",
    Capability.CALLBACK: "End by callback",
    Capability.CANCEL: "Cancel it there too",
    Capability.LINK: "Open it there by a link",
}


def provider_matrix() -> str:
    """What each platform can do, as its page must show it: a small number leads to a limit below."""
    lines = [
        "| | " + " | ".join(kind.title for kind in PROVIDERS.values()) + " |",
        "|---" * (len(PROVIDERS) + 1) + "|",
    ]
    notes: list[str] = []
    for capability, words in CAPABILITY_WORDS.items():
        cells: list[str] = []
        for kind in PROVIDERS.values():
            if capability not in kind.capabilities:
                cells.append("no")
            elif capability in kind.limits:
                notes.append(f"{kind.title}: {kind.limits[capability]}")
                cells.append(f"yes ({len(notes)})")
            else:
                cells.append("yes")
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    numbered = "\n".join(f"{number}. {note}" for number, note in enumerate(notes, 1))
    return "\n".join(lines) + "\n\n" + numbered


def provider_refusals() -> str:
    """Why a platform cannot do something, as its page must tell."""
    return "\n".join(
        f"- **{CAPABILITY_WORDS[capability]}, {kind.title}.** {kind.refusals[capability]}"
        for kind in PROVIDERS.values()
        for capability in CAPABILITY_WORDS
        if capability in kind.refusals
    )


def test_every_capability_has_words():
    assert set(CAPABILITY_WORDS) == set(Capability)


def test_the_page_of_platforms_tells_what_each_can_do():
    text = section(DOCS / "providers.md", "## What each platform can do")
    assert provider_matrix() in text, f"It must hold this:\n{provider_matrix()}"


def test_the_page_of_platforms_tells_why_something_is_not_there():
    text = section(DOCS / "providers.md", "## What a platform cannot do, and why")
    assert provider_refusals() in text, f"It must hold this:\n{provider_refusals()}"


def test_every_platform_has_a_page_with_its_fields():
    for key, kind in PROVIDERS.items():
        assert (DOCS / "providers" / f"{key}.md").is_file(), kind.title


def test_the_page_of_the_simulated_platform_tells_every_workflow():
    told = rows(section(DOCS / "providers" / "simulated.md", "## Workflows"))
    assert [row[0].strip("`") for row in told] == list(WORKFLOWS)


def test_the_page_of_the_architecture_names_every_part():
    text = read(DOCS / "architecture.md")
    package = ROOT / PRODUCT
    parts = [path.name for path in package.glob("*.py")] + [
        f"{path.parent.name}/" for path in package.glob("*/__init__.py")
    ]
    assert [part for part in parts if not re.search(rf"[ ─]{re.escape(part)}", text)] == []


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", [*DECISIONS, DOCS / "decisions" / "template.md"], ids=lambda path: path.stem)
def test_every_decision_has_the_same_parts(path: Path):
    headings = re.findall(r"^## (.+)$", read(path), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]
    assert all(section(path, f"## {heading}").strip() for heading in headings)
