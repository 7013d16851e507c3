"""What people read first: the landing page, and the documentation page printed from the specifications."""

import json
import time

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from markupsafe import Markup, escape

from gateway import spec
from gateway.asking import declare, parts, somebody
from gateway.health import readiness
from shared.contracts import CONTRACTS
from shared.contracts.permissions import ROLES
from shared.rules import codes

bp = Blueprint("docs", __name__)

EXAMPLE_IDS = {"id": "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091", "digest": "0a" * 32}
# A form that people know by name is shown by its name.
FORMS = {
    codes.ID.pattern: "UUID",
    codes.DIGEST.pattern: "SHA-256, 64 × 0-9 a-f",
    codes.DIVISION.pattern: "12 位区划代码 / 12 digits",
    codes.DISTRICT.pattern: "6 位 GB/T 2260 / 6 digits",
    codes.DEPARTMENT.pattern: "部门代码, water",
    r"\S": "不能全是空白 / not blank",
}
ROLE_NAMES = {
    "resident": "居民",
    "secretary": "社区书记",
    "street": "街道",
    "specialist": "部门专员",
    "district": "区级",
    "observer": "观察",
    "operator": "运维",
    "plugin": "部门系统",
}
METHODS = ("get", "post", "put", "patch", "delete")


def print_specifications(app: Flask) -> None:
    """Print both specifications and the documentation page once, when the application is made."""
    documents = spec.documents(app)
    app.extensions["huying.documents"] = {name: spec.written(each) for name, each in documents.items()}
    with app.test_request_context("/docs"):
        app.extensions["huying.docs"] = render_template("docs.html", **chapters(*documents.values()))


def served(name: str) -> Response:
    """Serve one specification, with an entity tag."""
    response = Response(current_app.extensions["huying.documents"][name], mimetype="application/json")
    return cached(response)


def cached(response: Response) -> Response:
    """Let a public page be kept for a minute and asked for by its tag."""
    response.add_etag()
    response.headers["Cache-Control"] = "public, max-age=60"
    return response.make_conditional(request)


def openapi() -> Response:
    """Give the HTTP API as OpenAPI 3.1."""
    return served("openapi.json")


def asyncapi() -> Response:
    """Give the bus as AsyncAPI 3.0."""
    return served("asyncapi.json")


def docs() -> Response:
    """Show every operation and every fact on one page."""
    return cached(Response(current_app.extensions["huying.docs"], mimetype="text/html"))


def landing() -> Response:
    """Say what this is, how it is just now, and how to begin; whoever is signed in is at home."""
    if somebody():
        return redirect("/home", 303)
    heard, now = parts().streams.last_heard, time.time()
    demo = current_app.config.get("DEMO_ACCOUNTS", []) if current_app.config.get("MODE") == "demo" else []
    page = render_template(
        "landing.html",
        ready=readiness(),
        services=[
            (page.service, page.doc, int(now - heard[page.service]) if page.service in heard else None)
            for page in CONTRACTS.values()
            if page.facts
        ],
        accounts=[each for each in demo if "what" in each],
        address=request.host_url.rstrip("/"),
    )
    return Response(page, mimetype="text/html", headers={"Cache-Control": "no-store"})


for rule, view in (("/", landing), ("/docs", docs), ("/openapi.json", openapi), ("/asyncapi.json", asyncapi)):
    bp.add_url_rule(rule, view.__name__, declare(view, public=True))
declare(landing, public=True, page=True)


# -- from the documents to the page -----------------------------------------------------------------------------------


def halves(text: str) -> tuple[str, str]:
    """Split ``中文 / English``."""
    chinese, _, english = text.partition(" / ")
    return chinese, english


def chapters(openapi: dict, asyncapi: dict) -> dict:
    """Arrange both documents as the page shows them."""
    schemas = openapi["components"]["schemas"]
    groups: dict[str, list[dict]] = {}
    for path, operations in openapi["paths"].items():
        for method in METHODS:
            if method in operations:
                groups.setdefault(operations[method]["tags"][0], []).append(
                    entry(path, method, operations[method], openapi)
                )
    facts = [
        {
            "name": message["name"],
            "title": halves(message["summary"]),
            "address": asyncapi["channels"][name]["address"],
            "fields": rows(message["payload"]["allOf"][1]["properties"]["data"], asyncapi["components"]["schemas"]),
        }
        for name, message in asyncapi["components"]["messages"].items()
        if "allOf" in message["payload"]
    ]
    names = {tag["name"]: halves(tag["description"].replace(": ", " / ", 1)) for tag in openapi["tags"]}
    return {
        "info": openapi["info"],
        "groups": [(name, names[name], groups[name]) for name in names if name in groups],
        "facts": facts,
        "problems": [
            (int(name.removeprefix("Problem")), halves(each["description"]))
            for name, each in sorted(openapi["components"]["responses"].items())
        ],
        "schemas": {name: rows(schema, schemas) for name, schema in schemas.items()},
        "roles": {role: sorted(permissions) for role, permissions in ROLES.items()},
        "role_names": ROLE_NAMES,
        "tongues": tongues,
        "code": code,
    }


def entry(path: str, method: str, operation: dict, openapi: dict) -> dict:
    """Arrange one operation."""
    schemas = openapi["components"]["schemas"]
    body = operation.get("requestBody", {}).get("content", {})
    kind, content = next(iter(body.items()), ("", {}))
    responses = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = openapi["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        shape = next(iter(response.get("content", {}).values()), {}).get("schema", {})
        responses.append((int(status), halves(response["description"]), link_of(shape)))
    chinese, english = halves(operation["summary"])
    description = "\n".join(line for line in operation["description"].split("\n") if line != operation["summary"])
    return {
        "anchor": operation["operationId"].replace(".", "-"),
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "chinese": chinese,
        "english": english,
        "description": [each for each in description.rpartition("权限 / Permission")[0].split("\n\n") if each.strip()],
        "permission": operation["x-permission"],
        "roles": operation["x-roles"],
        "parameters": [
            (
                each["name"],
                each["in"],
                each.get("required", False),
                *shape_of(each["schema"], schemas),
                each.get("description", ""),
            )
            for each in operation.get("parameters", [])
        ],
        "body_kinds": list(body),
        "body": rows(content.get("schema", {}), schemas) if kind == "application/json" else [],
        "responses": responses,
        "curl": curl(path, method, operation, content.get("example")),
    }


def shape_of(schema: dict, schemas: dict) -> tuple[str, list[str]]:
    """Say a schema's type and its limits in few words."""
    if "anyOf" in schema:
        kinds = [shape_of(each, schemas)[0] for each in schema["anyOf"]]
        return " | ".join(kinds), []
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1], []
    kind = schema.get("type", "any")
    kind = " | ".join(kind) if isinstance(kind, list) else kind
    if "items" in schema:
        inner, limits = shape_of(schema["items"], schemas)
        kind = kind.replace("array", f"[{inner}]")
    else:
        limits = []
    if "format" in schema:
        kind = kind.replace("string", schema["format"]).replace("number", schema["format"])
    if "minimum" in schema or "maximum" in schema:
        limits.append(f"{schema.get('minimum', '')} … {schema.get('maximum', '')}")
    for least, most, unit in (("minLength", "maxLength", "字"), ("minItems", "maxItems", "项")):
        if least in schema or most in schema:
            span = f"{schema[least]}–{schema.get(most, '∞')}" if least in schema else f"≤ {schema[most]}"
            limits.append(f"{span} {unit}")
    if "pattern" in schema:
        limits.append(FORMS.get(schema["pattern"], schema["pattern"]))
    if "enum" in schema:
        limits.append(" · ".join(str(each) for each in schema["enum"] if each is not None))
    if schema.get("default") not in (None, [], ""):
        limits.append(f"默认 / default {schema['default']}")
    return kind, limits


def rows(schema: dict, schemas: dict) -> list[tuple]:
    """Give the fields of an object: name, whether it must be there, type, limits, what it is for."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    required = schema.get("required", [])
    return [
        (name, name in required, *shape_of(each, schemas), each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]


def link_of(schema: dict) -> str:
    """Give the name of the schema that a response has, if it has one."""
    return schema["$ref"].rsplit("/", 1)[1] if "$ref" in schema else ""


def curl(path: str, method: str, operation: dict, example: dict | None) -> str:
    """Write the command that tries one operation."""
    query = []
    for each in operation.get("parameters", []):
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", EXAMPLE_IDS.get(each["name"], "…"))
        elif each["in"] == "query" and each.get("required"):
            choices = each["schema"].get("enum") or [{"date": "2026-11-24"}.get(each["schema"].get("format"), "…")]
            query.append(f"{each['name']}={choices[0]}")
    lines = [f'curl -X {method.upper()} "$HUYING{path}{"?" + "&".join(query) if query else ""}"']
    if method == "get":
        lines = [lines[0].replace("curl -X GET", "curl -N" if "stream" in operation["tags"] else "curl")]
    if operation.get("security") != []:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d '{json.dumps(example or {}, ensure_ascii=False)}'")
    elif "multipart/form-data" in content:
        lines.append("-F photo=@photo.jpg")
    return " \\\n  ".join(lines)


def code(text: str) -> Markup:
    """Show `words` between backticks as code."""
    parts = str(escape(text)).split("`")
    return Markup("".join(f"<code>{each}</code>" if index % 2 else each for index, each in enumerate(parts)))


def tongues(text: str) -> tuple[str, str]:
    """Split ``中文 / English`` for the page; a text in one language alone stands in its own."""
    chinese, english = halves(text)
    has_chinese = any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
    return (chinese, english) if has_chinese else ("", text)
