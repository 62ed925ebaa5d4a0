"""Condition: sends the data down the first branch whose expression is true."""

from typing import cast

from orchestrator_app.domain.expressions import MISSING
from orchestrator_app.domain.node_kinds import setting
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome


def is_true(value: object) -> bool:
    """Truth as JSONata's ``$boolean`` has it, except that only something counts, never a missing value."""
    if value is MISSING or value is None:
        return False
    if isinstance(value, list):
        return any(is_true(item) for item in cast("list[object]", value))
    return bool(value)


class ConditionHandler:
    """Looks at the cases in order; its output is its input."""

    async def work(self, context: NodeContext) -> Outcome:
        """Take the first case that is true, else the default branch."""
        cases = setting(context.node, "cases")
        listed = [case for case in cases if isinstance(case, dict)] if isinstance(cases, list) else []
        for case in listed:
            if is_true(await context.renderer.expression(str(case["expression"]), context.scope)):
                return Done(context.input, (str(case["handle"]),))
        return Done(context.input, (str(setting(context.node, "defaultHandle")),))
