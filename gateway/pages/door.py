"""Signing in and out, and oneself: what one is here, where one is signed in, password and second factor."""

import unicodedata
from contextlib import suppress

from flask import Blueprint, current_app, g, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from gateway import cookies
from gateway.asking import address, ask, declare, parts, somebody
from gateway.pages.forms import Told, go, safe_path, typed
from gateway.pages.names import unit
from shared.contracts import identity
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, Unauthenticated, Unavailable

bp = Blueprint("door", __name__)
STATE = "huying-state"  # what this browser was given on its way to the second door
JOURNEY = 600  # seconds; identity forgets it then
REFUSED = (Refusal, HTTPException)


def door(told: Told | None = None, status: int = 200, next: str = "", asks_code: bool = False):
    """Show the door."""
    demo = current_app.config.get("DEMO_ACCOUNTS", []) if current_app.config.get("MODE") == "demo" else []
    page = render_template(
        "pages/sign_in.html", told=told or Told(), next=next, second_door=current_app.config.get("SECOND_DOOR"),
        asks_code=asks_code or bool(typed("code")), accounts=[each for each in demo if "what" in each],
    )  # fmt: skip
    return page, status


@bp.get("/sign-in")
def sign_in_page():
    """Show the door, unless one is in already."""
    next = safe_path(request.args.get("next", ""))
    return go(next) if somebody() else door(next=next)


@bp.post("/sign-in")
def sign_in():
    """Let somebody in by login, password and, where they have one, the code of their second factor."""
    next = safe_path(typed("next"))
    login = typed("login")
    try:
        parts().limits.spend("address", address())
        known = unicodedata.normalize("NFKC", login[:200]).strip().casefold()
        parts().limits.spend("sign_in", address(), known)
        order = {"login": login, "password": request.form.get("password", ""), "code": typed("code")}
        session = ask(identity.sign_in, order)
    except REFUSED as error:
        told = Told.of(error)
        # Identity does not say whether it was the code that was missing: whoever has one is offered its field.
        return door(told, told.status, next, asks_code=isinstance(error, Unauthenticated))
    return let_in(session, next)


def let_in(session: dict, next: str):
    """Give a browser its session; a newcomer chooses a password and a second factor first."""
    cookies.give(session, stays="stay" in request.form)
    g.signed = None
    return go("/me#first" if session.get("first") else next)


@bp.post("/sign-in/other")
def second_door():
    """Send somebody to the second door."""
    try:
        parts().limits.spend("address", address())
        journey = ask(identity.begin_oidc, {})
    except REFUSED as error:
        told = Told.of(error)
        return door(told, told.status, safe_path(typed("next")))
    # Not a redirect: browsers hold the policy of a form, which is to stay here, against where its answer leads, too.
    name = current_app.config.get("SECOND_DOOR") or _("继续登录")
    answer = current_app.make_response(render_template("pages/go_on.html", url=journey["url"], second_door=name))
    cookies.lasting(answer, STATE, journey["state"], JOURNEY, path="/sign-in")
    return answer


@bp.get("/sign-in/return")
def come_back():
    """Take somebody back from the second door, if this browser is the one that went there."""
    state, code = request.args.get("state", "")[:200], request.args.get("code", "")[:2000]
    if not state or state != request.cookies.get(STATE):
        return door(Told(_("这次登录不是从这里开始的，请重新登录")), 401)
    return finish(state, code)


@bp.post("/sign-in/return")
def prove():
    """Take the code of the second factor of somebody who came back from the second door."""
    state = typed("state")
    if not state or state != request.cookies.get(STATE):
        return door(Told(_("这次登录不是从这里开始的，请重新登录")), 401)
    return finish(state, typed("code"), typed("totp"))


def finish(state: str, code: str, totp: str = ""):
    try:
        parts().limits.spend("address", address())
        session = ask(identity.finish_oidc, {"state": state, "code": code, "totp": totp})
    except REFUSED as error:
        told = Told.of(error)
        if "totp" in told.fields:
            again = Told() if not totp else told
            return render_template("pages/prove.html", told=again, state=state, code=code), told.status
        return door(told, told.status)
    answer = let_in(session, "/home")
    answer.delete_cookie(STATE, path="/sign-in")
    return answer


@bp.post("/sign-out")
def sign_out():
    """End this session everywhere, at once."""
    if somebody():
        with suppress(Unauthenticated, NotFound):
            ask_as_oneself(identity.sign_out, {})
    cookies.take_away()
    return go("/sign-in")


def ask_as_oneself(call, order: dict):
    """Ask in the name of whoever is signed in, from a page that is open to everybody."""
    return parts().bus.ask(call, order, somebody().caller(g.trace, address()))


# -- oneself ----------------------------------------------------------------------------------------------------------


def oneself(told: Told | None = None, form: str = "", status: int = 200, **more):
    me = ask(identity.me, {})
    place = unit(me["unit"]) if me["unit"] and "newcomer" not in g.signed.roles else None
    page = render_template(
        "pages/me.html", me=me, place=place, told=told or Told(), form=form,
        sessions=ask(identity.sessions, {})["items"], needs_password="newcomer" in g.signed.roles, **more,
    )  # fmt: skip
    return page, status


def try_for_oneself(form: str, call, order: dict):
    """Do something to one's own account; a no is shown at its form."""
    try:
        return ask(call, order), None
    except (Invalid, Conflict, Forbidden, NotFound, Unauthenticated, Unavailable) as refusal:
        told = Told.of(refusal)
        # A wrong password here is no reason to send somebody to the door.
        return None, oneself(told, form, 422 if told.status == 401 else told.status)


@bp.get("/me")
def me():
    """Show who one is here."""
    return oneself()


@bp.post("/me/password")
def change_password():
    """Change one's password; all other sessions end."""
    if request.form.get("new") != request.form.get("again"):
        return oneself(Told(_("请检查填写的内容"), {"again": [_("两次输入的新密码不一样")]}), "password", 422)
    order = {"old": request.form.get("old", ""), "new": request.form.get("new", "")}
    session, refused = try_for_oneself("password", identity.change_password, order)
    if refused:
        return refused
    cookies.give(session, stays=cookies.STAY in request.cookies)
    return go("/me?done=password")


@bp.post("/me/sessions/<id>/end")
def end_session(id: str):
    """End one of one's own sessions, at once."""
    done, refused = try_for_oneself("sessions", identity.end_session, {"id": id})
    return refused or go("/me?done=session#sessions")


@bp.post("/me/totp")
def begin_totp():
    """Begin with a second factor: its key is shown once."""
    key, refused = try_for_oneself("totp", identity.begin_totp, {})
    return refused or oneself(key=key)


@bp.post("/me/totp/confirmations")
def confirm_totp():
    """Confirm the second factor by its first code; the codes for emergencies are shown once."""
    recovery, refused = try_for_oneself("totp", identity.confirm_totp, {"code": typed("code")})
    return refused or oneself(codes=recovery["codes"])


@bp.post("/me/totp/removals")
def drop_totp():
    """Drop one's second factor."""
    done, refused = try_for_oneself("totp", identity.drop_totp, {"password": request.form.get("password", "")})
    return refused or go("/me?done=totp")


for view in (sign_in_page, sign_in, second_door, come_back, prove, sign_out):
    declare(view, public=True, page=True)
for view in (me, change_password, end_session, begin_totp, confirm_totp, drop_totp):
    declare(view, needs="person.self", page=True)
