from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.domain.definition import Definition, Edge
from orchestrator_app.domain.node_kinds import NODE_KINDS, output_handles, setting
from orchestrator_app.domain.planning import (
    Graph,
    Progress,
    Step,
    find_cycle,
    next_step,
    node_input,
    run_output,
)
from orchestrator_app.domain.runs import NodeState
from tests.builders import (
    a_definition_from,
    definitions,
    unhurried,
)

COMPLETED, FAILED, SKIPPED = NodeState.COMPLETED, NodeState.FAILED, NodeState.SKIPPED


@st.composite
def any_graphs(draw: st.DrawFn) -> tuple[list[tuple[int, int]], int]:
    count = draw(st.integers(1, 8))
    place = st.integers(0, count - 1)
    return draw(st.lists(st.tuples(place, place), max_size=14)), count


@unhurried
@given(any_graphs())
def test_a_cycle_is_found_exactly_when_some_node_can_reach_itself(graph):
    pairs, count = graph
    reaches = [[(source, target) in pairs for target in range(count)] for source in range(count)]
    for middle in range(count):
        for source in range(count):
            for target in range(count):
                reaches[source][target] |= reaches[source][middle] and reaches[middle][target]
    cycle = find_cycle(a_definition_from(pairs, count))
    assert bool(cycle) == any(reaches[node][node] for node in range(count))
    numbers = [int(node_id[1:]) for node_id in cycle]
    assert len(set(numbers)) == len(numbers)
    assert all(edge in pairs for edge in zip(numbers, numbers[1:] + numbers[:1], strict=True))


@unhurried
@given(definitions())
def test_a_graph_lists_every_node_once_in_both_orders(definition):
    graph = Graph(definition)
    ids = sorted(node.id for node in definition.nodes)
    assert sorted(graph.order) == sorted(graph.topological) == ids
    place = {node_id: number for number, node_id in enumerate(graph.topological)}
    assert all(place[edge.source] < place[edge.target] for edge in definition.edges)


@unhurried
@given(definitions())
def test_the_order_is_breadth_first(definition):
    graph = Graph(definition)
    distance = dict.fromkeys((node.id for node in definition.nodes), len(definition.nodes))
    distance |= dict.fromkeys(graph.entries, 0)
    for _ in definition.nodes:
        for edge in definition.edges:
            distance[edge.target] = min(distance[edge.target], distance[edge.source] + 1)
    distances = [distance[node_id] for node_id in graph.order]
    assert distances == sorted(distances)
    nearest_first = [distance[node_id] for node_id in graph.descendants(graph.order[0])]
    assert graph.order[0] not in graph.descendants(graph.order[0])
    assert len(set(graph.descendants(graph.order[0]))) == len(nearest_first)


@dataclass
class Simulation:
    """Runs a definition like the engine does, with outcomes drawn at random, and writes down what happened."""

    definition: Definition
    random: Random
    may_fail_unhandled: bool
    progress: dict[str, Progress] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    ended: dict[str, NodeState] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    is_failing: bool = False

    def proceed(self) -> None:
        self.graph = Graph(self.definition)
        # Each turn skips, starts or ends at least one node; a run that takes more turns does not terminate.
        for _ in range(3 * len(self.definition.nodes) + 1):
            before = dict(self.progress)
            step = next_step(self.graph, self.progress)
            assert self.progress == before
            self.check(step)
            if step.skipped:
                for node_id in step.skipped:
                    self.end(node_id, Progress(SKIPPED))
                continue
            self.is_failing = step.is_failing
            self.start(step.ready)
            if not self.running:
                return
            node_id = self.running.pop(self.random.randrange(len(self.running)))
            if self.random.random() < 0.3:
                # Waiting for a callback or a retry is being under way as well.
                self.progress[node_id] = Progress(NodeState.WAITING)
                self.check(next_step(self.graph, self.progress))
            self.end(node_id, self.outcome(node_id))
        pytest.fail("The run does not terminate.")

    def check(self, step: Step) -> None:
        order = list(self.graph.order)
        assert list(step.ready) == sorted(step.ready, key=order.index)
        assert not set(step.ready) & set(step.skipped)
        for node_id in (*step.ready, *step.skipped):
            assert node_id not in self.ended
            assert node_id not in self.running
        skipped = set(step.skipped)
        for node_id in step.skipped:
            assert self.edges_to(node_id)
            for edge in self.edges_to(node_id):
                assert edge.source in skipped or not self.was_taken(edge)
        for node_id in step.ready:
            edges = self.edges_to(node_id)
            assert all(edge.source in self.ended or edge.source in skipped for edge in edges)
            assert not edges or any(self.was_taken(edge) for edge in edges)

    def start(self, ready: tuple[str, ...]) -> None:
        assert not (ready and self.is_failing)
        # A limit on how many nodes work at once takes the first ones.
        for node_id in ready[: self.random.randint(1, 3)]:
            assert node_id not in self.ended
            self.inputs[node_id] = node_input(self.graph, node_id, {"run": 1}, self.progress)
            self.check_input(node_id)
            self.progress[node_id] = Progress(NodeState.RUNNING)
            self.running.append(node_id)

    def outcome(self, node_id: str) -> Progress:
        node = self.graph.nodes[node_id]
        may_fail = NODE_KINDS[node.kind].has_error_handle and not node.disabled
        if (
            may_fail
            and (self.may_fail_unhandled or self.has_error_edge(node_id))
            and self.random.random() < 0.4
        ):
            return Progress(FAILED, (), {"error": node_id})
        handles = [handle for handle in output_handles(node) if handle != "error"]
        if node.disabled and node.kind == "Condition":
            handles = [str(setting(node, "defaultHandle"))]
        output: Any = self.random.choice([{"by": node_id, node_id: 1}, node_id, None, [node_id]])
        return Progress(COMPLETED, (self.random.choice(handles),), output)

    def end(self, node_id: str, progress: Progress) -> None:
        assert node_id not in self.ended
        self.progress[node_id] = progress
        self.ended[node_id] = progress.state

    def edges_to(self, node_id: str) -> list[Edge]:
        return [edge for edge in self.definition.edges if edge.target == node_id]

    def has_error_edge(self, node_id: str) -> bool:
        return any(edge.source == node_id and edge.source_handle == "error" for edge in self.definition.edges)

    def was_taken(self, edge: Edge) -> bool:
        state = self.ended.get(edge.source)
        if state is FAILED:
            return edge.source_handle == "error"
        if state is not COMPLETED or edge.source_handle == "error":
            return False
        is_condition = self.graph.nodes[edge.source].kind == "Condition"
        return not is_condition or edge.source_handle in {"", *self.progress[edge.source].handles}

    def check_input(self, node_id: str) -> None:
        parents = list(dict.fromkeys(edge.source for edge in self.edges_to(node_id) if self.was_taken(edge)))
        if not parents:
            assert self.inputs[node_id] == {"run": 1}
        elif len(parents) == 1:
            assert self.inputs[node_id] == self.progress[parents[0]].output
        else:
            expected: dict[str, Any] = {}
            for parent in parents:
                output = self.progress[parent].output
                expected |= (
                    output if isinstance(output, Mapping) else {self.graph.nodes[parent].label: output}
                )
            assert self.inputs[node_id] == expected


@unhurried
@given(definitions(), st.randoms(use_true_random=False))
def test_every_run_ends_with_every_node_in_one_end_state(definition, random):
    simulation = Simulation(definition, random, may_fail_unhandled=False)
    simulation.proceed()
    assert not simulation.is_failing
    assert simulation.ended.keys() == {node.id for node in definition.nodes}
    for node in definition.nodes:
        edges = simulation.edges_to(node.id)
        is_reached = not edges or any(simulation.was_taken(edge) for edge in edges)
        assert (simulation.ended[node.id] is SKIPPED) == (not is_reached)
        assert (node.id in simulation.inputs) == is_reached
    # The result is made of what nothing was taken after; there is always such a node.
    run_output(simulation.graph, simulation.progress)
    last = [
        node_id
        for node_id, state in simulation.ended.items()
        if state is COMPLETED
        and not any(simulation.was_taken(edge) for edge in definition.edges if edge.source == node_id)
    ]
    assert last


@unhurried
@given(definitions(), st.randoms(use_true_random=False))
def test_a_failing_run_ends_too_and_starts_nothing_after_the_failure(definition, random):
    simulation = Simulation(definition, random, may_fail_unhandled=True)
    simulation.proceed()
    unhandled = [
        node_id
        for node_id, state in simulation.ended.items()
        if state is FAILED and not simulation.has_error_edge(node_id)
    ]
    assert simulation.is_failing == bool(unhandled)
    if not simulation.is_failing:
        assert simulation.ended.keys() == {node.id for node in definition.nodes}
    # What was started has settled; what was not is left to the engine to skip.
    assert simulation.inputs.keys() <= simulation.ended.keys()


@unhurried
@given(definitions(), st.randoms(use_true_random=False))
def test_what_happens_does_not_depend_on_the_order_in_which_nodes_end(definition, random):
    outcomes: dict[str, Progress] = {}

    class Repeated(Simulation):
        def outcome(self, node_id: str) -> Progress:
            return outcomes.setdefault(node_id, super().outcome(node_id))

    first = Repeated(definition, random, may_fail_unhandled=False)
    second = Repeated(definition, random, may_fail_unhandled=False)
    first.proceed()
    second.proceed()
    assert first.ended == second.ended
    assert first.inputs == second.inputs
    assert run_output(first.graph, first.progress) == run_output(second.graph, second.progress)
