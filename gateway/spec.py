"""The published specifications: OpenAPI 3.1 from the rows, AsyncAPI 3.0 from the contracts.

``python -m gateway.spec write`` renews the committed copies in docs/; a test holds them equal to what is served.
"""

import json
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema

from gateway.problems import TITLES
from gateway.table import READING, Row
from shared.contract import Call, Fact
from shared.contracts import CONTRACTS
from shared.contracts.permissions import ROLES
from shared.contracts.plugins import CALLS, FACTS
from shared.errors import KINDS

VERSION = "0.1.0"
FOLDER = Path(__file__).parent.parent / "docs"
LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
SAID = TITLES | {kind.status: kind.title for kind in KINDS.values()}
PAGE = "{name}Page"


def roles_with(permission: str | None) -> list[str]:
    """Give the roles that carry a permission."""
    return sorted(role for role, carried in ROLES.items() if permission in carried)


def schema_name(schema: type[Schema] | Schema) -> str:
    """Name a schema as its class is named: one word per idea, whichever fields stand in the path."""
    return (schema if isinstance(schema, type) else type(schema)).__name__


class Printer:
    """Collects the schemas of one document, each under its own name."""

    def __init__(self):
        self.plugin = MarshmallowPlugin(schema_name_resolver=schema_name)
        self.spec = APISpec("", "", "3.1.0", plugins=[self.plugin])
        self.classes: dict[str, type[Schema]] = {}

    def ref(self, schema: Schema) -> dict:
        """Give a reference to a schema, which is kept among the components."""
        name = schema_name(schema)
        # Published names are for ever, so two contracts may not use one name for two things.
        if self.classes.setdefault(name, type(schema)) is not type(schema):
            raise ValueError(f"two contracts call something {name}: please rename one")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return self.plugin.resolver.resolve_schema_dict(schema)

    def page(self, schema: Schema) -> dict:
        """Give a reference to a page ``{items, next}`` of things."""
        name = PAGE.format(name=schema_name(schema))
        if name not in self.spec.components.schemas:
            items = {"type": "array", "items": self.ref(schema)}
            following = {
                "type": ["string", "null"],
                "description": "下一页的 after,没有则为 null / the `after` of the next page, null when there is none",
            }
            self.spec.components.schema(
                name,
                {"type": "object", "required": ["items"], "properties": {"items": items, "next": following}},
            )
        return {"$ref": f"#/components/schemas/{name}"}

    def answer(self, call: Call) -> dict | None:
        """Give a reference to what a call answers with."""
        if call.gives is None:
            return None
        return self.page(call.gives) if call.many else self.ref(call.gives)

    def schemas(self) -> dict[str, dict]:
        """Give all schemas, put right where apispec is not quite JSON Schema 2020-12."""
        found = json.loads(json.dumps(self.spec.components.schemas))
        for name, schema in found.items():
            told = self.classes.get(name)
            if told and told.__doc__ and told.__doc__ != Schema.__doc__ and "description" not in schema:
                schema["description"] = " ".join(told.__doc__.split())
            mend(schema)
        return dict(sorted(found.items()))


def mend(schema: Any) -> None:
    """Let an enum that may be null say so, and write patterns as JSON Schema's dialect does."""
    if isinstance(schema, list):
        for each in schema:
            mend(each)
    if isinstance(schema, dict):
        if "enum" in schema and "null" in schema.get("type", ()) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        if schema.get("format") == "date-time" and "example" not in schema and "null" not in schema.get("type", ()):
            schema["examples"] = ["2026-11-24T02:20:13.000Z"]
        for each in list(schema.values()):
            mend(each)


# -- OpenAPI ----------------------------------------------------------------------------------------------------------


def operations(app: Flask) -> Iterator[tuple[str, str, str, Any]]:
    """Give every operation that is published, in the order of the tables: path, method, endpoint, view."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if hasattr(view, "row") or getattr(view, "spec", None):
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield rule.rule, method, rule.endpoint, view


def problem_response(status: int) -> dict:
    """Give the response that tells one kind of problem."""
    response: dict[str, Any] = {
        "description": SAID[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "秒 / seconds"}}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}}
    return response


def problems_of(row: Row) -> list[int]:
    """Say with which statuses an operation can refuse."""
    writes = row.method not in READING
    with_body = writes and row.method != "DELETE"
    found = {422, 429, 503, *row.refuses}
    found |= set() if row.is_public else {401, 403}
    found |= {404} if row.in_path else set()
    found |= {400, 413, 415} if with_body else set()
    found |= {409} if with_body and not row.is_public else set()
    found |= {412} if writes and "version" in row.call.takes.fields else set()
    return sorted(found)


def describe(row: Row) -> str:
    """Say what an operation does and who may."""
    lines = [row.call.doc, ""]
    told = row.call.takes.__doc__ or ""
    if type(row.call.takes).__doc__:
        lines += [" ".join(told.split()), ""]
    lines.append(who_may(row.call.needs))
    return "\n".join(lines).strip()


def who_may(permission: str | None) -> str:
    """Say which permission an operation asks for, and which roles carry it."""
    if permission is None:
        return "不需登录 / Open to everybody."
    return f"权限 / Permission: `{permission}` ({', '.join(roles_with(permission))})"


def header_of(name: str, says: str, example: str) -> dict:
    """Give a request header as a parameter."""
    return {"in": "header", "name": name, "schema": {"type": "string"}, "description": says, "example": example}


def query_parameters(row: Row, printer: Printer) -> list[dict]:
    """Give the query of a GET, or the path of anything, as parameters."""
    found = []
    fields = row.call.takes.fields
    for name in row.in_path:
        schema = printer.plugin.converter.field2property(fields[name])
        found.append({"in": "path", "name": name, "required": True, **lifted(schema)})
    if row.method in READING:
        for name, kind in fields.items():
            if name not in row.in_path:
                schema = printer.plugin.converter.field2property(kind)
                # A query cannot say null: leaving the parameter out says it.
                if isinstance(schema.get("type"), list):
                    schema["type"] = next(each for each in schema["type"] if each != "null")
                if schema.get("default", 0) is None:
                    schema.pop("default")
                found.append({"in": "query", "name": name, "required": kind.required, **lifted(schema)})
        found.append(header_of("If-None-Match", "已有的版本,未变则 304 / what one has; 304 if unchanged", '"3"'))
    elif "version" in fields:
        found.append(header_of("If-Match", "只在此版本上办理 / act upon this version only", '"3"'))
    return found


def lifted(schema: dict) -> dict:
    """Give a parameter's schema with its description beside it."""
    schema = json.loads(json.dumps(schema))
    description = schema.pop("description", None)
    mend(schema)
    return {"schema": schema} | ({"description": description} if description else {})


def operation_of(row: Row, printer: Printer) -> dict:
    """Print one row."""
    call = row.call
    found: dict[str, Any] = {
        "operationId": f"{call.service}.{call.name}",
        "tags": [call.service],
        "summary": call.doc,
        "description": describe(row),
        "x-permission": call.needs,
        "x-roles": roles_with(call.needs),
        "parameters": query_parameters(row, printer),
    }
    if row.is_public:
        found["security"] = []
    if row.method not in READING and row.method != "DELETE" and row.schema().fields:
        content: dict[str, Any] = {"schema": printer.ref(row.schema())}
        if row.example:
            content["example"] = row.example
        required = any(kind.required for kind in row.schema().fields.values())
        found["requestBody"] = {"required": required, "content": {"application/json": content}}
    done: dict[str, Any] = {"description": "完成 / Done"}
    answer = printer.answer(call)
    if answer and row.status != 204:
        done["content"] = {"application/json": {"schema": answer}}
        if row.method in READING or "version" in call.gives.fields and not call.many:
            done["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "版本 / entity tag"}}
    if row.see:
        link = {"schema": {"type": "string"}, "description": f"相关 / what goes with it: {row.see}"}
        done["headers"] = done.get("headers", {}) | {"Link": link}
    responses = {str(row.status): done}
    if row.method in READING:
        responses["304"] = {"description": "没有变化 / Not changed"}
    responses |= {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in problems_of(row)}
    return found | {"responses": responses}


def operation_by_hand(view, endpoint: str) -> dict:
    """Complete the fragment that a view which is not a row declares about itself."""
    found = json.loads(json.dumps(view.spec))
    blueprint, _, name = endpoint.partition(".")
    found.setdefault("operationId", f"{blueprint}.{name}")
    found.setdefault("tags", [blueprint])
    found["description"] = f"{found.get('description', '')}\n\n{who_may(view.needs)}".strip()
    found |= {"x-permission": view.needs, "x-roles": roles_with(view.needs)}
    if view.public:
        found["security"] = []
    responses = found["responses"]
    for status in ("429", "503") if view.public else ("401", "403", "429", "503"):
        responses.setdefault(status, {})
    for status in [status for status in responses if int(status) >= 400]:
        own = responses[status].get("description")
        responses[status] = {"$ref": f"#/components/responses/Problem{status}"}
        if own:
            responses[status] = problem_response(int(status)) | {"description": own}
    found["responses"] = dict(sorted(responses.items()))
    return found


PROBLEM = {
    "type": "object",
    "description": "RFC 9457. 说中文或英文,由 Accept-Language 决定 / in Chinese or English, by Accept-Language",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "fields": {"type": "object", "description": "逐项说明 / what is wrong with each field"},
        "trace": {"type": "string", "description": "报障时请提供 / say this when you report a fault"},
    },
    "examples": [
        {
            "type": "/docs#problem-409",
            "title": "情况已变",
            "status": 409,
            "detail": "本部门已经报到",
            "instance": "/v1/whistles/9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091/reports",
            "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        }
    ],
}


def openapi(app: Flask) -> dict:
    """Print the HTTP API."""
    printer, paths = Printer(), {}
    by_hand: set[str] = set()
    for path, method, endpoint, view in operations(app):
        if hasattr(view, "row"):
            operation = operation_of(view.row, printer)
        else:
            operation = operation_by_hand(view, endpoint)
            by_hand |= set(re.findall(r"#/components/schemas/(\w+)", json.dumps(operation)))
        if any(each["in"] in ("path", "query") for each in operation.get("parameters", ())):
            # Whoever may fill in a part of the address can make it too long.
            too_long = {"414": {"$ref": "#/components/responses/Problem414"}}
            operation["responses"] = dict(sorted((operation["responses"] | too_long).items()))
        paths.setdefault(re.sub(r"<(\w+)>", r"{\1}", path), {})[method.lower()] = operation
    # A view that is not a row names the contract's schemas; they are printed here if no row has.
    views = {schema_name(call.gives): call.gives for call in every_call() if call.gives}
    for name in sorted(by_hand & set(views)):
        printer.ref(views[name])
    said = sorted({int(each) for text in re.findall(r"Problem(\d{3})", json.dumps(paths)) for each in [text]})
    tags = {page.service: page.doc for page in CONTRACTS.values()}
    tags |= {"photos": "照片: photos, by their digest", "stream": "事件流: facts, as they are told"}
    tags |= {"tables": "表格: tables of rows in and out, CSV and xlsx"}
    used = {tag for operations in paths.values() for operation in operations.values() for tag in operation["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "呼应 Huying",
            "version": VERSION,
            "summary": "吹哨报到协同平台 / Blow the whistle, and departments report in",
            "description": (
                "街道社区吹哨、部门报到、社区销哨。"
                "所有请求用 `POST /v1/sessions` 得到的令牌，放在 `Authorization: Bearer` 里；"
                "编号由客户端产生（UUID），同一编号重发不会变成两件。\n\n"
                "A community blows the whistle, departments report in, the community settles. Every request carries "
                "the token of `POST /v1/sessions` as `Authorization: Bearer`. The client names what it makes (a UUID): "
                "sent twice, it is found again and never becomes a twin."
            ),
            "license": LICENSE,
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name, "description": says} for name, says in tags.items() if name in used],
        "paths": paths,
        "components": {
            "schemas": printer.schemas() | {"Problem": PROBLEM},
            "responses": {f"Problem{status}": problem_response(status) for status in said},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "EdDSA, 短期有效 / signed, short-lived",
                }
            },
        },
    }


# -- AsyncAPI ---------------------------------------------------------------------------------------------------------


def every_call() -> Iterator[Call]:
    """Give every call of every contract."""
    for page in CONTRACTS.values():
        yield from page.calls


def every_fact() -> Iterator[Fact]:
    """Give every fact of every contract."""
    for page in CONTRACTS.values():
        yield from page.facts


ENVELOPE = {
    "type": "object",
    "description": "CloudEvents 1.0, structured JSON. 编号相同即同一事件 / the same id is the same fact, told again.",
    "required": ["specversion", "id", "source", "type", "subject", "time", "district", "to", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "examples": ["whistle/110102/9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091/2"]},
        "source": {"type": "string", "format": "uri-reference"},
        "type": {"type": "string"},
        "subject": {"type": "string", "description": "the record's id"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "district": {"type": "string", "description": "GB/T 2260, empty for the whole city"},
        "to": {"type": "string", "description": "`all`, or one department's code"},
        "actor": {"type": "string", "description": "a person's id; not on the stream"},
        "traceparent": {"type": "string", "description": "W3C Trace Context; not on the stream"},
        "hash": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "link of the history; not on the stream",
        },
        "data": {"type": "object"},
    },
}
REFUSED = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "kind": {"type": "string", "enum": list(KINDS)},
        "detail": {"type": "string", "description": "中文 / English"},
        "fields": {"type": "object"},
    },
}
CORRELATION = {"location": "$message.header#/correlation_id"}


FOR_PROGRAMS = (
    "只发给一个部门;部门系统可以订阅 / Told to one department alone; its program may be given this to hear: it comes "
    "in by the queue `{user}.facts`"
)
USER = {"user": {"description": "the program's own login", "examples": ["plugin-110102-chengguan-desk"]}}


def exchange_binding(name: str, kind: str = "topic") -> dict:
    """Say which exchange a channel lies on."""
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False, "vhost": "huying"}
    return {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}}


def queue_binding(name: str) -> dict:
    """Say from which queue a channel is read; it is there already, and nobody declares it."""
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "huying"}
    return {"amqp": {"is": "queue", "queue": queue, "bindingVersion": "0.3.0"}}


QUESTION = {
    "type": "object",
    "required": ["correlation_id", "reply_to", "user_id"],
    "properties": {
        "correlation_id": {"type": "string", "description": "AMQP property: comes back with the answer"},
        "reply_to": {"type": "string", "description": "AMQP property: `{user}.replies`; the answer goes nowhere else"},
        "user_id": {"type": "string", "description": "AMQP property: one's own login, verified by the broker"},
        "expiration": {"type": "string", "description": "AMQP property: how long one waits, in milliseconds"},
        "deadline": {
            "type": "string",
            "description": "header: real Unix time after which nobody waits any more; 5 seconds where it is left out, "
            "30 at the most",
        },
        "traceparent": {"type": "string", "description": "header: W3C Trace Context; the fact's own continues it"},
    },
}
ON_THE_BUS = """部门接入只要两件事:听事件,提请求。事件里只有编号、代码、时间和数字,没有姓名和文字。

1. 以区管理员给的登录名({user})和密码连接 RabbitMQ,虚拟主机 huying。什么都不必声明,什么都不能声明。
2. 从队列 `{user}.facts` 逐条读取(prefetch 1),办完一条确认一条。同一编号即同一事件,可能再来一次。
3. 请求发到交换机 `{user}`,路由键是请求的名字;先以独占方式、不需确认地读取队列 `{user}.replies`。没有获准的请求会被
   退回(mandatory)。答复为 Unavailable 时稍候再试,其余原样告知。
4. 自己办不了的事件,发到交换机 `{user}`、路由键 `parked`,头 `x-reason` 写明原因,得到确认后再确认该事件。

A department plugs in with two ideas: hear a fact, ask a call. Facts carry ids, codes, times and numbers, never names or
words.

1. Connect to RabbitMQ, virtual host `huying`, by the login ({user}) and password that the district's administrator
   gave. Nothing has to be declared, and nothing can be.
2. Read the queue `{user}.facts` one by one (prefetch 1), and acknowledge each when it is done. The same id is the same
   fact, which may come again. A second program of the same login waits until the first is gone.
3. Questions go to the exchange `{user}` with the call's name as their routing key; read the queue `{user}.replies`
   first, exclusively and without acknowledging. A call that one was not given comes back (mandatory). On `Unavailable`
   wait a moment and ask again; who asks beyond the quota is told so in that way. Every act has an id (`act`) that the
   client chooses: make it of the fact's id, and an act that is asked again finds what it did.
4. What cannot be handled goes to the exchange `{user}` with the routing key `parked`, its reason in the header
   `x-reason`; when that is confirmed, acknowledge the fact."""
HEARD = {
    "address": "{user}.facts",
    "title": "本部门的事件",
    "description": "What a department's program was given to hear, of its own department in its own district, in order",
    "parameters": USER,
    "bindings": queue_binding("{user}.facts"),
}
PARKED = {
    "address": "parked",
    "title": "搁置",
    "description": "The fact as it came, with the header `x-reason`; an administrator may have it heard again",
    "messages": {"parked": {"$ref": "#/components/messages/parked"}},
    "bindings": exchange_binding("{user}", "direct"),
}
PUT_ASIDE = {
    "name": "parked",
    "title": "搁置的事件",
    "summary": "办不了的事件及其原因 / A fact that could not be handled, and why",
    "contentType": "application/cloudevents+json",
    "headers": {
        "type": "object",
        "required": ["x-reason", "user_id"],
        "properties": {
            "x-reason": {"type": "string", "maxLength": 500},
            "user_id": {"type": "string", "description": "AMQP property: one's own login"},
            "message_id": {"type": "string", "description": "AMQP property, as it came"},
            "type": {"type": "string", "description": "AMQP property, as it came"},
        },
    },
    "payload": {"$ref": "#/components/schemas/Envelope"},
}
REPLIES = (
    "the queue `{user}.replies`, read exclusively and without acknowledging; `correlation_id` says which question an "
    "answer is to"
)
SIDE_OF_PROGRAMS = (
    ("tell.plugin", "send", "plugin.facts", "部门系统听事件 / A department's program hears its facts"),
    ("take.parked", "receive", "plugin.parked", "部门系统搁置事件 / A department's program puts a fact aside"),
)


def fact_channel(fact: Fact) -> dict:
    """Print the channel of one fact."""
    return {
        "address": f"{fact.name}.{{district}}.{{to}}",
        "title": fact.doc.split(" / ")[0],
        "description": f"{fact.doc}\n\n{FOR_PROGRAMS}" if fact.to_department else fact.doc,
        "parameters": {
            "district": {"description": "GB/T 2260, or `all` for a fact of no district", "examples": ["110102"]},
            "to": {"description": "`all`, or one department's code", "examples": ["all", "water"]},
        },
        "messages": {fact.name: {"$ref": f"#/components/messages/{fact.service}.{fact.name}"}},
        "bindings": exchange_binding(f"{fact.service}.events"),
    }


def fact_message(fact: Fact, printer: Printer) -> dict:
    """Print the message of one fact: the envelope, with what this fact carries."""
    own = {
        "type": "object",
        "properties": {
            "source": {"const": f"/{fact.service}"},
            "type": {"const": fact.name},
            "data": printer.ref(fact.carries),
        },
    }
    return {
        "name": f"{fact.service}.{fact.name}",
        "title": fact.doc.split(" / ")[0],
        "summary": fact.doc,
        "contentType": "application/cloudevents+json",
        "payload": {"allOf": [{"$ref": "#/components/schemas/Envelope"}, own]},
    }


def call_messages(call: Call, printer: Printer) -> dict[str, dict]:
    """Print the question and the answer of one call."""
    name = f"{call.service}.{call.name}"
    ok = printer.answer(call) or {"type": "null"}
    return {
        name: {
            "name": name,
            "title": call.doc.split(" / ")[0],
            "summary": call.doc,
            "contentType": "application/json",
            "correlationId": CORRELATION,
            "headers": {"$ref": "#/components/schemas/QuestionHeaders"},
            "payload": printer.ref(call.takes),
        },
        f"{name}.answer": {
            "name": f"{name}.answer",
            "title": f"{call.doc.split(' / ')[0]}: 答复",
            "summary": "正好一项:ok、refused 或 fault / exactly one of ok, refused, fault",
            "contentType": "application/json",
            "correlationId": CORRELATION,
            "payload": {
                "oneOf": [
                    {"type": "object", "required": ["ok"], "properties": {"ok": ok}},
                    {
                        "type": "object",
                        "required": ["refused"],
                        "properties": {"refused": {"$ref": "#/components/schemas/Refused"}},
                    },
                    {"type": "object", "required": ["fault"], "properties": {"fault": {"type": "string"}}},
                ]
            },
        },
    }


def asyncapi() -> dict:
    """Print the bus: every fact, and the side of it that a department's program stands on."""
    printer = Printer()
    channels, messages, does = {}, {}, {}
    for fact in every_fact():
        name = f"{fact.service}.{fact.name}"
        channels[name] = fact_channel(fact)
        messages[name] = fact_message(fact, printer)
        does[f"tell.{name}"] = {
            "action": "send",
            "title": fact.doc.split(" / ")[0],
            "summary": fact.doc,
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{fact.name}"}],
        }
    heard = {name.replace(".", "_"): {"$ref": f"#/components/messages/{name}"} for name in FACTS}
    channels |= {"plugin.facts": HEARD | {"messages": heard}, "plugin.parked": PARKED}
    messages["parked"] = PUT_ASIDE
    for verb, action, channel, summary in SIDE_OF_PROGRAMS:
        does[verb] = {
            "action": action,
            "title": summary.split(" / ")[0],
            "summary": summary,
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{each}"} for each in channels[channel]["messages"]],
        }
    answers = {}
    for call in CALLS.values():
        name = f"{call.service}.{call.name}"
        messages |= call_messages(call, printer)
        answers[f"{name}.answer"] = {"$ref": f"#/components/messages/{name}.answer"}
        channels[f"calls.{name}"] = {
            "address": name,
            "title": call.doc.split(" / ")[0],
            "description": call.doc,
            "messages": {"question": {"$ref": f"#/components/messages/{name}"}},
            "bindings": exchange_binding("{user}", "direct"),
        }
        does[f"answer.{name}"] = {
            "action": "receive",
            "title": call.doc.split(" / ")[0],
            "summary": call.doc,
            "description": who_may(call.needs),
            "channel": {"$ref": f"#/channels/calls.{name}"},
            "messages": [{"$ref": f"#/channels/calls.{name}/messages/question"}],
            "reply": {
                "address": {"location": "$message.header#/reply_to", "description": "the queue `{user}.replies`"},
                "channel": {"$ref": "#/channels/replies"},
                "messages": [{"$ref": f"#/channels/replies/messages/{name}.answer"}],
            },
        }
    channels["replies"] = {
        "address": None,
        "title": "答复",
        "description": REPLIES,
        "messages": answers,
        "bindings": queue_binding("{user}.replies"),
    }
    schemas = printer.schemas() | {"Envelope": ENVELOPE, "Refused": REFUSED, "QuestionHeaders": QUESTION}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:huying:bus",
        "info": {
            "title": "呼应 Huying: 消息总线 / the bus",
            "version": VERSION,
            "description": ON_THE_BUS,
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": page.service, "description": page.doc} for page in CONTRACTS.values()],
        },
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "localhost:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ 3.10 or later",
                "security": [{"$ref": "#/components/securitySchemes/password"}],
            }
        },
        "channels": channels,
        "operations": does,
        "components": {
            "schemas": schemas,
            "messages": messages,
            "securitySchemes": {
                "password": {
                    "type": "userPassword",
                    "description": "one login for each program, its password shown once",
                }
            },
        },
    }


# -- the committed copies ---------------------------------------------------------------------------------------------


def written(document: dict) -> str:
    """Write a document as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def documents(app: Flask) -> dict[str, dict]:
    """Give both documents by the name of their file."""
    return {"openapi.json": openapi(app), "asyncapi.json": asyncapi()}


def bare_app() -> Flask:
    """Make an application that only knows its routes: no broker, no keys, no limits."""
    from gateway import api, photos, proofs, tables

    app = Flask("gateway")
    for blueprint in (*api.BLUEPRINTS, photos.bp, tables.rows, tables.bp, proofs.rows, proofs.bp):
        app.register_blueprint(blueprint)
    return app


if __name__ == "__main__":
    if sys.argv[1:] != ["write"]:
        sys.exit("python -m gateway.spec write")
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents(bare_app()).items():
        (FOLDER / name).write_text(written(document), encoding="utf-8")
