"""What the tests of the editor do over and over: open it, look at it, draw in it."""

from typing import Any

from orchestrator_app.domain.definition import Definition
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.application import Application
from orchestrator_app.ui.pages.canvas.state import EditorState
from tests.builders import a_chain
from tests.ui.tabs import Tab, Tabs


async def created(
    application: Application, definition: Definition | None = None, name: str = "Orders"
) -> str:
    graph = (definition or a_chain("a", "b")).as_json()
    return (await application.orchestrators.create(HERE, name=name, definition=graph)).id


async def opened(tabs: Tabs, definition: Definition | None = None) -> tuple[Tab, str]:
    orchestrator_id = await created(tabs.application, definition)
    return await tabs.open(f"/canvas/{orchestrator_id}"), orchestrator_id


async def saved_elsewhere(application: Application, orchestrator_id: str, definition: Definition) -> None:
    await application.orchestrators.save(
        HERE, orchestrator_id, expected_version=None, definition=definition.as_json()
    )


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(EditorState, name)


def graph_ids(tab: Tab) -> list[str]:
    return [node["id"] for node in shown(tab, "graph_push")["nodes"]]


def move(node_id: str = "a", x: int = 5) -> dict[str, Any]:
    return {"op": "move", "id": node_id, "x": x, "y": 0}


def add(node_id: str, **values: Any) -> dict[str, Any]:
    return {"op": "add", "id": node_id, "kind": "Parallel", "label": "New", "x": 0, "y": 0} | values
