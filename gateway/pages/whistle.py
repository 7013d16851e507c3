"""One whistle, for whoever may see it: what happened in order, who is called, what may be done now; and its photos."""

from datetime import datetime

from flask import Blueprint, g, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException, NotFound

from gateway import photos
from gateway.asking import ask, declare, may, signed
from gateway.pages import acts, forms, names, saying
from gateway.pages.acts import HOME, Reader
from gateway.pages.forms import Told, fresh, go, typed
from shared.contracts import whistle
from shared.errors import Conflict, Refusal

bp = Blueprint("whistle", __name__)
# What a person need not read of what the platform does by itself.
SILENT = ("numbered", "dues_moved")
BY_ITSELF = ("reminded", "overdue", "recurred", "scored", "called")
LATE = ("overdue",)


def whistle_of(id: str) -> dict:
    """Give a whistle to whoever looks: an official, or who reported it."""
    return ask(whistle.get if may("whistle.read") else whistle.own_one, {"id": id})


def shown(id: str, told: Told | None = None, noun: str = "", sheet: str = "pages/whistle.html") -> str:
    """Show one whistle, and the form that was refused as it was typed."""
    one = whistle_of(id)
    trace = ask(whistle.trace, {"id": id}) if may("whistle.read") else None
    cards = names.cards(one["community"])
    offered = acts.offered(one)
    if noun and noun not in [act.noun for act in offered]:
        offered = [acts.BY_NOUN[noun], *offered]
    done = request.args.get("done")
    return render_template(
        sheet, one=one, place=where(one), steps=steps_of(one, trace, cards) if trace else story_of(one),
        trace=trace, cards=cards, acts=offered, told=told or Told(), noun=noun, fresh=fresh, clocks=clocks_of(one),
        choices_of=acts.choices_of, done=_(acts.BY_NOUN[done].done) if done in acts.BY_NOUN else None,
        just=done, mine=Reader().summons(one), kept=g.get("kept", []), HOME=HOME, proposed=proposed(one, offered),
        card_for=names.card_for, is_reporter=Reader().is_reporter(one), measures=measures(one, offered),
        sent=sent, OUTCOME_LINES=acts.OUTCOME_LINES,
    )  # fmt: skip


def sent() -> dict[str, str]:
    """Give what was typed, so that a form shows it again."""
    return request.form


def where(one: dict) -> str:
    """Say where it is: the place that was chosen, and what was written about the spot."""
    unit = names.unit(one["unit"] or one["community"])["name"]
    return " · ".join(each for each in (unit, (one.get("words") or {}).get("address")) if each)


def measures(one: dict, offered: list) -> list[dict]:
    asks = any(field.kind == "outcomes" for act in offered for field in act.fields)
    return names.measures(one["community"]) if asks else []


def proposed(one: dict, offered: list) -> list[str]:
    """Give whom the catalogue would call, the lead first."""
    if not any(act.noun == "summonses" for act in offered):
        return []
    try:
        found = ask(whistle.responsible, {"category": one["category"], "unit": one["unit"] or one["community"]})
    except Refusal:
        return []
    return [each["department"] for each in (found["lead"], *found["assists"]) if each["department"] != HOME]


def clocks_of(one: dict) -> list[dict]:
    """Give the limits that still run, the next one first."""
    running = [
        clock | {"department": home.get("department", "")}
        for home in (one, *one["summonses"])
        if home.get("stage") not in ("called_off", "settled")
        for clock in home["clocks"]
        if clock["due"] and not clock["met"]
    ]
    return sorted(running, key=lambda clock: clock["due"])


def steps_of(one: dict, trace: dict, cards: dict) -> list[dict]:
    """Give what happened, from the history, each step with what was written and shown at it."""
    written = words_by_act(one)
    steps = []
    for step in trace["steps"]:
        if step["fact"] in SILENT:
            continue
        data = step["data"]
        words = written.get(data.get("act")) or written.get((step["fact"], data.get("department", "")))
        steps.append({
            "at": step["at"], "says": saying.fact(step), "words": words, "tone": "late" if step["fact"] in LATE else "",
            "who": None if step["fact"] in BY_ITSELF else person_of(step, cards),
            "distance": data.get("distance"), "far": data.get("far"), "fact": step["fact"],
        })  # fmt: skip
    return steps


def words_by_act(one: dict) -> dict:
    """Give what was written and shown at each step, by the act where the whistle knows it, else by what it was."""
    found: dict = {("blown", ""): one["words"], ("settled", ""): one["settlement"]}
    for each in (*one["reports"], *one["confirmations"]):
        found[each["act"]] = each["words"]
    for each in one["summonses"]:
        for fact, part in (("fed_back", "answer"), ("sent_back", "returned"), ("extension_asked", "extension")):
            if each.get(part):
                found[fact, each["department"]] = each[part]["words"]
    return found


def person_of(step: dict, cards: dict) -> str:
    """Say who did it: by the name on their published card, else by their role alone."""
    card = cards.get(step["actor"])
    return f"{saying.role(step['role'])} {card['name']}" if card and card["name"] else saying.role(step["role"])


def story_of(one: dict) -> list[dict]:
    """Tell a reporter in plain words how it goes."""
    is_own = bool(one["blown_by"])
    steps = [step(one["blown_at"], _("您吹了哨") if is_own else _("有居民吹了哨"), one["words"])]
    for each in one["reporters"]:
        steps.append(step(each["at"], _("您也反映了这件事"), each["words"]))
    for each in one["summonses"]:
        home, who = each["department"] == HOME, saying.who(each["department"])
        steps.append(step(each["called_at"], _("社区收到了") if home else _("已请%(who)s来办", who=who)))
        for clock in each["clocks"]:
            said = {
                "sign": _("社区接了这件事") if home else _("%(who)s专员接了这件事", who=who),
                "contact": _("社区联系了您") if home else _("%(who)s专员联系了社区或您", who=who),
            }
            # Whoever stands on the spot has signed and made contact; that they came says it all.
            if clock["met"] and clock["clock"] in said and clock["met"] not in [r["at"] for r in one["reports"]]:
                steps.append(step(clock["met"], said[clock["clock"]]))
        if each["answer"]:
            answer = each["answer"]
            result = saying.word(saying.RESULTS, answer["result"])
            steps.append(step(answer["at"], _("%(who)s回复：%(result)s", who=who, result=result), answer["words"]))
    for each in one["reports"]:
        home, who = each["department"] == HOME, saying.who(each["department"])
        said = _("社区工作人员已到现场") if home else _("%(who)s专员已到现场", who=who)
        steps.append(step(each["at"], said, each["words"]))
    for each in one["confirmations"]:
        who = _("您") if each["by"] == signed().actor else _("社区或反映人")
        said = _("%(who)s看过：解决了", who=who) if each["solved"] else _("%(who)s看过：还没有解决", who=who)
        steps.append(step(each["at"], said, each["words"]))
    if one["settled_at"]:
        solved = one["result"] == "solved"
        said = (
            _("这件事办完了（销哨）")
            if solved
            else _("这件事结束了：%(why)s", why=saying.word(saying.UNSOLVED, one["reason"]))
        )
        steps.append(step(one["settled_at"], said, one["settlement"]))
    if one["stage"] == "withdrawn":
        steps.append(step(steps[-1]["at"], _("您撤回了")))
    return sorted(steps, key=lambda each: datetime.fromisoformat(each["at"]))


def step(at: str, says: str, words: dict | None = None) -> dict:
    return {"at": at, "says": says, "words": words, "who": None, "tone": ""}


@bp.get("/whistles/<id>")
def page(id: str):
    """Show one whistle."""
    return shown(id)


@bp.get("/whistles/<id>/sheet")
def sheet(id: str):
    """Show one whistle to print."""
    return shown(id, sheet="pages/whistle_sheet.html")


@bp.post("/whistles/<id>/<noun>")
def do(id: str, noun: str):
    """Do one thing to a whistle, and show the whistle again: with what was done, or with the form as it was typed."""
    if noun not in acts.BY_NOUN:
        raise NotFound()
    act = acts.BY_NOUN[noun]
    forms.allow_photos()
    try:
        if any(field.kind == "photos" for field in act.fields):
            forms.kept_photos()
        order = {"id": id, "act": typed("act") or fresh()}
        order |= {name: value for field in act.fields for name, value in acts.read(field)}
        ask(act.call, order | act.also)
    except (Refusal, HTTPException) as error:
        told = Told.of(error)
        if told.status in (401, 404):
            raise
        return shown(id, told, noun), told.status
    return go(f"/whistles/{id}?done={noun}")


@bp.post("/whistles/<id>/joinings")
def join(id: str):
    """Join what somebody else has reported already, in place of a twin."""
    try:
        ask(whistle.join, {"id": id, "act": typed("act") or fresh(), "photos": request.form.getlist("kept")[:9]})
    except Conflict:
        whistle_of(id)  # whoever has reported it already is led to it; to anybody else it is not there
    return go(f"/whistles/{id}?done=joinings")


@bp.get("/photos/<digest>")
def photo(digest: str):
    """Show a photo to whom the whistle service lets see it."""
    return photos.show(digest)


declare(do, needs="person.self", page=True)
declare(join, needs=whistle.join.needs, page=True)
declare(page, needs="person.self", page=True)
declare(sheet, needs="person.self", page=True)
declare(photo, needs=whistle.photo.needs, page=True)
