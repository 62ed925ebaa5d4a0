"""React Flow wrapped: the browser holds the graph, Python gets small operations."""

from typing import Any

import reflex as rx

_FILES = (
    "controls.jsx",
    "dragging.js",
    "durations.js",
    "editing.js",
    "flow_edge.jsx",
    "graph.js",
    "graph_state.js",
    "icons.jsx",
    "keyboard.js",
    "layout.js",
    "live.js",
    "menu.jsx",
    "menus.js",
    "node_card.jsx",
    "palette.jsx",
    "picker.jsx",
    "tools.js",
    "view.js",
)
# Reflex links each file beside the others, so that they import each other by plain relative paths.
for _file in _FILES:
    rx.asset(_file, shared=True)
_CANVAS = rx.asset("flow_canvas.jsx", shared=True)
_STYLE = rx.asset("flow_canvas.css", shared=True)


class FlowCanvas(rx.NoSSRComponent):
    """The canvas with palette, toolbar, map and menus. It fills its parent, which needs a height.

    Properties (camelCase inside, shapes in ``events``):
        graph: ``GraphShape``; ``{}`` until it is loaded. Taken over only when ``rev`` changes: on load, undo, redo,
            a refused operation or another tab's save. Operations that were applied are NOT echoed.
        patches: ``{node id: NodePatch}``, cumulative; empty it when ``rev`` changes.
        statuses: ``{node id: NodeStatus}``. Nodes without one show none.
        edge_states: ``{edge id: "taken" | "not_taken" | "open"}``.
        problems: ``{node id: list[NodeProblem]}``.
        marks: ``{node id: WorkflowMark}``: what became of the workflows that nodes call.
        kinds: ``list[KindShape]``.
        selected_id: The node whose settings are open. Setting it from Python selects and shows that node.
        read_only: No palette, no editing; selecting, finding and zooming remain.
        color_mode: ``light`` or ``dark``; give ``rx.color_mode``.
        show_minimap: Whether the map is shown at first (never on small screens).
        can_undo, can_redo: Whether the buttons are on.

    Events:
        on_ops: ``list[CanvasOp]``, one list per act of the user: one undo step.
        on_select: Node id when a node is clicked, found or added; empty when the selection is lifted.
        on_open: Node id on double click or Enter; ``on_select`` with the same id comes before it.
        on_copy: Ids of the nodes just copied or cut, before a cut removes them. Keep their config, so that a later
            ``add`` with ``copyOf`` finds it, also in another orchestrator.
        on_browse: The button of the palette that opens the workflows of the platforms; without it there is none.
        on_drop_workflow: ``{"provider", "connectionId", "workflowId", "name", "x", "y", "edgeId"}`` when a workflow is
            dropped; ``edgeId`` is the edge under it, or empty. The node itself comes with the next graph.
        on_undo, on_redo, on_save (Ctrl+S), on_run (Ctrl+Enter): no arguments; a move under way is sent before.
    """

    library = _CANVAS.importable_path
    tag = "FlowCanvas"
    is_default = False
    lib_dependencies: list[str] = ["@xyflow/react@12.12.1", "@dagrejs/dagre@3.1.3"]

    graph: rx.Var[dict[str, Any]]
    patches: rx.Var[dict[str, Any]]
    statuses: rx.Var[dict[str, Any]]
    edge_states: rx.Var[dict[str, str]]
    problems: rx.Var[dict[str, Any]]
    marks: rx.Var[dict[str, Any]]
    kinds: rx.Var[list[dict[str, Any]]]
    selected_id: rx.Var[str]
    read_only: rx.Var[bool]
    color_mode: rx.Var[str]
    show_minimap: rx.Var[bool]
    can_undo: rx.Var[bool]
    can_redo: rx.Var[bool]

    on_ops: rx.EventHandler[rx.event.passthrough_event_spec(list[dict[str, Any]])]
    on_select: rx.EventHandler[rx.event.passthrough_event_spec(str)]
    on_open: rx.EventHandler[rx.event.passthrough_event_spec(str)]
    on_copy: rx.EventHandler[rx.event.passthrough_event_spec(list[str])]
    on_browse: rx.EventHandler[rx.event.no_args_event_spec]
    on_drop_workflow: rx.EventHandler[rx.event.passthrough_event_spec(dict[str, Any])]
    on_undo: rx.EventHandler[rx.event.no_args_event_spec]
    on_redo: rx.EventHandler[rx.event.no_args_event_spec]
    on_save: rx.EventHandler[rx.event.no_args_event_spec]
    on_run: rx.EventHandler[rx.event.no_args_event_spec]

    def add_imports(self) -> dict[str, Any]:
        """Load the stylesheet wherever the canvas is used."""
        return {"": _STYLE.importable_path}


flow_canvas = FlowCanvas.create
