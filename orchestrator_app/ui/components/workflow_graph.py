"""The graph of a remote workflow, only for looking at it."""

from typing import Any

import reflex as rx

# The canvas registers the files that lay out the graph.
import orchestrator_app.ui.canvas.flow_canvas  # noqa: F401


class WorkflowGraph(rx.NoSSRComponent):
    """React Flow without editing. It fills its parent, which needs a height.

    Properties:
        graph: ``{"nodes": [{"id", "label", "kind", "isDisabled", "isTrigger", "notes"}], "edges": [{"source",
            "target", "label", "kind": "main" | "error" | "tool"}]}``. The layout is made in the browser. A node with
            ``change`` (``added``, ``removed``, ``changed`` or ``same``) is marked so.
        color_mode: ``light`` or ``dark``; give ``rx.color_mode``.
        label: Its name for screen readers.
    """

    library = rx.asset("workflow_graph.jsx", shared=True).importable_path
    tag = "WorkflowGraph"
    lib_dependencies: list[str] = ["@xyflow/react@12.12.1", "@dagrejs/dagre@3.1.3"]

    graph: rx.Var[dict[str, Any]]
    color_mode: rx.Var[str]
    label: rx.Var[str]


workflow_graph = WorkflowGraph.create
