"""Fills in templates and mappings: finds the values of their expressions in a node's scope."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator_app.domain.expressions import (
    MISSING,
    UNCLEAR,
    Expression,
    Missing,
    explain_missing,
    lookup,
    parse_expression,
)
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.mapping import (
    Literal,
    Source,
    Target,
    apply_mappings,
    parse_source,
    parse_target,
)
from orchestrator_app.domain.placeholders import Placeholder
from orchestrator_app.domain.scope import Scope
from orchestrator_app.domain.templates import Template, parse_body, parse_template
from orchestrator_app.errors import ExpressionError
from orchestrator_app.runner.evaluator import Evaluator

_OTHER_VALUE_HINT = 'Where a value may be missing, say what to take instead: $exists(x) ? x : "-".'
_N8N_NAMES = re.compile(r"\$(?:json|node|input|execution|workflow)\b")
_N8N_HINT = (
    'Expressions are JSONata: what n8n calls $json is data here, and $node["A"].json is nodes.A.output.'
)


class Renderer:
    """Renders templates, request bodies, expressions and mappings.

    Plain paths are looked up directly; all other expressions of a template go to the evaluator in one batch. A missing
    value is an error that names the path and the place. Values are taken over, not copied.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    async def text(self, template: str, scope: Scope) -> str:
        """The template as text.

        Raises:
            ExpressionError: The template is wrong, or an expression fails or gives no value.
        """
        parsed = parse_template(template)
        return parsed.render_text(await self._values(_asked(parsed.placeholders), scope))

    async def value(self, template: str, scope: Scope) -> JsonValue:
        """The value of a template that is one single placeholder, with its type; of any other its text.

        Raises:
            ExpressionError: As in ``text``.
        """
        parsed = parse_template(template)
        return parsed.render_value(await self._values(_asked(parsed.placeholders), scope))

    async def json_body(self, template: str, scope: Scope) -> JsonValue:
        """The JSON of a body template.

        Raises:
            ExpressionError: As in ``text``, or the template is no JSON.
        """
        parsed = parse_body(template)
        return parsed.render_json(await self._values(_asked(parsed.placeholders), scope))

    async def expression(self, source: str, scope: Scope) -> JsonValue | Missing:
        """The value of one expression, or ``MISSING`` if it finds none.

        Raises:
            ExpressionError: It is wrong or fails.
        """
        found = await self._found([_Asked(parse_expression(source), "")], scope.document())
        return found[0]

    async def mappings(self, mappings: Sequence[tuple[str, str]], mode: str, scope: Scope) -> JsonValue:
        """New data from pairs of ``from`` and ``to``.

        Args:
            mappings: Where each value comes from, and where it is put.
            mode: ``replace`` for the mapped values alone, ``extend`` to add them to the scope's data.
            scope: What the expressions see.

        Raises:
            ExpressionError: A mapping is wrong, its expression fails or gives no value, or targets collide.
        """
        plan: list[tuple[Source, Target]] = []
        asked: list[_Asked] = []
        for number, (source_text, target_text) in enumerate(mappings, 1):
            try:
                source, target = parse_source(source_text), parse_target(target_text)
            except ExpressionError as error:
                raise _placed(error, f"Mapping {number}: ") from error
            plan.append((source, target))
            if isinstance(source, Expression):
                asked.append(_Asked(source, f"Mapping {number} (to {target}): "))
            elif isinstance(source, Template):
                asked.extend(_asked(source.placeholders, f"Mapping {number} (to {target}): "))
        values = iter(await self._values(asked, scope))
        placed: list[tuple[Target, JsonValue]] = []
        for source, target in plan:
            if isinstance(source, Literal):
                value = source.value
            elif isinstance(source, Template):
                value = source.render_value([next(values) for _ in source.placeholders])
            else:
                value = next(values)
            placed.append((target, value))
        return apply_mappings(scope.data if mode == "extend" else {}, placed)

    async def _values(self, asked: Sequence["_Asked"], scope: Scope) -> list[JsonValue]:
        """The values, all of which must be there."""
        if not asked:
            return []
        document = scope.document()
        values: list[JsonValue] = []
        for one, value in zip(asked, await self._found(asked, document), strict=True):
            if value is MISSING:
                raise _missing(one, document)
            values.append(value)
        return values

    async def _found(self, asked: Sequence["_Asked"], document: JsonObject) -> list[JsonValue | Missing]:
        looked_up = [UNCLEAR if one.path is None else lookup(one.path, document) for one in asked]
        unclear = [one for one, value in zip(asked, looked_up, strict=True) if value is UNCLEAR]
        sources = list(dict.fromkeys(one.expression.source for one in unclear))
        try:
            evaluated = await self._evaluator.evaluate(sources, needed(document, sources))
        except ExpressionError as error:
            failed = sources[int(error.context.pop("index"))]
            raise _placed(
                error, next(one.place for one in unclear if one.expression.source == failed)
            ) from error
        answers = dict(zip(sources, evaluated, strict=True))
        return [
            answers[one.expression.source] if value is UNCLEAR else value
            for one, value in zip(asked, looked_up, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An expression whose value is wanted, and the place with which an error about it begins."""

    expression: Expression
    place: str

    @property
    def path(self) -> tuple[str | int, ...] | None:
        return self.expression.path


def _asked(placeholders: Iterable[Placeholder], prefix: str = "") -> list[_Asked]:
    return [_Asked(placeholder.expression, f"{prefix}{placeholder.place}: ") for placeholder in placeholders]


def _placed(error: ExpressionError, place: str) -> ExpressionError:
    return ExpressionError(place + error.message, hint=error.hint, context=error.context)


def _missing(asked: _Asked, document: JsonObject) -> ExpressionError:
    if asked.path is None:
        sentence = f"{asked.expression.source:.80} gives no value."
        hint = _N8N_HINT if _N8N_NAMES.search(asked.expression.source) else _OTHER_VALUE_HINT
    else:
        sentence, hint = explain_missing(asked.path, document)
    return ExpressionError(f"{asked.place}{sentence}", hint=hint or _OTHER_VALUE_HINT)


_SEES_EVERYTHING = re.compile(
    r"""
    \\                                                          # an escape may spell any name
    | \$(?!\w) | \$(?:eval|lookup|sift|each)\b                  # the document itself, or names that are worked out
    | \$(?:string|keys|spread|clone|boolean|not)\b(?!\s*\(\s*[^\s)])      # without argument: of the document
    | (?:function|λ)\s*\([^)]*\)\s*<                            # a signature may ask for the same
    | (?:^|[^\w)\]}"'`.\s]|\b(?:and|or|in)\b)\s*\*              # a wildcard that does not stand behind a name
    | (?:^|[^\w)\]}"'`\s]|\b(?:and|or|in)\b)\s*%                # the parent, which may be the document
    """,
    re.VERBOSE,
)


def needed(document: JsonObject, sources: Sequence[str]) -> JsonObject:
    """The part of a document that these expressions can see: what they name, unless they may look at all of it."""
    if any(_SEES_EVERYTHING.search(source) for source in sources):
        return document
    return {key: value for key, value in document.items() if any(key in source for source in sources)}
