"""Templates, bodies, expressions and mappings over a node's scope, with a real evaluator."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from orchestrator_app.domain.expressions import MISSING
from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.scope import Scope
from orchestrator_app.errors import ExpressionError
from orchestrator_app.runner.evaluator import Evaluator
from orchestrator_app.runner.rendering import Renderer, needed

SCOPE = Scope(
    data={
        "customer": {"name": "Ann", "email": "ann@example.org"},
        "items": [{"price": 2, "quantity": 3}, {"price": 5, "quantity": 1}],
        "nothing": None,
        "one": [1],
        "vars": "hidden by the root",
    },
    run={"id": "r1", "callbackUrl": "https://example.org/c"},
    nodes={"My label": {"output": {"x": 7}}, "n1": {"output": {"x": 7}}},
    vars={"rate": 2},
)


class WatchedEvaluator(Evaluator):
    """The real one, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.asked: list[tuple[list[str], set[str]]] = []

    async def evaluate(self, sources: Sequence[str], document: JsonObject) -> list[Any]:
        if sources:
            self.asked.append((list(sources), set(document)))
        return await super().evaluate(sources, document)


@pytest.fixture
async def evaluator() -> AsyncIterator[WatchedEvaluator]:
    evaluator = WatchedEvaluator()
    await evaluator.start()
    yield evaluator
    await evaluator.stop()


@pytest.fixture
def renderer(evaluator: Evaluator) -> Renderer:
    return Renderer(evaluator)


async def refusal(work: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        await work
    return caught.value


async def test_a_text_takes_plain_paths_and_jsonata(renderer: Renderer):
    template = (
        "Dear {{customer.name}}, {{ $sum(items.(price * quantity)) * vars.rate }} for {{ run.id }}: {{ one }}"
    )
    assert await renderer.text(template, SCOPE) == "Dear Ann, 22 for r1: [1]"


async def test_plain_paths_need_no_process(renderer: Renderer, evaluator: WatchedEvaluator):
    assert await renderer.text("{{ data.items[1].price }} {{ nodes.`My label`.output.x }}", SCOPE) == "5 7"
    assert evaluator.asked == []


async def test_all_other_expressions_go_in_one_batch_each_once(
    renderer: Renderer, evaluator: WatchedEvaluator
):
    template = "{{ 1 + 1 }}{{ customer.name }}{{ items.price }}{{ 1 + 1 }}"
    assert await renderer.text(template, SCOPE) == "2Ann[2,5]2"
    assert evaluator.asked == [(["1 + 1", "items.price"], {"items"})]


async def test_a_text_without_placeholders_is_itself(renderer: Renderer, evaluator: WatchedEvaluator):
    assert await renderer.text("as it is", SCOPE) == "as it is"
    assert evaluator.asked == []


async def test_a_single_placeholder_keeps_its_type(renderer: Renderer):
    assert await renderer.value("{{ items.price }}", SCOPE) == [2, 5]
    assert await renderer.value("{{ nothing }}", SCOPE) is None
    assert await renderer.value("{{ vars.rate }}!", SCOPE) == "2!"


async def test_a_body_is_json(renderer: Renderer):
    template = '{"who": {{ customer }}, "text": "{{ customer.name }} \\"{{ nothing }}\\"", "sum": {{ $sum(items.price) }}}'
    assert await renderer.json_body(template, SCOPE) == {
        "who": {"name": "Ann", "email": "ann@example.org"},
        "text": 'Ann "null"',
        "sum": 7,
    }


async def test_an_expression_may_find_nothing(renderer: Renderer):
    assert await renderer.expression("customer.age", SCOPE) is MISSING
    assert await renderer.expression("items[price > 100]", SCOPE) is MISSING
    assert await renderer.expression("nothing", SCOPE) is None
    assert await renderer.expression("items[price > 2].quantity", SCOPE) == 1


async def test_what_is_missing_is_named_with_its_place_and_what_there_is(renderer: Renderer):
    error = await refusal(renderer.text("Dear\n  {{ data.customer.emial }}", SCOPE))
    assert error.message == (
        "Line 2, column 6: data.customer.emial is not there; data.customer has: email, name"
    )
    assert error.hint == "Did you mean data.customer.email?"


async def test_a_missing_value_can_be_handled_by_the_expression(renderer: Renderer):
    template = '{{ $exists(customer.age) ? customer.age : "-" }} {{ customer.age ?? 0 }}'
    assert await renderer.text(template, SCOPE) == "- 0"


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        (
            "{{ data.zz.x }}",
            "Line 1, column 4: data.zz.x is not there; data has: ",
            "Where a value may be missing",
        ),
        ("{{ items.zz }}", "Line 1, column 4: items.zz is not there; items is a list of 2", "Where a value"),
        ("{{ items[price > 9] }}", "Line 1, column 4: items[price > 9] gives no value.", "Where a value"),
        (
            "{{ $json.name }}",
            "Line 1, column 4: $json.name gives no value.",
            "Expressions are JSONata: what n8n",
        ),
        ("{{ 1/0 }}", "Line 1, column 4: 1/0 did not work. It divides by zero.", ""),
        ("{{ a b }}", "Line 1, column 6: b is not expected here.", ""),
    ],
)
async def test_what_does_not_work_is_an_error_with_its_place(
    renderer: Renderer, template: str, message: str, hint: str
):
    for work in (
        renderer.text(template, SCOPE),
        renderer.value(template, SCOPE),
        renderer.json_body(template, SCOPE),
    ):
        error = await refusal(work)
        assert error.message.startswith(message)
        assert error.hint.startswith(hint)
        assert "index" not in error.context


async def test_the_one_that_fails_is_blamed(renderer: Renderer):
    error = await refusal(renderer.text("{{ 1 +\n 1 }} {{ 1/0 }} {{ 2/0 }}", SCOPE))
    assert error.message == "Line 2, column 10: 1/0 did not work. It divides by zero."
    assert error.context == {}


async def test_a_failing_expression_is_an_error(renderer: Renderer):
    assert (
        await refusal(renderer.expression("1/0", SCOPE))
    ).message == "1/0 did not work. It divides by zero."


async def test_mappings_build_new_data(renderer: Renderer, evaluator: WatchedEvaluator):
    mappings = [
        ("customer.name", "output.who.name"),
        ("$sum(items.price)", "total"),
        ("=5", "list[1]"),
        ("=plain text", "list[0]"),
        ("{{ items.price }}", "prices"),
        ("{{ customer.name }}: {{ $count(items) }}", "label"),
        ("nothing", "nothing"),
    ]
    assert await renderer.mappings(mappings, "replace", SCOPE) == {
        "who": {"name": "Ann"},
        "total": 7,
        "list": ["plain text", 5],
        "prices": [2, 5],
        "label": "Ann: 2",
        "nothing": None,
    }
    assert len(evaluator.asked) == 1


async def test_mappings_can_extend_the_data(renderer: Renderer):
    scope = Scope({"a": {"b": 1}, "c": 2})
    assert await renderer.mappings([("c", "a.d")], "extend", scope) == {"a": {"b": 1, "d": 2}, "c": 2}
    assert scope.data == {"a": {"b": 1}, "c": 2}
    assert await renderer.mappings([("=1", "a")], "extend", Scope()) == {"a": 1}
    assert await renderer.mappings([], "replace", scope) == {}


@pytest.mark.parametrize(
    ("mappings", "message"),
    [
        ([("=1", "a"), ("a b", "b")], "Mapping 2: Line 1, column 3: b is not expected here."),
        ([("=1", "a b")], "Mapping 1: Line 1, column 2: A name or an index such as [0] is expected here."),
        ([("=1", "a"), ("zz", "output.b[0]")], "Mapping 2 (to b[0]): zz is not there; there are: "),
        ([("<{{ zz }}>", "a")], "Mapping 1 (to a): Line 1, column 5: zz is not there; "),
        ([("1/0", "a")], "Mapping 1 (to a): 1/0 did not work. It divides by zero."),
        (
            [("=x", "a"), ("=1", "a.b")],
            "The mapping to a.b needs an object at a, but the mapping to a makes it text.",
        ),
    ],
)
async def test_an_error_in_a_mapping_names_the_mapping(
    renderer: Renderer, mappings: list[tuple[str, str]], message: str
):
    assert (await refusal(renderer.mappings(mappings, "replace", SCOPE))).message.startswith(message)


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("$sum(items.price) * vars.rate", {"items", "vars"}),
        ("customer.name & ' ' & run.id", {"customer", "run"}),
        ("$string(items)", {"items"}),
        ("$now()", set[str]()),
        ("5 % 2", set[str]()),
        ("items[0].* ", {"items"}),
        ("data.`customer`", {"data", "customer"}),
        ("$", None),
        ("$$.customer", None),
        ("*", None),
        ("(*).name", None),
        ("1 in *", None),
        ("**.price", None),
        ("data.%.run", None),
        ("$keys()", None),
        ("$string( )", None),
        ("data ~> $keys", None),
        ('$lookup("ru" & "n")', None),
        ("$each(function($v, $k){$k})", None),
        ('$eval("ru" & "n.id")', None),
        (r'"a"."\u0064"', None),
        ("function()<o-:o>{$x}()", None),
    ],
)
def test_only_what_an_expression_can_see_is_sent(source: str, keys: set[str] | None):
    document = SCOPE.document()
    assert set(needed(document, [source])) == (set(document) if keys is None else keys)


SOURCES = [
    "$sum(items.price) * vars.rate",
    "$string(customer)",
    "$string()",
    "$keys() ~> $count",
    "$exists(zz) ? 1 : run.id",
    "$merge([customer, {'id': run.id}])",
    "items[quantity > 1].(price * $$.vars.rate)",
    "items.%.customer.name",
    "$sift(function($v, $k){$length($k) = 3})",
    "$spread(customer)",
    "$not()",
    "$boolean()",
    "$lookup('run').id",
    "$each(function($v, $k){$k})",
    "$eval('ru' & 'n.id')",
    "*.name",
    "**.price",
    "$count(*)",
    "{'a': $}",
    "$map([1], function($x){$keys($$)})",
    "($f := $keys; $f())",
    "customer{'n': name}",
    "data.customer ~> |$|{'x': 1}|",
    "function($x)<o-:o>{$x}().run.id",
    "$clone().run.id",
    "items^(>price).price",
    "items@$i.$i.price",
    "'it is ' & $type($)",
    "$filter($keys(), function($k){$k = 'run'})",
]


@pytest.mark.parametrize("source", SOURCES)
async def test_what_is_not_sent_makes_no_difference(evaluator: WatchedEvaluator, source: str):
    document = SCOPE.document()

    async def outcome(over: JsonObject) -> object:
        try:
            return await evaluator.evaluate([source], over)
        except ExpressionError as error:
            return error.message

    assert await outcome(needed(document, [source])) == await outcome(document)
