import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import InvalidDefinition, InvalidInput, NotFound, OutdatedVersion
from orchestrator_app.runner.hub import Change
from tests.running import WORKSPACE, World, graph, mapper, nodes_of, states_of, token_in, wait, webhook

BEFORE = graph([mapper("a", n="=1")])
AFTER = graph([mapper("a", n="=1"), mapper("b", n="=2")], "a b")
CYCLE = graph([mapper("a"), mapper("b")], "a b, b a")


async def create(world: World, name: str = "Nightly", definition: Definition | None = BEFORE):
    content = definition.as_json() if definition else None
    return await world.orchestrators.create(WORKSPACE, name=name, definition=content)


async def test_a_new_one_starts_empty_and_says_so(world: World):
    async with world.hub.subscribe(WORKSPACE) as changes:
        made = await world.orchestrators.create(WORKSPACE, name=" Nightly ", description=" Each night. ")
        assert await changes.take(1) == [Change("orchestrator", WORKSPACE, made.id, 1)]
    assert (made.name, made.description, made.version) == ("Nightly", "Each night.", 1)
    assert made.definition == {"version": 1, "nodes": [], "edges": []}
    assert [problem.code for problem in made.problems] == ["empty"]
    assert not made.can_run
    assert made.created_date == made.updated_date == world.clock.ms
    assert await world.orchestrators.get(WORKSPACE, made.id) == made


async def test_one_with_a_graph_can_run(world: World):
    made = await create(world)
    assert made.definition == BEFORE.as_json()
    assert made.problems == ()
    assert made.can_run


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
async def test_its_name_must_be_one(world: World, name: str):
    with pytest.raises(InvalidInput) as caught:
        await create(world, name)
    assert caught.value.errors == [{"field": "name", "message": "The name must have 1 to 200 characters."}]


async def test_its_description_must_not_be_a_book(world: World):
    with pytest.raises(InvalidInput, match="at most 5000 characters"):
        await world.orchestrators.create(WORKSPACE, name="a", description="x" * 5_001)
    made = await create(world)
    with pytest.raises(InvalidInput, match="at most 5000 characters"):
        await world.orchestrators.save(WORKSPACE, made.id, expected_version=None, description="x" * 5_001)


async def test_a_graph_that_cannot_be_kept_is_refused_with_all_its_problems(world: World):
    with pytest.raises(InvalidDefinition) as caught:
        await create(world, definition=CYCLE)
    assert caught.value.message.startswith("This cannot be saved: The edges go round in a circle")
    assert [error["code"] for error in caught.value.errors] == ["cycle", "no_mappings", "no_mappings"]
    with pytest.raises(InvalidDefinition):
        await world.orchestrators.create(WORKSPACE, name="a", definition="no graph")
    assert (await world.orchestrators.page(WORKSPACE)).items == ()
    assert not world.orchestrators.validate(CYCLE.as_json()).can_save


async def test_a_draft_that_cannot_run_yet_can_be_kept(world: World):
    draft = {"version": 1, "nodes": [webhook("a", workflowId="").as_json()], "edges": []}
    made = await world.orchestrators.create(WORKSPACE, name="Draft", definition=draft)
    assert not made.can_run
    assert made.problems


async def test_a_save_makes_a_new_version(world: World):
    made = await create(world)
    world.clock.ms += 5
    async with world.hub.subscribe(WORKSPACE) as changes:
        saved = await world.orchestrators.save(
            WORKSPACE,
            made.id,
            expected_version=1,
            name="Daily",
            description="Each day.",
            definition=AFTER.as_json(),
        )
        assert await changes.take(1) == [Change("orchestrator", WORKSPACE, made.id, 2)]
    assert (saved.version, saved.name, saved.description) == (2, "Daily", "Each day.")
    assert saved.definition == AFTER.as_json()
    assert (saved.created_date, saved.updated_date) == (made.created_date, world.clock.ms)


async def test_what_is_not_given_stays(world: World):
    made = await world.orchestrators.create(
        WORKSPACE, name="Nightly", description="Each night.", definition=BEFORE.as_json()
    )
    renamed = await world.orchestrators.save(WORKSPACE, made.id, expected_version=1, name="Daily")
    assert (renamed.name, renamed.description, renamed.definition) == (
        "Daily",
        "Each night.",
        BEFORE.as_json(),
    )
    redrawn = await world.orchestrators.save(
        WORKSPACE, made.id, expected_version=2, definition=AFTER.as_json(), description=""
    )
    assert (redrawn.name, redrawn.description, redrawn.definition) == ("Daily", "", AFTER.as_json())


async def test_an_outdated_save_writes_nothing(world: World):
    made = await create(world)
    await world.orchestrators.save(WORKSPACE, made.id, expected_version=1, name="Theirs")
    async with world.hub.subscribe(WORKSPACE) as changes:
        with pytest.raises(OutdatedVersion) as caught:
            await world.orchestrators.save(
                WORKSPACE, made.id, expected_version=1, name="Mine", definition=AFTER.as_json()
            )
        assert await changes.take(0) == []
    assert caught.value.message == "“Theirs” was saved by somebody else in the meantime (version 2)."
    assert caught.value.context == {"version": 2}
    assert (await world.orchestrators.get(WORKSPACE, made.id)).name == "Theirs"
    over = await world.orchestrators.save(WORKSPACE, made.id, expected_version=None, name="Mine")
    assert (over.version, over.name) == (3, "Mine")


async def test_a_save_that_cannot_be_kept_changes_nothing(world: World):
    made = await create(world)
    with pytest.raises(InvalidDefinition):
        await world.orchestrators.save(WORKSPACE, made.id, expected_version=1, definition=CYCLE.as_json())
    with pytest.raises(InvalidInput):
        await world.orchestrators.save(WORKSPACE, made.id, expected_version=1, name="")
    assert await world.orchestrators.get(WORKSPACE, made.id) == made


async def test_runs_keep_the_version_with_which_they_began(world: World):
    waiting = graph([wait("w"), mapper("old", n="=1")], "w old")
    made = await create(world, definition=waiting)
    summary, _ = await world.runs.start(WORKSPACE, made.id, {}, trigger="api")
    await world.parked(summary.id)
    await world.orchestrators.save(WORKSPACE, made.id, expected_version=1, definition=AFTER.as_json())
    run = await world.parked(summary.id)
    await world.call_back(summary.id, token_in(nodes_of(run)["w"].callback_url), {})
    run = await world.ended(summary.id)
    assert (run.summary.version, states_of(run)) == (1, {"w": "COMPLETED", "old": "COMPLETED"})
    assert run.definition == waiting.as_json()
    newer, _ = await world.runs.start(WORKSPACE, made.id, {}, trigger="api")
    assert newer.version == 2


async def test_a_duplicate_has_its_own_name_and_life(world: World):
    made = await create(world, "x" * 200)
    copied = await world.orchestrators.duplicate(WORKSPACE, made.id)
    assert copied.name == "x" * 193 + " (copy)"
    assert (copied.definition, copied.version) == (made.definition, 1)
    assert copied.id != made.id
    await world.orchestrators.delete(WORKSPACE, made.id)
    assert (await world.orchestrators.get(WORKSPACE, copied.id)) == copied


async def test_a_deleted_one_is_gone_but_its_runs_go_on(world: World):
    made = await create(world, definition=graph([wait("w")]))
    waiting, _ = await world.runs.start(WORKSPACE, made.id, {}, trigger="api")
    run = await world.parked(waiting.id)
    async with world.hub.subscribe(WORKSPACE) as changes:
        assert await world.orchestrators.delete(WORKSPACE, made.id) == 1
        assert await changes.take(1) == [Change("orchestrator", WORKSPACE, made.id)]
    for trying in (
        world.orchestrators.get(WORKSPACE, made.id),
        world.orchestrators.delete(WORKSPACE, made.id),
        world.orchestrators.duplicate(WORKSPACE, made.id),
        world.orchestrators.save(WORKSPACE, made.id, expected_version=None, name="New"),
        world.runs.start(WORKSPACE, made.id, {}, trigger="api"),
        world.runs.rerun(WORKSPACE, waiting.id, trigger="api"),
    ):
        with pytest.raises(NotFound, match="There is no such orchestrator"):
            await trying
    await world.call_back(waiting.id, token_in(run.nodes[0].callback_url), {"ok": True})
    assert (await world.ended(waiting.id)).output == {"ok": True}
    assert [item.id for item in (await world.runs.page(WORKSPACE)).items] == [waiting.id]


async def test_another_workspace_sees_nothing(world: World):
    made = await create(world)
    assert (await world.orchestrators.page("another")).items == ()
    for trying in (
        world.orchestrators.get("another", made.id),
        world.orchestrators.export("another", made.id),
        world.orchestrators.delete("another", made.id),
        world.orchestrators.save("another", made.id, expected_version=1, name="Mine"),
    ):
        with pytest.raises(NotFound):
            await trying


async def test_the_list_is_paged_and_searched_newest_change_first(world: World):
    for number in range(5):
        world.clock.ms += 1
        await create(world, f"Flow {number}")
    first = await world.orchestrators.page(WORKSPACE, limit=2)
    second = await world.orchestrators.page(WORKSPACE, limit=2, cursor=first.cursor)
    last = await world.orchestrators.page(WORKSPACE, limit=2, cursor=second.cursor)
    names = [item.name for page in (first, second, last) for item in page.items]
    assert names == ["Flow 4", "Flow 3", "Flow 2", "Flow 1", "Flow 0"]
    assert last.cursor == ""
    found = await world.orchestrators.page(WORKSPACE, query="flow 3", limit=0)
    assert [item.name for item in found.items] == ["Flow 3"]
    assert len((await world.orchestrators.page(WORKSPACE, limit=10_000)).items) == 5


async def test_the_list_shows_the_last_run(world: World):
    made = await create(world, definition=AFTER)
    (before,) = (await world.orchestrators.page(WORKSPACE)).items
    assert (before.node_count, before.last_run_id, before.last_run_state) == (2, None, None)
    summary, _ = await world.runs.start(WORKSPACE, made.id, {}, trigger="api")
    await world.ended(summary.id)
    (after,) = (await world.orchestrators.page(WORKSPACE)).items
    assert (after.last_run_id, after.last_run_state) == (summary.id, "COMPLETED")
    assert after.last_run_date == summary.created_date
