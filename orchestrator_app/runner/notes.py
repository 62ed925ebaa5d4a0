"""What happened in a run and is not on disk yet: written together, in order, before anything outside follows from it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator_app.domain.runs import Fact
from orchestrator_app.errors import LeaseLost, OrchestratorError

if TYPE_CHECKING:
    from orchestrator_app.runner.segment import Segment

Refused = Callable[[OrchestratorError], None]


@dataclass(slots=True)
class _Note:
    """Facts that belong together.

    Attributes:
        facts: What happened.
        node_id: The node they are about, or empty.
        refused: Called when the database refuses them.
        written: Resolved when they are on disk, or with the reason why they never will be.
    """

    facts: Sequence[Fact]
    node_id: str = ""
    refused: Refused | None = None
    written: asyncio.Future[None] | None = None

    def settle(self, error: BaseException | None = None) -> None:
        if self.written is None or self.written.done():
            return
        if error is None:
            self.written.set_result(None)
        else:
            self.written.set_exception(error)
            # Who committed it may have gone with the same error; asyncio must not report it as overlooked.
            self.written.exception()


class Notes:
    """The facts of one segment on their way to the disk."""

    def __init__(self, segment: "Segment") -> None:
        self._segment = segment
        self._notes: list[_Note] = []
        self._turn = asyncio.Lock()

    @property
    def are_unwritten(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._notes)

    def add(self, facts: Sequence[Fact], node_id: str = "", refused: Refused | None = None) -> None:
        """Let facts be written with what comes next; nothing outside follows from them before that."""
        if facts:
            self._notes.append(_Note(facts, node_id, refused))

    async def commit(self, facts: Sequence[Fact] = (), node_id: str = "") -> bool:
        """Write these facts and all added before them; returns when they are on disk.

        Returns:
            Whether all of it was written as it was noted. Otherwise something was refused and taken back, and the
            run has to be looked at anew.

        Raises:
            LeaseLost: The run was cancelled or taken by another worker.
            OrchestratorError: The database refuses these facts.
            Superseded: They were built on something that the database refused.
        """
        note = _Note(facts, node_id, written=asyncio.get_running_loop().create_future()) if facts else None
        if note is not None:
            self._notes.append(note)
        # One after the other, so that the order on disk is that of what happened; who waits here shares the next one.
        async with self._turn:
            await asyncio.sleep(0)  # nodes that begin together write together
            notes, self._notes = self._notes, []
            is_as_noted = not notes or await self._write(notes)
        if note is not None and note.written is not None:
            await note.written
        return is_as_noted

    async def _write(self, notes: Sequence[_Note]) -> bool:
        try:
            await self._record([fact for note in notes for fact in note.facts])
        except LeaseLost as error:
            _settle(notes, error)
            raise
        except OrchestratorError as error:
            await self._write_one_by_one(notes, error)
            return False
        except asyncio.CancelledError:
            for note in notes:
                if note.written is not None:
                    note.written.cancel()
            raise
        except Exception as error:
            # A mistake of ours: what happened is not forgotten, so that the run can end with it. Who waits for the
            # disk is told, and goes no further.
            self._notes = [note for note in notes if note.written is None] + self._notes
            _settle(notes, error)
            raise
        _settle(notes)
        return True

    async def _write_one_by_one(self, notes: Sequence[_Note], error: OrchestratorError) -> None:
        """Find what the database refuses; what was built on it is taken back."""
        taken_back: set[str] = set()
        for note in notes:
            if note.node_id in taken_back:
                note.settle(Superseded())
                continue
            if len(notes) > 1:
                try:
                    await self._record(note.facts)
                except LeaseLost as lost:
                    _settle(notes, lost)
                    raise
                except OrchestratorError as refusal:
                    error = refusal
                else:
                    note.settle()
                    continue
            if not note.node_id:
                # It is about the run itself: nothing can be built on it, and nothing else need be taken back.
                _settle(notes, error)
                raise error
            note.settle(error)
            # What comes after it, and what was concluded about the whole run.
            taken_back |= {"", *self._segment.graph.descendants(note.node_id)}
            self._segment.forget(taken_back)
            if note.refused is not None:
                note.refused(error)

    async def _record(self, facts: Sequence[Fact]) -> None:
        await self._segment.engine.record(self._segment.run, facts)


class Superseded(Exception):
    """What a node's work was built on never reached the disk; the node has not begun."""


def _settle(notes: Sequence[_Note], error: BaseException | None = None) -> None:
    for note in notes:
        note.settle(error)
