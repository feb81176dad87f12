"""The description of the interface for programs: OpenAPI 3.1, made from the same lists as the answers."""

from functools import cache
from typing import Any

from app.api.free_hours import BODY
from app.api.resources import FREE_HOURS, ID, RESOURCES, WEEK, Field, Resource, Schema
from app.api.rules import CURSOR, KEY, MOST_LIMIT, USUAL_LIMIT

ABOUT = """What a firm's own programs may read and write here, with a key that its manager makes on the page *Programme*
and sends along as `Authorization: Bearer …`. Everything is the firm's own: no other firm's free hours, rates or people.

Work is whole minutes, money whole cents (EUR), weeks are ISO 8601 (`2026-W48`), times UTC. Lists are in the order of
their making; `next_cursor` of one answer is `cursor` of the next request, null at the end. Errors are problem details
(RFC 9457). Nothing that needs a signature can be done here.

**News.** The manager may name one https address. It gets a POST for each happening, with ids and a link and nothing else;
`id` is the same in every try. Requests are signed as RFC 9421 has it (Ed25519, tag `werkring-webhook`) over `@method`,
`@target-uri`, `content-digest`, `werkring-from` and `werkring-to`, with `created`, `expires` and the delivery id as
`nonce`. Check the digest of the body, then the signature with the key of `/api/v1/webhook-key`, then that `expires` has
not passed and `nonce` is new. Any 2xx says it arrived; anything else is tried again for two days.
"""
PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people, in their language"},
        "reference": {"type": "string", "description": "Names the line in the log of the node"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["line", "detail"],
                "properties": {"line": {"type": "integer", "minimum": 0}, "detail": {"type": "string"}},
            },
        },
    },
}
INVOICE_FILES = {"xml": "application/xml", "pdf": "application/pdf"}
"""By the end of the address: ZUGFeRD's XML, and the PDF/A-3 that carries it"""
WEBHOOK_KEY: Schema = {
    "type": "object",
    "required": ["kid", "kty", "crv", "x"],
    "properties": {
        "kid": {"type": "string"},
        "kty": {"const": "OKP"},
        "crv": {"const": "Ed25519"},
        "x": {"type": "string"},
    },
}
EVENT: Schema = {
    "type": "object",
    "required": ["id", "event", "at", "object", "object_id", "link"],
    "properties": {
        "id": ID | {"description": "Of the delivery, the same in every try"},
        "event": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "object": {"type": "string"},
        "object_id": {"type": "string"},
        "link": {"type": "string", "format": "uri"},
    },
}


@cache
def openapi(server: str, events: tuple[str, ...]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for resource in RESOURCES:
        paths[f"/api/v1/{resource.name}"] = {"get": _listing(resource)}
        paths[f"/api/v1/{resource.name}/{{id}}"] = {"get": _reading(resource)}
    paths[f"/api/v1/{FREE_HOURS.name}"]["put"] = _writing()
    for ending in INVOICE_FILES:
        paths[f"/api/v1/invoices/{{id}}/{ending}"] = {"get": _invoice_file(ending)}
    paths["/api/v1/webhook-key"] = {
        "get": _operation("webhook_key", "The public key of the firm's webhook", "", _ref("WebhookKey"), tag="webhook")
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Werkring", "version": "1", "description": ABOUT},
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "paths": paths,
        "webhooks": {event: {"post": _news(event)} for event in events},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {resource.schema_name: _schema_of(resource) for resource in RESOURCES}
            | {"Problem": PROBLEM, "WebhookKey": WEBHOOK_KEY, "Event": EVENT, "FreeHoursLines": BODY},
            "responses": {
                "Problem": {
                    "description": "Why not",
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
        },
    }


def _listing(resource: Resource) -> dict[str, Any]:
    page: Schema = {
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": _ref(resource.schema_name)},
            "next_cursor": {"type": ["string", "null"]},
        },
    }
    parameters = [
        _in_query("cursor", {"type": "string", "pattern": f"^{CURSOR.pattern}$"}),
        _in_query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": USUAL_LIMIT}),
    ]
    if resource.week is not None:
        parameters += [_in_query(name, WEEK) for name in ("from_week", "to_week")]
    operation = _operation(f"list_{_id(resource)}", f"All {resource.name}", resource.scope, page, tag=resource.name)
    return operation | {"parameters": parameters}


def _reading(resource: Resource) -> dict[str, Any]:
    operation = _operation(
        f"read_{_id(resource)}", f"One {resource.title}", resource.scope, _ref(resource.schema_name), tag=resource.name
    )
    return operation | {"parameters": [{"name": "id", "in": "path", "required": True, "schema": ID}]}


def _invoice_file(ending: str) -> dict[str, Any]:
    about = f"The {ending.upper()} of an issued invoice (EN 16931)"
    operation = _operation(f"read_invoice_{ending}", about, "invoices:read", {}, tag="invoices")
    operation["responses"]["200"]["content"] = {INVOICE_FILES[ending]: {}}
    return operation | {"parameters": [{"name": "id", "in": "path", "required": True, "schema": ID}]}


def _writing() -> dict[str, Any]:
    answer: Schema = {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": _ref(FREE_HOURS.schema_name)}},
    }
    about = "Set the free hours of machines and weeks, all or none; the same lines again change nothing"
    operation = _operation("write_free_hours", about, "free-hours:write", answer, tag=FREE_HOURS.name)
    key = {"type": "string", "pattern": f"^{KEY.pattern}$", "description": "The same key gets the same answer"}
    return operation | {
        "parameters": [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": key}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("FreeHoursLines")}}},
    }


def _operation(name: str, about: str, scope: str, schema: Schema, tag: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": about,
        "description": f"Scope `{scope}`." if scope else "Any access.",
        "tags": [tag],
        "responses": {
            "200": {"description": about, "content": {"application/json": {"schema": schema}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _news(event: str) -> dict[str, Any]:
    return {
        "operationId": f"on_{event.replace('.', '_')}",
        "summary": event,
        "security": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Event")}}},
        "responses": {"2XX": {"description": "It arrived"}},
    }


def _schema_of(resource: Resource) -> Schema:
    properties = _properties(resource.fields)
    if resource.lines is not None:
        lines = _object(_properties(resource.lines.fields))
        properties[resource.lines.name] = {"type": "array", "items": lines}
    return _object(properties)


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _properties(fields: tuple[Field, ...]) -> dict[str, Schema]:
    return {one.name: one.schema for one in fields}


def _in_query(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _id(resource: Resource) -> str:
    return resource.name.replace("-", "_")
