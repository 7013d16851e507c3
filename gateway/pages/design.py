"""The living page of the design: every component as it is, by the same templates that the pages are made of."""

from datetime import timedelta

from flask import Blueprint, render_template

from gateway.asking import declare
from gateway.pages import saying
from gateway.pages.forms import Told
from gateway.pages.language import N_

bp = Blueprint("design", __name__)
COLOURS = ("paper", "sheet", "ink", "soft", "line", "leaf", "amber", "rust", "sky")
SIZES = ("small", "usual", "large", "title", "hero")


def design() -> str:
    """Show each component, and what it is for."""
    now = saying.now()
    item = {
        "whistle": "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091", "number": "展览路〔2026〕0117", "title": _example(),
        "stage": "dispatched", "kind": "群众诉求", "category": saying._(EXAMPLES[4]),
        "community": "110102009041", "late": False,
        "due": now + timedelta(hours=3), "blown_at": now - timedelta(hours=5), "marks": ["supervised"],
        "department": saying._(EXAMPLES[5]),
    }  # fmt: skip
    steps = [
        {"at": now - timedelta(hours=5), "says": saying._(EXAMPLES[0]), "words": None, "who": None, "tone": ""},
        {"at": now - timedelta(hours=2), "says": saying._(EXAMPLES[1]), "words": None, "who": None, "tone": ""},
    ]
    wrong = Told(saying._(EXAMPLES[2]), {"text": [saying._(EXAMPLES[3])]})
    return render_template(
        "pages/design.html", colours=COLOURS, sizes=SIZES, stages=saying.STAGES, item=item, steps=steps, told=wrong,
        late=now - timedelta(hours=2), soon=now + timedelta(minutes=40), calm=now + timedelta(days=3),
    )  # fmt: skip


EXAMPLES = (
    N_("您吹了哨"),
    N_("社区工作人员已到现场"),
    N_("请检查填写的内容"),
    N_("请填写"),
    N_("暴露垃圾"),
    N_("城管执法"),
)


def _example() -> str:
    return saying._(N_("三号楼前垃圾两天没有清运"))


bp.add_url_rule("/design", "design", declare(design, public=True, page=True))
