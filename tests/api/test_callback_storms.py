"""Callbacks in masses: copies of one, of which one counts, and forged ones, of which none does."""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from tests.api.calls import ROOT, definition, node, token_of, waiting

COPIES = 1_000
FORGED = 10_000
AT_ONCE = 100
# Letters of other alphabets that look like those of a token.
LOOK_ALIKES = str.maketrans(
    "aceopxyABCEH", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0410\u0412\u0421\u0415\u041d"
)
Forger = Callable[[random.Random], tuple[str, str]]


def received(run: dict[str, Any]) -> int:
    return [line["message"] for line in run["logs"]].count("A callback arrived.")


async def run_of(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    return (await api.get(f"{ROOT}/runs/{run_id}")).json()


async def ended(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    while not (run := await run_of(api, run_id))["endedDate"]:
        pass
    return run


async def test_of_a_thousand_copies_at_once_one_is_accepted_and_wakes_the_run_once(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    answers = await asyncio.gather(*(api.post(address, json={"copy": number}) for number in range(COPIES)))
    told = Counter((answer.status_code, answer.json()["status"]) for answer in answers)
    assert told == {(202, "accepted"): 1, (200, "duplicate"): COPIES - 1}
    (winner,) = [number for number, answer in enumerate(answers) if answer.status_code == 202]
    run = await ended(api, run["id"])
    assert (run["status"], run["output"]) == ("COMPLETED", {"copy": winner})
    assert received(run) == 1


async def test_of_ten_thousand_forged_callbacks_none_is_accepted_and_all_answers_are_alike(
    api: httpx.AsyncClient,
):
    target, other = await waiting(api), await waiting(api)
    good = token_of(target)
    expired = await waiting(
        api,
        definition(node("short", "WaitForCallback", timeout=60_000, onTimeout="continue")),
    )
    expired_token = token_of(expired)
    await api.post(f"{ROOT}/runs/{expired['id']}/cancel")
    used = await waiting(api)
    used_token = token_of(used)
    assert (await api.post(f"{ROOT}/callback/{used['id']}?token={used_token}")).status_code == 202

    def position(chance: random.Random) -> int:
        return chance.randrange(3, len(good))

    def changed(chance: random.Random) -> str:
        at = position(chance)
        letter = chance.choice([one for one in "abcdefghijkXYZ0189-_" if one != good[at]])
        return good[:at] + letter + good[at + 1 :]

    def seeming(chance: random.Random) -> str:
        at = position(chance)
        invisible = chance.choice(["\u200b", "\u00ad", "\u2060", "\u0301", "\x00"])
        return chance.choice(
            [good.translate(LOOK_ALIKES), good[:at] + invisible + good[at:], good.swapcase()]
        )

    forgers: list[Forger] = [
        lambda _: (target["id"], f"cb_{secrets.token_urlsafe(32)}"),
        lambda chance: (target["id"], good[: position(chance)]),
        lambda chance: (target["id"], good[position(chance) :]),
        lambda chance: (target["id"], good + chance.choice("aZ0-_=.")),
        lambda chance: (target["id"], changed(chance)),
        lambda chance: (target["id"], seeming(chance)),
        lambda _: (target["id"], token_of(other)),
        lambda _: (other["id"], good),
        lambda _: (expired["id"], expired_token),
        lambda _: (target["id"], used_token),
        lambda _: (target["id"], ""),
        lambda chance: (f"{chance.getrandbits(128):032x}", good),
        lambda chance: (
            target["id"],
            chance.choice(["null", "undefined", "true", "0", "[]", "%", "' OR 1=1 --"]),
        ),
    ]
    chance = random.Random(20_261_125)  # noqa: S311 - what is forged is drawn, no secret

    async def forged(number: int) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
        run_id, token = forgers[number % len(forgers)](chance)
        # Headers are ASCII; and JSON with a NUL is refused whatever it says, by the answer that says so.
        place = chance.randrange(
            4 if token.isascii() and token.isprintable() else 1 if "\x00" in token else 2
        )
        call: dict[str, Any] = [
            {"params": {"token": token}, "json": {}},
            {"json": {"correlationToken": token}},
            {"headers": {"Authorization": f"Bearer {token}"}, "json": {}},
            {"headers": {"X-Correlation-Token": token}, "json": {}},
        ][place]
        answer = await api.post(f"{ROOT}/callback/{run_id}", **call)
        return answer.status_code, answer.content, tuple(sorted(answer.headers.items()))

    alike: Counter[tuple[int, bytes, tuple[tuple[str, str], ...]]] = Counter()
    for first in range(0, FORGED, AT_ONCE):
        alike.update(await asyncio.gather(*(forged(number) for number in range(first, first + AT_ONCE))))
    assert sum(alike.values()) == FORGED
    assert len(alike) == 1, alike.most_common()
    assert {status for status, _, _ in alike} == {404}
    for run in (target, other):
        now = await run_of(api, run["id"])
        assert (now["status"], received(now)) == ("WAITING", 0)
    # Not one of them has hurt the real one.
    assert (await api.post(f"{ROOT}/callback/{target['id']}?token={good}", json={"a": 1})).status_code == 202
    assert (await ended(api, target["id"]))["output"] == {"a": 1}
