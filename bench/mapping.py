"""Runs that map data with JSONata: an order becomes four fields, for small and large orders."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

from jsonata import Jsonata  # pyright: ignore[reportMissingTypeStubs]

from bench.definitions import mapper
from bench.figures import Figure
from bench.load import Effort, Stretch, measure
from bench.processes import program
from bench.runs import MeasuredRuns

SIZES_KB = (1.6, 16, 160)
MAPPINGS = {
    "data.order.id": "id",
    "data.order.customer.name": "customer",
    "$count(data.order.lines)": "lines",
    "$sum(data.order.lines.(quantity * price))": "total",
}


def mapping(effort: Effort) -> Iterator[Figure]:
    """The mapping as a run, against the same expressions evaluated in this process and nothing around them."""
    with program() as running:
        measured = MeasuredRuns(running, mapper(MAPPINGS))
        for size in SIZES_KB:
            data = order(round(size * 1000))
            body = json.dumps(data, separators=(",", ":")).encode()
            _check(running.ask("POST", f"/{measured.orchestrator_id}/run?wait=60", data)["output"], data)
            runs: list[float] = []
            plain: list[float] = []
            for _ in range(effort.rounds):
                plain.append(measure_expressions(MAPPINGS, data, effort.seconds).median_ms)
                runs.append(measured.measure(body, at_once=1, seconds=effort.seconds).median_ms)
            what = f"an order of {size} KB to 4 fields"
            yield Figure("mapping", what, "ms", runs, plain, besides="plain: the expressions alone")


def order(size_bytes: int) -> dict[str, Any]:
    """An order of about this size."""
    lines: list[dict[str, Any]] = []
    size = 60
    while size < size_bytes:
        number = len(lines)
        lines.append({"sku": f"A-{number:05}", "quantity": number % 9 + 1, "price": number % 97 + 0.5})
        size += len(json.dumps(lines[-1], separators=(",", ":"))) + 1
    return {"order": {"id": 7, "customer": {"name": "Ada"}, "lines": lines}}


def _check(output: object, data: dict[str, Any]) -> None:
    lines = data["order"]["lines"]
    total = sum(line["quantity"] * line["price"] for line in lines)
    if output != {"id": 7, "customer": "Ada", "lines": len(lines), "total": total}:
        raise RuntimeError(f"The mapping gave something else: {output}")


def measure_expressions(sources: Iterable[str], data: dict[str, Any], seconds: float) -> Stretch:
    """The same expressions evaluated in this process, all of them once each time."""
    expressions = [Jsonata(source) for source in sources]
    for expression in expressions:
        # As the program does it: the check would take far longer than the evaluation.
        expression.set_validate_input(validate_input=False)
    document = {"data": data}

    async def work() -> None:
        for expression in expressions:
            expression.evaluate(document)

    return asyncio.run(measure([work], seconds, lambda: 0.0))
