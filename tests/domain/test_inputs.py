import pytest

from orchestrator_app.domain.inputs import MAX_STEPS, input_clashes, placed_inputs
from orchestrator_app.errors import ExpressionError


def test_dots_in_names_make_objects():
    values = {"question": "Hi", "form.name": "Ada", "form.address.city": "Turin", " form . age ": 36}
    assert placed_inputs(values) == {
        "question": "Hi",
        "form": {"name": "Ada", "address": {"city": "Turin"}, "age": 36},
    }
    assert placed_inputs({}) == {}


def test_names_may_have_any_other_character():
    assert placed_inputs({"Your name?": 1, "a-b[0]": 2}) == {"Your name?": 1, "a-b[0]": 2}


@pytest.mark.parametrize(
    "names", [["a", "a.b"], ["a.b", "a"], ["a", " a"], ["a.b.c", "a.b"], ["a.b", "a.b.c.d"]]
)
def test_names_that_need_the_same_place_clash(names: list[str]):
    (clash,) = input_clashes(names)
    assert clash.name == names[1]
    assert clash.message.endswith("cannot both be there. Rename one of them.")
    with pytest.raises(ExpressionError, match="cannot both be there"):
        placed_inputs(dict.fromkeys(names))


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a. .b", ".".join("a" * (MAX_STEPS + 1))])
def test_a_dot_needs_a_name_on_both_sides(name: str):
    (clash,) = input_clashes(["x", name])
    assert clash.name == name
    assert "cannot be the name of an input" in clash.message
