"""The tree of units, departments and their teams, who sits where, and what a station publishes."""

from datetime import datetime

from flask import render_template, request

from gateway.asking import ask, declare
from gateway.table import Row, blueprint
from shared.contracts import roster, whistle
from shared.errors import NotFound
from shared.rules.codes import DIVISION
from shared.rules.days import day_of

WANMINGYUAN, ZHANLANLU = "110102009041", "110102009000"
PERSON, NEXT = "6f1d2a34-0b6e-4a5e-9d0c-3f5b7a9c1e01", "6f1d2a34-0b6e-4a5e-9d0c-3f5b7a9c1e02"
TERM, CHANGE = "3d7f1b52-9c4e-4f0a-8a61-7b2e5c9d0f13", "5b0f6c9e-9a51-4a0f-8a7e-0f2a4c8d1b33"
ABSENCE = "a2c4e6f8-1b3d-4f5a-9c7e-0d2f4b6a8c1e"

bp = blueprint(
    "roster",
    [
        Row("GET", "/units", roster.units, refuses=(404,)),
        Row(
            "POST",
            "/units",
            roster.found,
            201,
            refuses=(404,),
            example={
                "code": f"{WANMINGYUAN}.01",
                "parent": WANMINGYUAN,
                "level": "compound",
                "type": "小区",
                "name": "万明园小区",
                "since": "2026-11-24",
            },
        ),
        Row("GET", "/units/<code>", roster.unit, versioned=True),
        Row("GET", "/units/<code>/history", roster.unit_trace),
        Row(
            "POST",
            "/units/<code>/changes",
            roster.change_unit,
            201,
            example={"change": CHANGE, "name": "万明园社区", "aliases": ["万明园"]},
        ),
        Row("POST", "/units/<code>/marks", roster.mark, 201, example={"change": CHANGE, "pilot": "绿哨试点"}),
        Row("POST", "/units/<code>/closures", roster.close, 201, example={"change": CHANGE, "until": "2026-12-31"}),
        Row(
            "POST",
            "/units/<code>/mergers",
            roster.merge,
            201,
            example={"change": CHANGE, "communities": ["110102009038"], "since": "2026-11-24"},
        ),
        Row(
            "POST",
            "/units/<code>/splits",
            roster.split,
            201,
            example={
                "change": CHANGE,
                "new": "110102009044",
                "name": "万明园东社区",
                "places": [f"{WANMINGYUAN}.01"],
                "since": "2026-11-24",
            },
        ),
        Row("POST", "/units/<code>/plans/<plan>/withdrawals", roster.drop_plan, 201, example={"change": CHANGE}),
        Row("GET", "/units/<code>/settings", roster.settings),
        Row(
            "POST",
            "/units/<code>/settings",
            roster.set_settings,
            201,
            example={"change": CHANGE, "settings": {"resident_whistle": True}, "pilot": True},
        ),
        Row("GET", "/departments", roster.departments),
        Row(
            "POST",
            "/departments",
            roster.set_department,
            201,
            example={"code": "gas", "change": CHANGE, "name": "燃气集团", "kind": "utility", "phone": "96777"},
        ),
        Row("GET", "/teams", roster.teams),
        Row(
            "POST",
            "/teams",
            roster.set_team,
            201,
            refuses=(404,),
            example={
                "id": TERM,
                "change": CHANGE,
                "department": "chengguan",
                "unit": ZHANLANLU,
                "name": "展览路街道综合行政执法队",
            },
        ),
        Row("GET", "/seats", roster.seats, refuses=(404,)),
        Row("GET", "/seats/<id>", roster.seat),
        Row("GET", "/seats/<id>/history", roster.seat_trace),
        Row(
            "POST",
            "/seats/<id>/terms",
            roster.appoint,
            201,
            example={"term": TERM, "person": PERSON, "since": "2026-11-24"},
        ),
        Row(
            "POST",
            "/seats/<id>/departures",
            roster.end_term,
            201,
            example={"term": TERM, "change": CHANGE, "until": "2026-12-31"},
        ),
        Row(
            "POST",
            "/seats/<id>/handovers",
            roster.hand_over,
            201,
            example={
                "change": CHANGE,
                "term": "3d7f1b52-9c4e-4f0a-8a61-7b2e5c9d0f14",
                "person": NEXT,
                "since": "2027-01-01",
                "note": "三号楼违建已立案,一月十五日复查。",
            },
            see="/v1/seats/{id}/sheet",
        ),
        Row("GET", "/holders/<person>", roster.holder, versioned=False),
        Row(
            "POST",
            "/holders/<person>/leaves",
            roster.take_leave,
            201,
            example={"absence": ABSENCE, "since": "2026-12-01", "until": "2026-12-05", "substitute": NEXT},
        ),
        Row(
            "POST",
            "/holders/<person>/returns",
            roster.end_leave,
            201,
            example={"absence": ABSENCE, "change": CHANGE, "back": "2026-12-04"},
        ),
        Row(
            "POST",
            "/holders/<person>/card",
            roster.publish_card,
            201,
            example={"change": CHANGE, "name": "马志强", "phone": "13810001234", "title": "城管专员"},
        ),
        Row("POST", "/holders/<person>/card/withdrawals", roster.withdraw_card, 201, example={"change": CHANGE}),
        Row("GET", "/stations/<community>", roster.station),
        Row("GET", "/gaps", roster.gaps, refuses=(404,)),
    ],
)

# A table that people hang on the wall: a page to print, and so not a row.
WEEKDAYS = "一二三四五六日"
MOST_WORK = 1_000  # lines that a sheet lists


@bp.get("/stations/<community>/sheet")
def sheet(community: str):
    """Give a station's published list as one page to print: who answers for what, with phone and duty hours."""
    order = {"community": community} | ({"at": request.args["at"]} if "at" in request.args else {})
    station = ask(roster.station, order)
    page = render_template("station.html", station=station, duty=duty)
    return page, 200, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, no-cache"}


@bp.get("/seats/<id>/sheet")
def handover(id: str):
    """Give a seat's handover as one page to print and sign: who goes, who comes, the note, and the work still open.

    Two services are asked, by the gateway: neither of them knows the other.
    """
    seat = ask(roster.seat, {"id": id})
    post, _, unit = id.partition("@")
    terms = seat["terms"][-2:]
    page = render_template(
        "handover.html", seat=seat, terms=terms, unit=ask(roster.unit, {"code": unit}), name=name_of(post),
        cards={term["person"]: card_of(term["person"]) for term in terms}, day=day,
        work=() if post in roster.RESERVED else open_work(post, unit),
    )  # fmt: skip
    return page, 200, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, no-cache"}


def name_of(post: str) -> str:
    """Give what people call a post: a department's name, or the post's own."""
    posts = {roster.HEAD: "站长", roster.STEWARD: "楼长"}
    return posts.get(post) or next((d["name"] for d in ask(roster.departments, {})["items"] if d["code"] == post), post)


def card_of(person: str) -> dict:
    """Give somebody's published card, or an empty one."""
    try:
        return ask(roster.holder, {"person": person})["card"] or {}
    except NotFound:
        return {}


def open_work(department: str, community: str) -> list[dict]:
    """Give all that a department has still to do in a community, the oldest first."""
    found, asked = [], {"department": department, "community": community, "limit": 200}
    while len(found) < MOST_WORK:
        page = ask(whistle.open_work, asked)
        found += page["items"]
        if not page["next"]:
            break
        asked["after"] = page["next"]
    return found


def day(moment: str) -> str:
    """Write the Beijing day of a moment."""
    return str(day_of(datetime.fromisoformat(moment)))


def duty(card: dict | None) -> str:
    """Write duty hours as people read them: 周一至周五 09:00–18:00."""
    spans = (card or {}).get("hours") or ()
    return ";".join(f"{weekdays(sorted(each['days']))} {each['opens']}–{each['closes']}" for each in spans)


def weekdays(days: list[int]) -> str:
    """Write days of the week, in their order, as people say them: 周一至周五, 周二、周四."""
    names = [f"周{WEEKDAYS[day - 1]}" for day in days]
    is_run = len(days) > 2 and days[-1] - days[0] == len(days) - 1
    return f"{names[0]}至{names[-1]}" if is_run else "、".join(names)


declare(
    handover,
    needs=whistle.open_work.needs,
    spec={
        "summary": "交接单 / A seat's handover with the open work listed, to print",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": roster.SEAT.pattern}}
        ],
        "responses": {
            "200": {"description": "一页 A4 / One page", "content": {"text/html": {"schema": {"type": "string"}}}},
            "404": {"description": "本区没有这个单位 / No such unit in this district"},
            "422": {},
        },
    },
)
declare(
    sheet,
    needs=roster.station.needs,
    spec={
        "summary": "工作站公示表 / A station's published list, to print",
        "parameters": [
            {
                "name": "community",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": DIVISION.pattern},
            },
            {"name": "at", "in": "query", "schema": {"type": "string", "format": "date"}},
        ],
        "responses": {
            "200": {"description": "一页 A4 / One page", "content": {"text/html": {"schema": {"type": "string"}}}},
            "404": {"description": "本区没有这个社区 / No such community in this district"},
            "422": {},
        },
    },
)
