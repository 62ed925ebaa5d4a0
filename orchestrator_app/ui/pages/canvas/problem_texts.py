"""What is wrong with the graph, as the editor tells it: on nodes, in its list, and beside the fields of the open node."""

import re
from collections.abc import Mapping
from typing import Any

from orchestrator_app.domain.definition import Definition, Problem
from orchestrator_app.ui.canvas.shapes import problem_shapes


def problem_vars(
    definition: Definition, problems: tuple[Problem, ...], selected_id: str, refused: Mapping[str, str]
) -> dict[str, Any]:
    """The vars of the editor's state that tell problems.

    Args:
        definition: The graph.
        problems: What its check has found.
        selected_id: The node that is open, or empty.
        refused: What was typed there and not taken, with the reason: by field, or by row such as ``cases[0]``.
    """
    labels = {node.id: node.label for node in definition.nodes}
    own = [problem for problem in reversed(problems) if problem.node_id == selected_id and problem.field]
    found = {re.split(r"[.\[]", problem.field)[0]: problem.message for problem in own}
    of_rows = {
        problem.field.partition("]")[0] + "]": problem.message for problem in own if "[" in problem.field
    }
    for key, reason in refused.items():
        (of_rows if "[" in key else found)[key] = reason
    # A row tells its own problem; its list then only says that there is one.
    with_rows = {name.partition("[")[0] for name in of_rows}
    return {
        "problems": {
            node_id: [dict(shape) for shape in shapes]
            for node_id, shapes in problem_shapes(definition, problems).items()
        },
        "problem_list": [
            {
                "nodeId": problem.node_id,
                "label": labels.get(problem.node_id, ""),
                "message": problem.message,
                "blocks": problem.blocks,
            }
            for problem in problems
        ],
        "blocking": sum(problem.blocks != "nothing" for problem in problems),
        "field_problems": {key: message for key, message in found.items() if key not in with_rows},
        "row_problems": of_rows,
    }
