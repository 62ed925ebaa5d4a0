"""The pool of workers, with real processes."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator_app.domain.expressions import MISSING
from orchestrator_app.errors import ExpressionError, Unavailable
from orchestrator_app.runner import evaluator as evaluator_module
from orchestrator_app.runner.evaluator import Evaluator, Limits

FOR_EVER = "($f := function($n){$f($n + 1)}; $f(0))"
SHORT = Limits(seconds=0.4)


@pytest.fixture
async def evaluator() -> AsyncIterator[Evaluator]:
    evaluator = Evaluator()
    await evaluator.start()
    yield evaluator
    await evaluator.stop()


@pytest.fixture
async def impatient() -> AsyncIterator[Evaluator]:
    """One worker, so that the next evaluation meets what the last one left behind."""
    evaluator = Evaluator(workers=1, limits=SHORT)
    await evaluator.start()
    yield evaluator
    await evaluator.stop()


async def refusal(evaluator: Evaluator, *sources: str, document: Any = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        await evaluator.evaluate(sources, document or {})
    return caught.value


def process_ids(evaluator: Evaluator) -> list[int]:
    return [worker._process.pid for worker in evaluator._workers if worker._process is not None]


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def busy_process(evaluator: Evaluator) -> int:
    """Let the only worker, which is warm, begin what it was just given; its process id."""
    await asyncio.sleep(0)
    assert evaluator._idle.empty()
    return process_ids(evaluator)[0]


async def test_a_batch_is_answered_in_order(evaluator: Evaluator):
    values = await evaluator.evaluate(["a + 1", "nothing", "n", '{"x": [a, "é"]}'], {"a": 1, "n": None})
    assert values == [2, MISSING, None, {"x": [1, "é"]}]


async def test_no_sources_need_no_process(evaluator: Evaluator):
    assert await evaluator.evaluate([], {}) == []
    assert process_ids(evaluator) == []


async def test_a_failure_names_the_expression_and_its_place_in_the_batch(evaluator: Evaluator):
    error = await refusal(evaluator, "1", "1 /\n  0", "2")
    assert error.message == "1 / 0 did not work. It divides by zero."
    assert error.context == {"index": 1}
    error = await refusal(evaluator, f'1 + "{"x" * 100}"')
    assert error.message == f'1 + "{"x" * 74}… did not work. The right side of + must be a number.'
    assert await evaluator.evaluate(["1"], {}) == [1]


async def test_a_failure_does_not_cost_the_process(evaluator: Evaluator):
    await evaluator.warm()
    before = process_ids(evaluator)
    for _ in range(3):
        await refusal(evaluator, "1/0", "2")
    assert process_ids(evaluator) == before


async def test_warming_starts_all_processes(evaluator: Evaluator):
    await evaluator.warm()
    assert len(set(process_ids(evaluator))) == 2


@pytest.mark.parametrize(
    "source",
    [
        FOR_EVER,
        "$sum([1..5000000])",
        f"$match('{'a' * 40}b', /(a+)+$/)",
        "$pad('x', 1000000000)",
        "($f := function($s, $n){$n = 0 ? $length($s) : $f($s & $s, $n - 1)}; $f('aaaaaaaaaa', 30))",
        "($f := function($l, $n){$n = 0 ? $l : $f([$l, $l], $n - 1)}; $f([1], 40))",
        "(" * 25 + "a" + " ?: b)" * 25,
    ],
    ids=[
        "endless",
        "long sum",
        "regular expression",
        "padding",
        "doubled text",
        "doubled list",
        "costly to parse",
    ],
)
async def test_a_hostile_expression_is_stopped_and_the_next_one_works(impatient: Evaluator, source: str):
    error = await refusal(impatient, source)
    assert error.message.endswith(
        ("… took longer than 0.4 s.", ") took longer than 0.4 s.", "needed more than 256 MB.")
    )
    assert error.hint
    assert await impatient.evaluate(["1 + 1"], {}) == [2]


async def test_memory_is_bounded():
    evaluator = Evaluator(workers=1, limits=Limits(seconds=20))
    await evaluator.start()
    error = await refusal(evaluator, "$length($pad('x', 300000000))")
    assert error.message == "$length($pad('x', 300000000)) needed more than 256 MB."
    assert await evaluator.evaluate(["$length($pad('x', 30000000))"], {}) == [30_000_000]
    await evaluator.stop()


async def test_the_second_of_a_batch_is_blamed_when_it_takes_too_long(impatient: Evaluator):
    error = await refusal(impatient, "1 + 1", FOR_EVER, "2")
    assert error.context == {"index": 1}


async def test_a_large_document_and_a_large_result_pass(evaluator: Evaluator):
    document: dict[str, Any] = {"items": [{"id": number, "text": "x" * 50} for number in range(20_000)]}
    assert await evaluator.evaluate(["items", "$count(items)"], document) == [document["items"], 20_000]


async def test_a_result_has_a_largest_size():
    evaluator = Evaluator(workers=1, limits=Limits(result_bytes=1_000_000))
    await evaluator.start()
    error = await refusal(evaluator, "$pad('x', 1000000)")
    assert error.message == "$pad('x', 1000000) did not work. Its result is larger than 0.954 MB."
    await evaluator.stop()


@pytest.mark.parametrize("document", [{"a": float("nan")}, {"a": object()}])
async def test_data_that_is_no_json_is_refused(evaluator: Evaluator, document: Any):
    assert (await refusal(evaluator, "a", document=document)).message.endswith("is not JSON.")


async def test_callers_wait_their_turn():
    evaluator = Evaluator(workers=1)
    await evaluator.start()
    ended: list[int] = []

    async def ask(number: int) -> None:
        assert await evaluator.evaluate([f"{number} + 0"], {}) == [number]
        ended.append(number)

    await asyncio.gather(*(ask(number) for number in range(20)))
    assert ended == list(range(20))
    await evaluator.stop()


async def test_a_cancelled_caller_leaves_no_answer_for_the_next():
    evaluator = Evaluator(workers=1, limits=Limits(seconds=30))
    await evaluator.start()
    await evaluator.warm()
    caller = asyncio.create_task(evaluator.evaluate([FOR_EVER, '"wrong answer"'], {}))
    process_id = await busy_process(evaluator)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await evaluator.evaluate(['"right answer"'], {}) == ["right answer"]
    assert process_ids(evaluator) != [process_id]
    await evaluator.stop()
    assert not is_alive(process_id)


async def test_cancelling_at_any_moment_never_mixes_up_answers(evaluator: Evaluator):
    await evaluator.warm()
    for turn in range(30):
        callers = [asyncio.create_task(evaluator.evaluate([f'"{turn}-{n}"'], {})) for n in range(4)]
        await asyncio.sleep(turn / 10_000)
        callers[turn % 4].cancel()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        for number, answer in enumerate(answers):
            assert answer == [f"{turn}-{number}"] or isinstance(answer, asyncio.CancelledError)


async def test_cancelling_while_a_process_starts_does_no_harm():
    evaluator = Evaluator(workers=1)
    await evaluator.start()
    for pause in (0, 0.01, 0.03):
        caller = asyncio.create_task(evaluator.evaluate(["1"], {}))
        await asyncio.sleep(pause)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    assert await evaluator.evaluate(["2"], {}) == [2]
    await evaluator.stop()


async def test_an_answer_counts_however_late_the_held_program_finds_it(impatient: Evaluator):
    await impatient.warm()
    evaluation = asyncio.create_task(impatient.evaluate(["n + 1"], {"n": 1}))
    await busy_process(impatient)
    time.sleep(SHORT.seconds + 1)  # noqa: ASYNC251 - nothing here goes on meanwhile, as if it had been stopped
    assert await evaluation == [2]


async def test_a_process_that_dies_while_it_works_is_an_error_of_the_expression():
    evaluator = Evaluator(workers=1, limits=Limits(seconds=30))
    await evaluator.start()
    await evaluator.warm()
    caller = asyncio.create_task(evaluator.evaluate(["1", FOR_EVER], {}))
    process_id = await busy_process(evaluator)
    os.kill(process_id, 9)
    with pytest.raises(ExpressionError, match="needed more than 256 MB, or is nested too deeply") as caught:
        await caller
    assert caught.value.context["index"] in {0, 1}
    assert await evaluator.evaluate(["1"], {}) == [1]
    await evaluator.stop()


async def test_a_process_that_died_in_its_sleep_is_replaced(impatient: Evaluator):
    await impatient.warm()
    process = impatient._workers[0]._process
    assert process is not None
    process.kill()
    await process.wait()
    assert await impatient.evaluate(["1"], {}) == [1]


async def test_who_stood_still_does_not_blame_the_expression_for_it(impatient: Evaluator):
    await impatient.warm()
    under_way = asyncio.create_task(impatient.evaluate(["data"], {"data": 5}))
    await busy_process(impatient)
    time.sleep(SHORT.seconds + 1.5)  # noqa: ASYNC251 - as a process that is held
    assert await under_way == [5]


async def test_who_stood_still_while_a_process_started_starts_another_one(
    impatient: Evaluator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluator_module, "START_SECONDS", 1.0)
    under_way = asyncio.create_task(impatient.evaluate(["data"], {"data": 5}))
    while not process_ids(impatient):  # noqa: ASYNC110 - nothing tells that a process has begun
        await asyncio.sleep(0)
    monkeypatch.setattr(evaluator_module, "START_SECONDS", 30.0)
    time.sleep(2.5)  # noqa: ASYNC251 - as a process that is held
    assert await under_way == [5]


async def test_stopping_ends_all_processes_and_what_is_under_way():
    evaluator = Evaluator(workers=1, limits=Limits(seconds=30))
    await evaluator.start()
    await evaluator.warm()
    working = asyncio.create_task(evaluator.evaluate([FOR_EVER], {}))
    process_id = await busy_process(evaluator)
    waiting = asyncio.create_task(evaluator.evaluate(["1"], {}))
    await asyncio.sleep(0)
    await evaluator.stop()
    for caller in (working, waiting):
        with pytest.raises(Unavailable, match="the program is stopping"):
            await caller
    assert process_ids(evaluator) == []
    assert not is_alive(process_id)


async def test_stopping_while_a_process_starts_leaves_none_behind():
    evaluator = Evaluator(workers=1)
    await evaluator.start()
    caller = asyncio.create_task(evaluator.evaluate(["1"], {}))
    await asyncio.sleep(0.005)
    await evaluator.stop()
    with pytest.raises(Unavailable, match="the program is stopping"):
        await caller
    assert process_ids(evaluator) == []


async def test_no_exit_status_is_lost_on_the_way(evaluator: Evaluator, caplog: pytest.LogCaptureFixture):
    await evaluator.warm()
    processes = [worker._process for worker in evaluator._workers]
    await evaluator.stop()
    assert [process.returncode for process in processes if process] == [-9, -9]
    assert caplog.records == []


async def test_before_the_start_and_after_the_stop_nothing_is_evaluated():
    evaluator = Evaluator()
    with pytest.raises(Unavailable):
        await evaluator.evaluate(["1"], {})
    await evaluator.start()
    assert await evaluator.evaluate(["1"], {}) == [1]
    await evaluator.stop()
    with pytest.raises(Unavailable):
        await evaluator.evaluate(["1"], {})
    await evaluator.start()
    assert await evaluator.evaluate(["1"], {}) == [1]
    await evaluator.stop()


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
async def test_a_process_that_cannot_start_is_not_the_fault_of_the_expression(
    program: str, monkeypatch: pytest.MonkeyPatch
):
    evaluator = Evaluator(workers=1)
    await evaluator.start()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", program)
        with pytest.raises(Unavailable, match="cannot be started"):
            await evaluator.evaluate(["1"], {})
    assert await evaluator.evaluate(["1"], {}) == [1]
    await evaluator.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells about processes")
async def test_a_worker_gets_nothing_of_the_program(
    impatient: Evaluator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("ORCHESTRATOR_ENCRYPTION_KEY", "secret")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/lib")
    with (tmp_path / "open file").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - the function takes it by position only
        await impatient.warm()
        process = Path("/proc") / str(process_ids(impatient)[0])
        environment = (process / "environ").read_text().split("\0")
        files = [str(link.readlink()) for link in (process / "fd").iterdir()]
    assert sorted(filter(None, environment)) == ["LC_ALL=C.UTF-8", "LD_LIBRARY_PATH=/usr/lib"]
    assert {name for name in files if not name.startswith("pipe:")} == {"/dev/null"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells about processes")
async def test_a_worker_whose_program_is_gone_ends(impatient: Evaluator):
    await impatient.warm()
    process = impatient._workers[0]._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    assert await impatient.evaluate(["1"], {}) == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells about processes")
async def test_a_worker_that_nobody_kills_ends_by_itself_in_the_end(impatient: Evaluator):
    await impatient.evaluate(["1"], {})
    limits = (Path("/proc") / str(process_ids(impatient)[0]) / "limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max cpu time")]
    assert 6 <= int(line.split()[3]) <= 10
