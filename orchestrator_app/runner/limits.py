"""What a run may take at most: time, attempts, and room for what its nodes give out."""

from collections.abc import Mapping

from orchestrator_app.domain.json_values import size_of
from orchestrator_app.domain.ports import ClaimedRun, NodeRecord
from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import NodeFailed

MAX_RUN_BYTES = 16 * 1_048_576
MAX_ATTEMPTS = 10_000


class OutputRoom:
    """How much the nodes of a run may still give out.

    Args:
        records: What is known about them; it may grow.
    """

    def __init__(self, records: Mapping[str, NodeRecord]) -> None:
        self._records = records
        self._taken: int | None = None

    def take(self, size: int) -> None:
        """Take room for an output of so many bytes.

        Raises:
            NodeFailed: There is not enough left.
        """
        if self._taken is None:
            # Counted when it is needed first: most claims of a run are for a moment only.
            outputs = [record.output for record in self._records.values() if record.output is not None]
            self._taken = sum(size_of(output) for output in outputs)
        if self._taken + size > MAX_RUN_BYTES:
            raise NodeFailed(
                f"With this output the run would have {self._taken + size:,} bytes of outputs; at most "
                f"{MAX_RUN_BYTES:,} can be kept.",
                code="run_too_large",
                hint="Let the nodes of this run give out less, or split the work into several runs.",
            )
        self._taken += size

    def count_anew(self) -> None:
        """Some of what was taken is not needed after all."""
        self._taken = None


def check_attempts(records: Mapping[str, NodeRecord]) -> None:
    """Refuse a further attempt in a run that has had too many.

    Raises:
        NodeFailed: It has had them.
    """
    if sum(record.attempt for record in records.values()) >= MAX_ATTEMPTS:
        raise NodeFailed(
            f"The nodes of this run have made {MAX_ATTEMPTS:,} attempts; more are not made.",
            code="too_many_attempts",
            hint="Let its nodes try again less often, or split the work into several runs.",
        )


def too_late(run: ClaimedRun) -> Failure:
    """Why a run that is past its deadline ends."""
    return Failure(
        "run_deadline",
        "The run was not done by its deadline and was ended. Calls that were under way were cut; whether they had an "
        "effect outside is not known.",
        "Give the runs of this orchestrator more time in its settings, or let its nodes do less.",
        {"deadline": run.deadline_at},
    )
