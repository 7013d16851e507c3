"""How a page says what happened and when: stages, roles, limits and times, as people say them."""

from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup, escape

from gateway.pages import names
from gateway.pages.language import N_, tongue
from gateway.problems import say
from shared import running
from shared.rules.days import BEIJING

STAGES = {
    "awaiting": N_("待审核"), "blown": N_("已发哨"), "dispatched": N_("办理中"), "answered": N_("待确认"),
    "confirmed": N_("已确认"), "settled": N_("已销哨"), "withdrawn": N_("已撤回"), "rejected": N_("审核未通过"),
    "merged": N_("已并案"), "called": N_("待签收"), "signed": N_("已签收"), "contacted": N_("已联系"),
    "reported": N_("已到现场"), "handling": N_("处置中"), "fed_back": N_("已反馈"), "rated": N_("已评价"),
    "returned": N_("退单待审"), "called_off": N_("已撤单"),
}  # fmt: skip
# What a colour says about a stage: to do, going on, waiting for somebody, good, over.
TONES = {
    "awaiting": "wait", "blown": "todo", "called": "todo", "returned": "wait", "answered": "wait",
    "dispatched": "going", "signed": "going", "contacted": "going", "reported": "going", "handling": "going",
    "fed_back": "good", "rated": "good", "confirmed": "good", "settled": "good",
}  # fmt: skip
ROLES = {
    "resident": N_("居民"), "steward": N_("楼长"), "worker": N_("社区工作者"), "secretary": N_("社区书记"),
    "specialist": N_("部门专员"), "lead": N_("部门负责人"), "street": N_("街道"), "district": N_("区级"),
    "observer": N_("区级观察员"), "city_observer": N_("市级观察员"), "operator": N_("运维"), "newcomer": N_("新用户"),
    "timer": N_("系统"), "plugin": N_("部门系统"), "gateway": N_("系统"),
}  # fmt: skip
KINDS = {
    "群众诉求": N_("群众诉求"), "重点工作": N_("重点工作"), "综合执法": N_("综合执法"), "应急处置": N_("应急处置"),
}  # fmt: skip
CLOCKS = {
    "sign": N_("签收"), "contact": N_("联系"), "report": N_("到场"), "resolve": N_("办结"), "feed_back": N_("反馈"),
    "confirm": N_("确认"), "review": N_("复核"),
}  # fmt: skip
RESULTS = {"solved": N_("已解决"), "partly": N_("部分解决"), "unsolved": N_("未解决")}
RETURNS = {
    "not_our_duty": N_("不属于本部门职责"), "not_our_area": N_("不在本部门辖区"), "wrong_category": N_("类别有误"),
    "needs_others": N_("需要其他部门一起办"), "duplicate": N_("重复派单"),
}  # fmt: skip
UNSOLVED = {
    "emergency_line": N_("应拨打紧急热线"), "judicial_or_other_procedure": N_("已进入司法等程序"),
    "repeated_without_new_facts": N_("重复反映且无新事实"), "secret_or_private": N_("涉及秘密或隐私"),
    "beyond_duty": N_("超出政府职责"), "unlawful_or_immoral": N_("不合法或违背公序良俗"),
    "objective_obstacle": N_("客观原因暂不能解决"), "reporter_unreachable": N_("联系不上反映人"),
}  # fmt: skip
WAYS = {"phone": N_("电话"), "visit": N_("上门"), "message": N_("短信或微信")}
MARKS = {
    "account": N_("挂账"), "meeting": N_("会商"), "extension": N_("申请延期"), "return": N_("退单"),
    "supervised": N_("督办"),
}  # fmt: skip
INDICATORS = {
    "promptness": N_("响应及时"), "attendance": N_("到场履职"), "quality": N_("处置质量"),
    "cooperation": N_("协同配合"), "feedback": N_("反馈情况"),
}  # fmt: skip
# Each fact of a history, with whoever did it before it.
FACTS = {
    "blown": N_("吹哨"),
    "approved": N_("审核通过"),
    "rejected": N_("审核不通过"),
    "called": N_("召集{department}"),
    "called_off": N_("撤回对{department}的召集"),
    "signed": N_("{department}签收"),
    "contacted": N_("{department}联系反映人"),
    "reported": N_("{department}到达现场"),
    "taken_up": N_("{department}开始处置"),
    "fed_back": N_("{department}反馈结果：{result}"),
    "sent_back": N_("{department}退单"),
    "return_decided": N_("退单已审：{department}"),
    "reassigned": N_("由{department}改派{instead}"),
    "convened": N_("召集会商"),
    "concluded": N_("会商有了结论"),
    "extension_asked": N_("{department}申请延期"),
    "extension_decided": N_("延期已审：{department}"),
    "put_on": N_("挂账"),
    "taken_off": N_("销账，继续办理"),
    "supervised": N_("督办"),
    "escalated": N_("提级"),
    "withdrawn": N_("撤回"),
    "handed_over": N_("{department}换人办理"),
    "joined": N_("又有一位反映人加入"),
    "merged": N_("并入另一件"),
    "parted": N_("从另一件拆出"),
    "confirmed": N_("现场确认：{solved}"),
    "settled": N_("销哨"),
    "reopened": N_("重新办理"),
    "dues_moved": N_("时限重新计算"),
    "reminded": N_("提醒{department}：{clock}即将到期"),
    "overdue": N_("{department}{clock}超时"),
    "numbered": N_("编号 {number}"),
    "recurred": N_("同一处又发生"),
    "scored": N_("评价{department}：{score} 分"),
    "words_erased": N_("文字已依法删除"),
}
HOME = N_("社区")
MINUTE, HOUR, DAY = 60, 3600, 86_400


def now() -> datetime:
    """Give the platform's time."""
    return running.clock.now()


def moment(at: str | datetime) -> datetime:
    """Give a moment in Beijing's time."""
    at = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return at.astimezone(BEIJING)


def exact(at: str | datetime) -> str:
    """Write a moment to the minute; the year where it is another one."""
    at, today = moment(at), now().astimezone(BEIJING)
    if tongue() == "en":
        return at.strftime("%-d %b %H:%M" if at.year == today.year else "%-d %b %Y %H:%M")
    return at.strftime("%-m月%-d日 %H:%M" if at.year == today.year else "%Y年%-m月%-d日 %H:%M")


def span(seconds: float) -> str:
    """Say how long, in the largest unit that fits."""
    seconds = max(0, int(seconds))
    for size, name in ((DAY, "day"), (HOUR, "hour")):
        if seconds >= size:
            return spans(name, seconds // size)
    return spans("minute", max(1, seconds // MINUTE))


def spans(name: str, n: int) -> str:
    if name == "day":
        return ngettext("%(num)d 天", "%(num)d 天", n)
    if name == "hour":
        return ngettext("%(num)d 小时", "%(num)d 小时", n)
    return ngettext("%(num)d 分钟", "%(num)d 分钟", n)


def timed(at: str | datetime, words: str, tone: str = "") -> Markup:
    return Markup('<time datetime="{}" title="{}" class="{}">{}</time>').format(
        moment(at).isoformat(timespec="seconds"), exact(at), tone, words
    )


def ago(at: str | datetime | None) -> Markup | str:
    """Say how long ago something was, with the exact time to hover over; what is older than a week by its day."""
    if not at:
        return ""
    seconds = (now() - moment(at)).total_seconds()
    if seconds < MINUTE:
        return timed(at, _("刚刚"))
    return timed(at, exact(at)) if seconds > 7 * DAY else timed(at, _("%(span)s前", span=span(seconds)))


def on(at: str | datetime | None) -> Markup | str:
    """Write the exact time."""
    return timed(at, exact(at)) if at else ""


def left(due: str | datetime | None) -> Markup | str:
    """Say how long is left, or by how much a limit was overrun."""
    if not due:
        return ""
    seconds = (moment(due) - now()).total_seconds()
    if seconds < 0:
        return timed(due, _("已超时 %(span)s", span=span(-seconds)), "late")
    return timed(due, _("还剩 %(span)s", span=span(seconds)), "soon" if seconds < 2 * HOUR else "")


def stage(code: str) -> Markup:
    """Give a stage as a small badge."""
    tone = TONES.get(code, "over")
    return Markup('<span class="badge {}">{}</span>').format(tone, _(STAGES[code]) if code in STAGES else code)


def word(table: dict, code: str | None) -> str:
    """Give the word for a code of one of the tables above."""
    return _(table[code]) if code in table else (code or "")


def who(department: str) -> str:
    """Give what people call who is summoned: a department, or the community itself."""
    return _(HOME) if department == names.HOME else names.department(department)


def role(code: str) -> str:
    return word(ROLES, code)


def fact(step: dict) -> str:
    """Say one step of a history."""
    data = step["data"]
    if step["fact"] not in FACTS:
        return step["fact"]
    known = {
        "department": who(data["department"]) if data.get("department") else "",
        "instead": who(data["instead"]) if data.get("instead") else "",
        "clock": word(CLOCKS, data.get("clock")), "result": word(RESULTS, data.get("result")),
        "solved": _("已解决") if data.get("solved") else _("没有解决"),
        "number": data.get("number", ""), "score": f"{data.get('score', 0):g}",
    }  # fmt: skip
    return _(FACTS[step["fact"]]).format(**known)


def half(text: str) -> str:
    """Give the reader's half of a ``中文 / English`` text."""
    return say(text, tongue())


def title(thing: dict) -> str:
    """Give a whistle's title, or why there is none to be seen."""
    words = thing.get("words") or {}
    if words.get("title"):
        return words["title"]
    return (
        _("（文字已依法删除）") if words.get("erased") else _("（保密）") if words.get("withheld") else _("（无标题）")
    )


def local(at: datetime) -> str:
    """Write a moment as a form's field for date and time takes it, in Beijing's time."""
    return moment(at).strftime("%Y-%m-%dT%H:%M")


def in_hours(hours: float) -> str:
    return local(now() + timedelta(hours=hours))


def lines(text: str | None) -> Markup:
    """Show what somebody wrote, line by line."""
    return Markup("<br>").join(escape(line) for line in (text or "").splitlines())


FILTERS = {
    "ago": ago, "on": on, "left": left, "stage": stage, "who": who, "role": role, "half": half, "lines": lines,
    "category": names.category, "department": names.department, "whistle_title": title, "local_time": local,
}  # fmt: skip
