from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.validation import validate
from orchestrator_app.services.example import DESCRIPTION, NAME, create_example, example_definition
from tests.running import WORKSPACE, World


def test_the_example_uses_every_node_kind_and_has_nothing_wrong():
    result = validate(example_definition())
    assert result.problems == ()
    assert result.definition is not None
    assert {node.kind for node in result.definition.nodes} == set(NODE_KINDS)
    providers = [node.config["provider"] for node in result.definition.nodes if "provider" in node.config]
    assert set(map(str, providers)) == {"simulated"}


async def test_the_example_is_stored_ready_to_run(world: World):
    made = await create_example(world.orchestrators, WORKSPACE)
    assert (made.name, made.description) == (NAME, DESCRIPTION)
    assert made.can_run
    assert [item.id for item in (await world.orchestrators.page(WORKSPACE, query="qualify")).items] == [
        made.id
    ]
