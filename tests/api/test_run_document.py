"""The JSON of whole runs is what their description says."""

import json
from typing import Any

import httpx
import pytest

from orchestrator_app.api.run_document import run_document
from orchestrator_app.api.run_schemas import RunDetail
from orchestrator_app.services import views
from tests.api.calls import ROOT, started

SUMMARY = views.RunSummary("r", "w", "o", "Orders", 3, "FAILED", "api", 9, 1_700_000_000_123)
FAILURE: dict[str, Any] = {
    "code": "node_failed",
    "message": "It failed.",
    "hint": "Look.",
    "detail": {"a": [1]},
}
ATTEMPT = views.AttemptView(1, {"url": "u"}, None, None, FAILURE, 1_700_000_000_000, 1_699_999_999_999, None)
NODE = views.NodeRunView(
    "n", "Node", "RemoteWebhook", "FAILED", 2, {"ü": 1.5}, None, ("error",), FAILURE, "retry", 1, 2, 3, (ATTEMPT,), "http://x",
    needs_decision=True,
)  # fmt: skip
LINE = views.LogLine(1_700_000_001_000, "error", "It failed.", "n", "Node")


def detail(summary: views.RunSummary = SUMMARY, **changes: Any) -> views.RunDetail:
    given: dict[str, Any] = {
        "input": {"n": 1},
        "output": None,
        "definition": {"version": 1, "nodes": [], "edges": []},
        "nodes": (NODE, views.NodeRunView("m", "M", "Parallel", "PENDING")),
        "edges": {"e": "open"},
        "logs": (LINE,),
    }
    return views.RunDetail(summary=summary, **given | changes)


@pytest.mark.parametrize(
    "view",
    [
        detail(),
        detail(nodes=(), edges={}, logs=(), input="text", output=[None, True, 0.1, "ü\u2028"]),
        detail(output=2**70),
        detail(
            views.RunSummary(
                "r", "w", "o", "Orders", 3, "WAITING", "ui", 9, 0, 1, 2, 3, "p", {"code": "c", "message": "m"}
            )
        ),
    ],
)
def test_it_is_what_the_description_makes_of_the_run(view: views.RunDetail) -> None:
    assert json.loads(run_document(view)) == json.loads(RunDetail.of(view).model_dump_json())
    assert list(json.loads(run_document(view))) == list(json.loads(RunDetail.of(view).model_dump_json()))


async def test_a_start_that_waits_and_a_read_tell_the_same(api: httpx.AsyncClient) -> None:
    run = await started(api, data={"a": 1})
    assert (await api.get(f"{ROOT}/runs/{run['id']}")).json() == run
