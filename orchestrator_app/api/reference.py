"""The API's reference as a page for people: made from the OpenAPI description, loads nothing from anywhere."""

import json
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from orchestrator_app.api.error_codes import ERROR_CODES, ErrorCode
from orchestrator_app.api.problems import ERRORS_PATH

Schema = Mapping[str, Any]
Resolve = Callable[[Schema], Schema]

METHODS = ("get", "post", "put", "delete")
SEEN_IN = {"answer": "answers", "failure": "failures of nodes", "both": "answers and failures of nodes"}
# Everything is in the page itself; not even a script is allowed.
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#dcdfe6, #33363d); --soft: light-dark(#f5f6f9, #1d1f24);
  --text: light-dark(#1c2024, #edeef0); --quiet: light-dark(#60646c, #a0a5ae); --accent: light-dark(#3a5bc7, #9eb1ff); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; font: 15px/1.55 system-ui, sans-serif;
  color: var(--text); background: light-dark(#fff, #111113); }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
h3 { font-size: .95rem; margin: 1rem 0 .25rem; }
p { margin: .35rem 0; } a { color: var(--accent); } .quiet { color: var(--quiet); }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; overflow: auto; }
details { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; }
summary { padding: .5rem .8rem; cursor: pointer; overflow-wrap: anywhere; }
details > div { padding: 0 .8rem .8rem; border-top: 1px solid var(--line); }
.method { display: inline-block; min-width: 4.6rem; font-weight: 600; color: var(--accent); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
  border-bottom: 1px solid var(--line); } th { font-weight: 500; color: var(--quiet); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
"""

router = APIRouter(prefix="/api/docs", include_in_schema=False)


@router.get("")
async def operations_page(request: Request) -> HTMLResponse:
    """Every operation."""
    return _page("Orchestrator API", "".join(_operations(request.app.openapi())))


@router.get("/errors")
async def errors_page() -> HTMLResponse:
    """Every error code; the ``type`` of a problem leads here."""
    intro = (
        "<h1>Error codes</h1><p>Every refusal is a problem document (RFC 9457) whose <code>code</code> stands here. "
        'Back to the <a href="/api/docs">operations</a>.</p>'
    )
    return _page("Orchestrator error codes", intro + "".join(_error(*item) for item in ERROR_CODES.items()))


def _page(title: str, content: str) -> HTMLResponse:
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{content}</main></body></html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _CONTENT_POLICY})


def _error(code: str, known: ErrorCode) -> str:
    return (
        f'<h2 id="{code}">{escape(known.title)}</h2><p class="quiet"><code>{code}</code> · in {SEEN_IN[known.seen_in]}</p>'
        f"<p>{_with_code(known.meaning)}</p><p>{_with_code(known.remedy)}</p>"
    )


def _operations(description: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h1>{escape(description['info']['title'])}</h1>"
    yield f"<p>{_with_code(description['info']['description'])}</p>"
    yield (
        '<p>For programs: <a href="/api/openapi.json">openapi.json</a>. Refusals: '
        f'<a href="{ERRORS_PATH}">error codes</a>.</p>'
    )
    found = [
        (path, method, operations[method])
        for path, operations in description["paths"].items()
        for method in METHODS
        if method in operations
    ]
    for tag in description["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p class=quiet>{escape(tag['description'])}</p>"
        for path, method, operation in found:
            if tag["name"] in operation["tags"]:
                yield _operation(path, method, operation, description)


def _operation(path: str, method: str, operation: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    def resolve(schema: Schema) -> Schema:
        name = schema.get("$ref", "").rpartition("/")[2]
        return description["components"]["schemas"][name] if name else schema

    return (
        f'<details id="{operation["operationId"]}"><summary><span class="method">{method.upper()}</span> '
        f"<code>{escape(path)}</code> <span class=quiet>{escape(operation['summary'])}</span></summary><div>"
        f"{_paragraphs(operation['description'])}"
        f"{_parameters(operation.get('parameters', []))}{_body(operation, resolve)}{_answers(operation, resolve)}"
        "</div></details>"
    )


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = [
        (f"<code>{escape(item['name'])}</code>", item["in"], _with_code(item.get("description", "")))
        for item in parameters
    ]
    return _table("Parameters", ("Name", "In", "Meaning"), rows)


def _body(operation: Mapping[str, Any], resolve: Resolve) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return ""
    schema = resolve(content["schema"])
    fields = _fields(schema)
    table = _table("Body", ("Field", "", "Meaning"), fields) if fields else ""
    example = ""
    if "example" in content:
        shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
        example = f"<h3>Example</h3><pre>{escape(shown)}</pre>"
    return table + example


def _answers(operation: Mapping[str, Any], resolve: Resolve) -> str:
    rows: list[tuple[str, str, str]] = []
    for status, answer in operation["responses"].items():
        contents: list[Schema] = list(answer.get("content", {}).values())
        schema = resolve(contents[0]["schema"] if contents else {})
        names = ", ".join(f"<code>{escape(name)}</code>" for name in schema.get("properties", {}))
        is_problem = schema.get("title") == "Problem"
        rows.append((status, _with_code(answer["description"]), "a problem" if is_problem else names))
    return _table("Answers", ("Status", "Meaning", "Fields"), rows)


def _fields(schema: Schema) -> list[tuple[str, str, str]]:
    required = schema.get("required", [])
    return [
        (
            f"<code>{escape(name)}</code>",
            "required" if name in required else "",
            _with_code(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<h3>{title}</h3><div class="table"><table><tr>{head}</tr>{body}</table></div>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_with_code(part)}</p>" for part in text.split("\n\n"))


def _with_code(text: str) -> str:
    """Escaped text, in which what stands in backquotes is set as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
