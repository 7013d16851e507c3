"""Blowing: photo first, then what and where; then a look at what is suggested and what others have reported already."""

from flask import Blueprint, g, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from gateway.asking import ask, declare, signed
from gateway.pages import forms, names, saying
from gateway.pages.acts import in_turn
from gateway.pages.forms import Told, fresh, go, typed
from shared.contracts import suggestions, whistle
from shared.errors import Invalid, NotFound, Refusal

bp = Blueprint("resident", __name__)
RESIDENTS = "群众诉求"
LONGEST_TITLE = 60
STEPS = ("say", "look", "blow")


def is_resident() -> bool:
    return set(signed().roles) <= {"resident"}


def communities() -> list[dict]:
    """Give the communities that somebody may blow for: their own, or all of their street."""
    unit = signed().unit
    if unit.endswith("000") and len(unit) == 12:
        return names.remembered("communities", unit, lambda: names.every(
            names.roster.units, {"under": unit, "level": "community"}
        ))  # fmt: skip
    return [names.unit(unit)]


def community() -> str:
    """Give the community that is chosen, or the only one."""
    known = [each["code"] for each in communities()]
    chosen = typed("community")
    return chosen if chosen in known else known[0] if len(known) == 1 else ""


def first_sentence(text: str) -> str:
    """Make a title of what somebody wrote: its first sentence, cut where it is long."""
    for end in "。!?!?\n":
        text = text.partition(end)[0] if text.partition(end)[0].strip() else text
    return text.strip()[:LONGEST_TITLE]


def asks(told: Told | None = None, status: int = 200):
    """Ask what it is and where."""
    return render_template(
        "pages/blow.html", told=told or Told(), sent=request.form, kept=g.get("kept", []), fresh=fresh,
        communities=communities(), community=community(), places=names.places(community()) if community() else [],
        resident=is_resident(),
    ), status  # fmt: skip


def looks(told: Told | None = None, status: int = 200):
    """Show what is suggested, what is near, and who would be called, to be changed or confirmed."""
    text = typed("text")
    suggested = ask(suggestions.suggest, {"text": f"{typed('title')} {text}"[: suggestions.MOST_LETTERS]})["items"]
    chosen = typed("category") or (suggested[0]["category"] if suggested else "")
    responsible = who_answers(chosen)
    return render_template(
        "pages/blow_look.html", told=told or Told(), sent=request.form, kept=g.get("kept", []), fresh=fresh,
        suggested=suggested, chosen=chosen, categories=by_class(), title=typed("title") or first_sentence(text),
        near=near(chosen), responsible=responsible, resident=is_resident(), kinds=saying.KINDS, community=community(),
        place=names.unit(typed("unit") or community()), departments=names.departments(), card_for=names.card_for,
        proposed=[each["department"] for each in (responsible["lead"], *responsible["assists"])] if responsible else [],
        known=[each["category"] for each in suggested], HOME=names.HOME,
    ), status  # fmt: skip


def by_class() -> dict[str, list[dict]]:
    """Give the categories that may be chosen, by their class."""
    found: dict[str, list[dict]] = {}
    for each in names.categories().values():
        if not each["retired"]:
            found.setdefault(each["major"], []).append(each)
    return found


def near(category: str) -> list[dict]:
    """Give what is open of the same nearby; what somebody reported themselves is among it, too."""
    if not category:
        return []
    point = forms.place()
    order = {"category": category, "community": community(), "unit": typed("unit") or None} | (point or {})
    try:
        return ask(whistle.near, order)["items"][:5]
    except (Invalid, NotFound):
        return []


def who_answers(category: str) -> dict | None:
    """Give whom the catalogue names, where it names anybody."""
    if not category or is_resident():
        return None
    try:
        return ask(whistle.responsible, {"category": category, "unit": typed("unit") or community()})
    except (Invalid, NotFound):
        return None


def order() -> dict:
    """Put the whistle together from what was typed; its id came with the form, so that it is blown once."""
    made = {
        "id": typed("id") or fresh(), "kind": RESIDENTS if is_resident() else typed("kind"),
        "category": typed("category-other") or typed("category"), "community": community(),
        "unit": typed("unit") or None, "title": typed("title"), "text": typed("text"), "address": typed("address"),
        "place": forms.place(), "photos": g.kept, "confidential": typed("confidential") == "true",
    }  # fmt: skip
    if not is_resident():
        made["departments"] = in_turn(request.form.getlist("departments"), typed("lead"))
    return made


def must_say_something() -> None:
    """Ask again for what a whistle cannot do without, before anything is suggested."""
    wrong = {}
    if not typed("text"):
        wrong["text"] = [_("请说说是什么事")]
    if not community():
        wrong["community"] = [_("请选择社区")]
    if wrong:
        raise Invalid("", wrong)


@bp.get("/blow")
def begin():
    """Ask what it is and where."""
    return asks()


@bp.post("/blow")
def go_on():
    """Look at what was typed, or blow."""
    forms.allow_photos()
    step = typed("step") if typed("step") in STEPS else "say"
    again = looks if step == "blow" else asks
    try:
        forms.kept_photos()
        must_say_something()
    except (Refusal, HTTPException) as error:
        told = Told.of(error)
        told.top = told.top if isinstance(error, HTTPException) or error.detail else _("还差一点，请看下面")
        return asks(told, told.status)
    if step == "say":
        return asks()
    if step == "look":
        return looks()
    try:
        made = ask(whistle.blow, order())
    except (Refusal, HTTPException) as error:
        told = Told.of(error)
        return again(told, told.status)
    return go(f"/whistles/{made['id']}?done=blown")


declare(begin, needs=whistle.blow.needs, page=True)
declare(go_on, needs=whistle.blow.needs, page=True)
