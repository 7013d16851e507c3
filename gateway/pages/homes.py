"""The first page of each role: what there is to do here today."""

from flask import Blueprint, g, render_template, request

from gateway.asking import ask, declare, is_page, may, signed, somebody
from gateway.pages import names, saying
from gateway.pages.acts import HOME
from gateway.pages.forms import fresh, go
from shared.contracts import whistle

bp = Blueprint("homes", __name__)
COMMUNITY_ROLES = {"steward", "worker", "secretary"}
DEPARTMENT_ROLES = {"specialist", "lead"}
MOST = 100
# What a station's day is made of: which of its open whistles stand where, and what each heap is for.
TO_ANSWER, TO_CALL, TO_CONFIRM, TO_SETTLE, WAITING = "answer", "call", "confirm", "settle", "waiting"


@bp.get("/home")
def home():
    """Lead everybody to what they do."""
    roles = set(signed().roles)
    if "newcomer" in roles:
        return go("/me#first")
    if roles & DEPARTMENT_ROLES:
        return specialist()
    if roles & COMMUNITY_ROLES:
        return station()
    if roles & {"street", "district", "observer"}:
        return desk()
    if "resident" in roles:
        return resident()
    return go("/me")


def resident() -> str:
    """Show a resident the green whistle, and how what they reported goes."""
    community = signed().unit
    mine = ask(whistle.own_listing, {"limit": 3})["items"]
    return render_template("pages/resident.html", community=names.unit(community), mine=mine)


def station() -> str:
    """Show a station its day: what is new, what can be confirmed, whom it waits for."""
    community = signed().unit
    items = ask(whistle.inbox, {"scope": "community", "unit": community, "limit": MOST})["items"]
    own = {item["whistle"]: item for item in ask(whistle.inbox, {"scope": "mine", "limit": MOST})["items"]}
    heaps: dict[str, list[dict]] = {each: [] for each in (TO_ANSWER, TO_CALL, TO_CONFIRM, TO_SETTLE, WAITING)}
    for item in items:
        mine = own.get(item["whistle"])
        at_home = mine is not None and mine.get("department") == HOME
        heaps[heap_of(item, at_home and mine["stage"])].append(item | ({"mine": mine["stage"]} if at_home else {}))
    return render_template(
        "pages/station.html", community=names.unit(community), heaps=heaps, total=len(items), fresh=fresh
    )


def heap_of(item: dict, at_home: str | bool) -> str:
    """Say which heap of a station's day an open whistle lies on."""
    if item["stage"] == "answered":
        return TO_CONFIRM
    if item["stage"] == "confirmed":
        return TO_SETTLE
    if item.get("department") == HOME or at_home and at_home not in ("fed_back", "rated"):
        return TO_ANSWER
    return TO_CALL if item["stage"] == "blown" else WAITING


def specialist() -> str:
    """Show a specialist what they are called to, what is due first at the top; who leads also what is others'."""
    leads = "lead" in signed().roles
    scope = "department" if leads and request.args.get("whose") != "mine" else "mine"
    items = ask(whistle.inbox, {"scope": scope, "limit": MOST})["items"]
    todo = [item for item in items if item["stage"] not in ("fed_back", "rated", "returned")]
    rest = [item for item in items if item not in todo]
    department = names.department(signed().department)
    return render_template(
        "pages/specialist.html", todo=todo, rest=rest, department=department, leads=leads, scope=scope, fresh=fresh
    )


def desk() -> str:
    """Show the street, or the district, what is open, what burns first at the top."""
    unit, scope = signed().unit, "street" if "street" in signed().roles else "district"
    asked = {"scope": scope, "limit": MOST} | ({"text": request.args["q"][:40]} if request.args.get("q") else {})
    page = ask(whistle.inbox, asked)
    counts = ask(whistle.counts, {"scope": scope})
    return render_template("pages/desk.html", unit=names.unit(unit), items=page["items"], counts=counts, scope=scope)


@bp.get("/mine")
def mine() -> str:
    """Show all that one reported oneself."""
    after = {"after": request.args["after"][:200]} if request.args.get("after") else {}
    page = ask(whistle.own_listing, {"limit": 20} | after)
    return render_template("pages/mine.html", items=page["items"], next=page.get("next"))


@bp.get("/people-here")
def people_here() -> str:
    """Show a community's published list of named specialists, each with a link to call."""
    community = request.args.get("community", "") or signed().unit
    return render_template("pages/people.html", station=names.station(community), saying=saying)


declare(home, needs="person.self", page=True)
declare(mine, needs=whistle.own_listing.needs, page=True)
declare(people_here, needs="station.read", page=True)


@bp.app_context_processor
def who_looks() -> dict:
    """Give every page who looks at it, or nobody."""
    return {"me": somebody() if is_page() else g.get("signed"), "may": may}
