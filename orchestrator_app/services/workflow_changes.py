"""What changed between two graphs of a remote workflow, step by step and in words."""

from collections import Counter
from collections.abc import Iterator, Mapping

from orchestrator_app.domain.json_values import quoted
from orchestrator_app.providers.remote_workflow import PreviewNode, WorkflowPreview
from orchestrator_app.services.workflow_views import StepState, WorkflowChange

MOST_SENTENCES = 40
_LONGEST_NAME = 60


def compare(
    before: WorkflowPreview | None, after: WorkflowPreview | None, *, since: str, platform: str
) -> WorkflowChange:
    """What changed in a workflow.

    Args:
        before: As it was, or None when that is not known any more.
        after: As it is, or None when it is gone.
        since: Digest of what it was.
        platform: Title of the platform.
    """
    if after is None:
        name = quoted(before.workflow.name) if before else "The workflow"
        gone = f"{name} is not on {platform} any more: it was deleted or put away there."
        steps: dict[str, StepState] = {node.id: "removed" for node in before.nodes} if before else {}
        return WorkflowChange(before, None, steps, (gone,), "")
    digest = after.workflow.content_hash
    if before is None:
        sentence = (
            "It was not changed."
            if since == digest
            else "It was changed, but what it looked like when the node was made is not known any more."
        )
        return WorkflowChange(None, after, {node.id: "same" for node in after.nodes}, (sentence,), digest)
    return WorkflowChange(before, after, _steps(before, after), _bounded(before, after), digest)


def _steps(before: WorkflowPreview, after: WorkflowPreview) -> dict[str, StepState]:
    old, new = _by_id(before), _by_id(after)
    states: dict[str, StepState] = {}
    for step_id, node in new.items():
        if step_id not in old:
            states[step_id] = "added"
        else:
            states[step_id] = "same" if _is_same(old[step_id], node) else "changed"
    for step_id in old.keys() - new.keys():
        states[step_id] = "removed"
    return states


def _is_same(old: PreviewNode, new: PreviewNode) -> bool:
    return (old.label, old.kind, old.digest, old.is_disabled) == (
        new.label,
        new.kind,
        new.digest,
        new.is_disabled,
    )


def _bounded(before: WorkflowPreview, after: WorkflowPreview) -> tuple[str, ...]:
    sentences = [*_of_workflow(before, after), *_of_steps(before, after), *_of_links(before, after)]
    if not sentences and before.workflow.content_hash != after.workflow.content_hash:
        return ("It was changed in a way that its graph does not show.",)
    if not sentences:
        return ("It was not changed.",)
    if len(sentences) > MOST_SENTENCES:
        more = len(sentences) - MOST_SENTENCES + 1
        return (*sentences[: MOST_SENTENCES - 1], f"And {more} more changes.")
    return tuple(sentences)


def _of_workflow(before: WorkflowPreview, after: WorkflowPreview) -> Iterator[str]:
    old, new = before.workflow, after.workflow
    if old.name != new.name:
        yield f"It was renamed from {_name(old.name)} to {_name(new.name)}."
    if old.is_active != new.is_active:
        yield "It was switched on." if new.is_active else "It was switched off."
    if before.method != after.method:
        yield f"It is called with {after.method} now, not with {before.method}."
    asked, asks = ({field.path: field for field in preview.form} for preview in (before, after))
    for path, field in asks.items():
        if path not in asked:
            must = " It must be filled in." if field.required else ""
            yield f"It asks for {_name(field.label)} now.{must}"
        elif field.required and not asked[path].required:
            yield f"{_name(field.label)} must be filled in now."
    for path, field in asked.items():
        if path not in asks:
            yield f"It does not ask for {_name(field.label)} any more."


def _of_steps(before: WorkflowPreview, after: WorkflowPreview) -> Iterator[str]:
    old, new = _by_id(before), _by_id(after)
    for step_id, node in new.items():
        if step_id not in old:
            yield f"The step {_name(node.label)} was added."
        else:
            yield from _of_step(old[step_id], node)
    for step_id, node in old.items():
        if step_id not in new:
            yield f"The step {_name(node.label)} was removed."


def _of_step(old: PreviewNode, new: PreviewNode) -> Iterator[str]:
    if old.label != new.label:
        yield f"The step {_name(old.label)} is called {_name(new.label)} now."
    if old.is_disabled != new.is_disabled:
        yield f"The step {_name(new.label)} was switched {'off' if new.is_disabled else 'on'}."
    if old.kind != new.kind:
        yield f"The step {_name(new.label)} is of another kind now."
    elif old.digest != new.digest:
        yield f"The settings of the step {_name(new.label)} were changed."


def _of_links(before: WorkflowPreview, after: WorkflowPreview) -> Iterator[str]:
    old_names, new_names = _by_id(before), _by_id(after)
    old = Counter((edge.source, edge.target, edge.label, edge.kind) for edge in before.edges)
    new = Counter((edge.source, edge.target, edge.label, edge.kind) for edge in after.edges)
    for verb, links, names in (("added", new - old, new_names), ("removed", old - new, old_names)):
        for source, target, label, kind in links:
            # A step that came or went takes its links along; that was said.
            if {source, target} <= old_names.keys() & new_names.keys():
                what = {"error": "error route", "tool": "tool link"}.get(kind, "way")
                named = f" ({label})" if label else ""
                ends = f"{_step_name(names, source)} to {_step_name(names, target)}"
                yield f"The {what} from {ends}{named} was {verb}."


def _by_id(preview: WorkflowPreview) -> dict[str, PreviewNode]:
    return {node.id: node for node in preview.nodes}


def _step_name(names: Mapping[str, PreviewNode], step_id: str) -> str:
    return _name(names[step_id].label)


def _name(text: str) -> str:
    return quoted(text, _LONGEST_NAME)
