"""Facts on their way to the disk: written together, and what happens when the database refuses some of them."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator_app.domain.planning import Graph
from orchestrator_app.domain.runs import Fact, Logged, NodeEnded, NodeState
from orchestrator_app.errors import InvalidInput, LeaseLost, OrchestratorError
from orchestrator_app.runner.notes import Notes, Superseded
from orchestrator_app.runner.segment import Segment
from tests.running import graph, mapper

REFUSED = InvalidInput("The database cannot hold this.")


class Disk:
    """Where facts go; it refuses those about some nodes, and may lose the run after some writes."""

    def __init__(self, *refused: str, writes_until_lost: int = 1_000) -> None:
        self.refused = refused
        self.left = writes_until_lost
        self.written: list[list[str]] = []
        self.forgotten: set[str] = set()
        definition = graph([mapper(name) for name in "abcd"], "a b, b c")
        self.graph, self.engine, self.run = Graph(definition), self, SimpleNamespace()

    async def record(self, run: object, facts: Sequence[Fact]) -> None:
        if self.left == 0:
            raise LeaseLost("Taken over.")
        self.left -= 1
        names = [getattr(fact, "node_id", "") or "run" for fact in facts]
        if set(names) & set(self.refused):
            raise REFUSED
        self.written.append(names)

    def forget(self, node_ids: Any) -> None:
        self.forgotten |= set(node_ids)

    def notes(self) -> Notes:
        return Notes(cast("Segment", self))


def ended(node_id: str) -> list[Fact]:
    return [NodeEnded(node_id, NodeState.COMPLETED, 1)]


RUN: list[Fact] = [Logged("The run completed.", 1)]


async def test_all_that_was_noted_is_written_in_its_order_with_what_comes_next():
    disk = Disk()
    notes = disk.notes()
    notes.add(ended("a"))
    notes.add([])
    notes.add(ended("b"), "b")
    assert await notes.commit(ended("c"), "c")
    assert disk.written == [["a", "b", "c"]]
    assert await notes.commit()
    assert not notes.are_unwritten


async def test_what_is_refused_is_told_and_what_was_built_on_it_is_taken_back():
    disk, told = Disk("a"), list[OrchestratorError]()
    notes = disk.notes()
    notes.add(ended("d"), "d", told.append)
    notes.add(ended("a"), "a", told.append)
    notes.add(ended("b"), "b", told.append)
    with pytest.raises(Superseded):
        await notes.commit(RUN)
    assert told == [REFUSED]
    assert disk.written == [["d"]]
    assert disk.forgotten == {"", "b", "c"}


async def test_a_refusal_of_one_note_alone_needs_no_second_try():
    disk, told = Disk("a"), list[OrchestratorError]()
    notes = disk.notes()
    notes.add(ended("a"), "a", told.append)
    assert not await notes.commit()
    assert (told, disk.left) == ([REFUSED], 999)


async def test_who_waits_for_the_disk_is_told_the_refusal():
    disk = Disk("a")
    with pytest.raises(InvalidInput):
        await disk.notes().commit(ended("a"), "a")
    assert disk.forgotten == {"", "b", "c"}


async def test_a_refusal_of_what_is_about_the_run_itself_goes_to_the_run():
    disk = Disk("run")
    notes = disk.notes()
    notes.add(ended("a"), "a")
    notes.add(RUN)
    with pytest.raises(InvalidInput):
        await notes.commit(ended("b"), "b")
    assert disk.written == [["a"]]


async def test_a_run_that_is_lost_between_two_notes_is_lost_for_all():
    disk = Disk("a", writes_until_lost=1)
    notes = disk.notes()
    notes.add(ended("d"), "d")
    notes.add(ended("a"), "a")
    with pytest.raises(LeaseLost):
        await notes.commit(ended("b"), "b")
