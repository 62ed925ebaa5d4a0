"""The public face of the API: every route, and the description that programs read."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from tests.api.calls import ROOT

SNAPSHOT = Path(__file__).with_name("openapi.json")
REWRITE = "ORCHESTRATOR_TEST_REWRITE_SNAPSHOTS"
ROUTES = f"""
GET    /health/live
GET    /health/ready
GET    /api/docs
GET    /api/docs/errors
GET    {ROOT}
POST   {ROOT}
POST   {ROOT}/validate
POST   {ROOT}/import
GET    {ROOT}/{{id}}
PUT    {ROOT}/{{id}}
DELETE {ROOT}/{{id}}
GET    {ROOT}/{{id}}/export
POST   {ROOT}/{{id}}/run
GET    {ROOT}/{{id}}/runs
GET    {ROOT}/runs
GET    {ROOT}/runs/{{runId}}
GET    {ROOT}/runs/{{runId}}/events
POST   {ROOT}/runs/{{runId}}/cancel
POST   {ROOT}/runs/{{runId}}/rerun
POST   {ROOT}/runs/{{runId}}/retry
POST   {ROOT}/runs/bulk
POST   {ROOT}/runs/{{runId}}/nodes/{{nodeId}}/decide
POST   {ROOT}/runs/{{runId}}/nodes/{{nodeId}}/resume
GET    {ROOT}/queue
GET    {ROOT}/{{id}}/settings
PUT    {ROOT}/{{id}}/settings
POST   {ROOT}/{{id}}/signing-secret
DELETE {ROOT}/{{id}}/signing-secret
POST   {ROOT}/callback
POST   {ROOT}/callback/{{runId}}
GET    {ROOT}/providers
GET    {ROOT}/providers/{{provider}}/workflows
GET    {ROOT}/providers/{{provider}}/workflows/{{workflowId}}/preview
GET    {ROOT}/providers/{{provider}}/workflows/{{workflowId}}/changes
POST   {ROOT}/providers/{{provider}}/connect
POST   {ROOT}/providers/{{provider}}/test
GET    {ROOT}/connections
GET    {ROOT}/connections/{{id}}
PUT    {ROOT}/connections/{{id}}
DELETE {ROOT}/connections/{{id}}
GET    {ROOT}/connections/{{id}}/usage
POST   {ROOT}/connections/{{id}}/test
"""


@pytest.fixture
def description(settings: Settings) -> dict[str, Any]:
    return build_api(lambda: pytest.fail("not needed"), settings).openapi()


def operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_api_has_exactly_these_routes(settings: Settings):
    app = build_api(lambda: pytest.fail("not needed"), settings)
    found = {
        f"{method:<6} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert sorted(found) == sorted(ROUTES.strip().splitlines())


def test_the_description_changes_only_on_purpose(description: dict[str, Any]):
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get(REWRITE):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == text, (
        f"If this change is meant, write the new description: {REWRITE}=1 pytest {__file__}"
    )


def test_every_operation_says_what_it_does_and_how_it_refuses(description: dict[str, Any]):
    known_tags = {tag["name"] for tag in description["tags"]}
    for path, method, operation in operations(description):
        place = f"{method} {path}"
        assert operation["summary"], place
        assert operation["description"].endswith((".", "?")), place
        assert set(operation["tags"]) <= known_tags, place
        refusal = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
        assert refusal == {"$ref": "#/components/schemas/Problem"}, place
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")):
                assert "application/problem+json" in answer["content"], place


def test_names_are_in_camel_case_and_ids_are_unique(description: dict[str, Any]):
    for name, schema in description["components"]["schemas"].items():
        assert all("_" not in field for field in schema.get("properties", {})), name
    for path, _method, operation in operations(description):
        assert all("_" not in item["name"] for item in operation.get("parameters", [])), path
    ids = [operation["operationId"] for _path, _method, operation in operations(description)]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere(description: dict[str, Any]):
    text = json.dumps(description)
    references = {part.partition('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
    assert references <= set(description["components"]["schemas"])
    assert "HTTPValidationError" not in text


async def test_the_description_is_served(api: httpx.AsyncClient, description: dict[str, Any]):
    answer = await api.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == description
