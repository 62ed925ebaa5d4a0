"""The examples of docs/expressions.md do what stands beside them."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from orchestrator_app.domain.expressions import MAX_SOURCE_LENGTH, MISSING
from orchestrator_app.domain.mapping import MAX_INDEX, MAX_STEPS
from orchestrator_app.domain.scope import ROOTS, Scope
from orchestrator_app.runner.evaluator import Evaluator, Limits
from orchestrator_app.runner.rendering import Renderer
from tests.architecture.test_docs import CODE_BLOCK, DOCS, read, rows, section

PAGE = DOCS / "expressions.md"
BLOCKS = [
    json.loads(match["code"]) for match in CODE_BLOCK.finditer(read(PAGE)) if match["language"] == "json"
]
SCOPE = Scope(**BLOCKS[0])
MAPPED = BLOCKS[1]


def examples(heading: str) -> list[tuple[str, str]]:
    """Both columns of the table below a heading, without the backquotes."""
    return [(code_of(row[0]), code_of(row[1])) for row in rows(section(PAGE, heading))]


def code_of(cell: str) -> str:
    match = re.fullmatch(r"(?P<quotes>`+) ?(?P<code>.+?) ?(?P=quotes)", cell)
    assert match, f"{cell} is no code"
    return match["code"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def renderer() -> AsyncIterator[Renderer]:
    evaluator = Evaluator(workers=1, limits=Limits(seconds=20.0))
    await evaluator.start()
    yield Renderer(evaluator)
    await evaluator.stop()


Render = Callable[[Renderer, str], Awaitable[Any]]
KINDS: dict[str, Render] = {
    "## Expressions": lambda renderer, text: renderer.expression(text, SCOPE),
    "## Templates": lambda renderer, text: renderer.value(text, SCOPE),
    "## Bodies": lambda renderer, text: renderer.json_body(text, SCOPE),
}


@pytest.mark.parametrize(
    ("heading", "text", "value"),
    [(heading, *example) for heading in KINDS for example in examples(heading)],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_example_gives_what_stands_beside_it(
    renderer: Renderer, heading: str, text: str, value: str
):
    assert await KINDS[heading](renderer, text) == json.loads(value)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_mappings_give_what_stands_below_them(renderer: Renderer):
    assert await renderer.mappings(examples("## Mappings"), "replace", SCOPE) == MAPPED


@pytest.mark.asyncio(loop_scope="module")
async def test_what_the_page_says_of_lists_and_missing_values(renderer: Renderer):
    one = await renderer.expression("data.items[price > 10][]", SCOPE)
    assert one == [BLOCKS[0]["data"]["items"][0]]
    assert await renderer.expression("data.phone", SCOPE) is MISSING


def test_the_page_names_every_root():
    text = section(PAGE, "## What an expression sees")
    assert [root for root in ROOTS if f"`{root}`" not in text] == []


def test_the_page_tells_the_limits():
    text, limits = section(PAGE, "## Limits"), Limits()
    assert (limits.seconds, limits.memory_megabytes) == (1.0, 256)
    assert "one second" in text
    for number in (MAX_SOURCE_LENGTH, limits.memory_megabytes, MAX_STEPS, MAX_INDEX):
        assert f"{number:,}" in text
