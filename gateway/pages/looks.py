"""How somebody wants to see the pages: language, size of the text, light or dark; kept by their browser alone."""

from flask import Blueprint, request

from gateway.asking import declare
from gateway.cookies import lasting
from gateway.pages.forms import go, safe_path, typed
from gateway.pages.language import COOKIE, LANGUAGES, N_, tongue

bp = Blueprint("looks", __name__)
A_YEAR = 365 * 86_400
TEXTS = {"usual": N_("标准"), "large": N_("大字")}
LIGHTS = {"auto": N_("跟随手机"), "light": N_("浅色"), "dark": N_("深色")}
CHOICES = {"language": (COOKIE, LANGUAGES), "text": ("huying-text", TEXTS), "light": ("huying-light", LIGHTS)}


def look(what: str) -> str:
    """Give what was chosen, or what is usual."""
    if what == "language":
        return tongue()
    cookie, choices = CHOICES[what]
    chosen = request.cookies.get(cookie)
    return chosen if chosen in choices else next(iter(choices))


def choose():
    """Keep what was chosen, and lead back to where it was chosen."""
    answer = go(safe_path(typed("next"), "/me"))
    for name, (cookie, choices) in CHOICES.items():
        if typed(name) in choices:
            lasting(answer, cookie, typed(name), A_YEAR)
    return answer


bp.add_url_rule("/looks", "choose", declare(choose, public=True, page=True), methods=["POST"])
