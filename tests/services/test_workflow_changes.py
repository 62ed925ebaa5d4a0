from dataclasses import replace

from orchestrator_app.providers.remote_workflow import FormField, PreviewEdge, PreviewNode, WorkflowPreview
from orchestrator_app.services.workflow_changes import MOST_SENTENCES, compare
from orchestrator_app.services.workflow_views import WorkflowChange
from tests.services.platforms import FLOW, graph

BEFORE = graph(FLOW, "Start", "Work", "End")


def changed(after: WorkflowPreview | None, before: WorkflowPreview | None = BEFORE) -> WorkflowChange:
    if after is not None:
        after = replace(after, workflow=replace(after.workflow, content_hash="h2"))
    return compare(before, after, since="h1", platform="n8n")


def with_step(step_id: str, **values: str | bool) -> WorkflowPreview:
    """The graph with one step that is different."""
    nodes = tuple(replace(node, **values) if node.id == step_id else node for node in BEFORE.nodes)
    return replace(BEFORE, nodes=nodes)


def test_steps_that_came_and_went_are_named_and_their_links_are_not():
    change = changed(graph(FLOW, "Start", "Check", "End"))
    assert change.sentences == ("The step “Check” was added.", "The step “Work” was removed.")
    assert change.steps == {"start": "same", "check": "added", "end": "same", "work": "removed"}
    assert (change.before, change.content_hash) == (BEFORE, "h2")


def test_what_changed_in_a_step_is_told():
    for values, sentence in (
        ({"label": "Job"}, "The step “Work” is called “Job” now."),
        ({"is_disabled": True}, "The step “Work” was switched off."),
        ({"kind": "other"}, "The step “Work” is of another kind now."),
        ({"digest": "e"}, "The settings of the step “Work” were changed."),
    ):
        change = changed(with_step("work", **values))
        assert change.sentences == (sentence,)
        assert change.steps == {"start": "same", "work": "changed", "end": "same"}
    back = compare(with_step("work", is_disabled=True), BEFORE, since="h1", platform="n8n")
    assert back.sentences == ("The step “Work” was switched on.",)


def test_a_step_that_only_moved_is_the_same():
    moved = replace(BEFORE, nodes=tuple(replace(node, x=9.0, notes="new") for node in BEFORE.nodes))
    assert set(changed(moved).steps.values()) == {"same"}


def test_links_that_came_and_went_are_told():
    edges = (
        PreviewEdge("start", "work"),
        PreviewEdge("start", "end", "false"),
        PreviewEdge("work", "end", kind="error"),
    )
    change = changed(replace(BEFORE, edges=edges))
    assert change.sentences == (
        "The way from “Start” to “End” (false) was added.",
        "The error route from “Work” to “End” was added.",
        "The way from “Work” to “End” was removed.",
    )


def test_what_changed_in_the_workflow_itself_is_told():
    before = replace(
        BEFORE, form=(FormField("a", "A"), FormField("b", "B"), FormField("d", "D", required=True))
    )
    after = replace(
        BEFORE,
        workflow=replace(FLOW, name="New name", is_active=False),
        method="GET",
        form=(FormField("a", "A", required=True), FormField("c", "C", required=True), FormField("d", "D")),
    )
    assert changed(after, before).sentences == (
        "It was renamed from “Nightly orders” to “New name”.",
        "It was switched off.",
        "It is called with GET now, not with POST.",
        "“A” must be filled in now.",
        "It asks for “C” now. It must be filled in.",
        "It does not ask for “B” any more.",
    )
    assert "It was switched on." in changed(BEFORE, replace(BEFORE, workflow=after.workflow)).sentences


def test_a_change_that_the_graph_does_not_show_is_told_as_one():
    assert changed(BEFORE).sentences == ("It was changed in a way that its graph does not show.",)
    same = compare(BEFORE, BEFORE, since="h1", platform="n8n")
    assert same.sentences == ("It was not changed.",)


def test_a_workflow_that_is_gone_has_lost_all_its_steps():
    change = changed(None)
    assert change.sentences == ("“Nightly orders” is not on n8n any more: it was deleted or put away there.",)
    assert (change.after, change.content_hash) == (None, "")
    assert set(change.steps.values()) == {"removed"}
    unknown = changed(None, None)
    assert unknown.sentences[0].startswith("The workflow is not on n8n any more")
    assert unknown.steps == {}


def test_without_an_earlier_graph_only_the_digests_are_compared():
    change = changed(BEFORE, None)
    assert change.before is None
    assert "not known any more" in change.sentences[0]
    assert set(change.steps.values()) == {"same"}
    assert compare(None, BEFORE, since="h1", platform="n8n").sentences == ("It was not changed.",)


def test_many_changes_are_cut_and_counted():
    nodes = tuple(PreviewNode(f"n{number}", f"Step {number}", "step") for number in range(100))
    change = changed(replace(BEFORE, nodes=(*BEFORE.nodes, *nodes)))
    assert len(change.sentences) == MOST_SENTENCES
    assert change.sentences[-1] == f"And {100 - MOST_SENTENCES + 1} more changes."
