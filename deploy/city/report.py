"""Writes what was seen of a day as one page of HTML: nothing from elsewhere in it, each chart with its table."""

import os
import platform as machine
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import psutil

from deploy.city import charts
from deploy.city.books import TOLD_AS
from deploy.city.day import HABITS, PEOPLE_OF, REAL_A_DAY, SNAP_SHARE, WEEKDAYS, Day
from deploy.city.play import FOLLOW, Done, Playing, Sample
from services.roster.store.districts import district_names

REAL_A_SECOND = REAL_A_DAY / 86_400
LAG_GOAL = 2.0  # seconds that a click may take to another screen
WINDOW = 30.0  # real seconds of which the sustained rate is the mean
STEPS = {
    "blow": "吹哨", "sign": "签收", "contact": "联系", "report": "报到", "take_up": "处置", "answer": "反馈",
    "send_back": "退单", "decide": "退单审核", "summon": "召集", "confirm": "确认", "rate": "评价", "settle": "销哨",
    "reopen": "重办", "look": "看待办",
}  # fmt: skip
STAGES = {"dispatched": "办理中", "answered": "待确认", "confirmed": "已确认", "settled": "已销哨"}
SUMS = {
    "whistles": "吹哨 whistles", "calls": "派单 summonses", "reports": "报到 report-ins", "answers": "反馈 results",
    "confirmations": "确认 looked at", "returns": "退单 objections", "reopened": "重办 reopened",
    "ratings": "评价 ratings", "problems": "解决问题 problems", "structures": "拆违处数 structures",
    "area": "拆违面积 0.01 m²",
}  # fmt: skip
FACTS = (*dict.fromkeys(TOLD_AS.values()), *(each for each in FOLLOW if each != "called"))
DAYS = "一二三四五六日"
STYLE = Path(__file__).with_name("report.css")


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value below which a share of sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"


def best(done: Sequence[tuple[float, float]], window: float = WINDOW, goal: float = LAG_GOAL) -> float:
    """Give the highest rate that held for a window while the lag (p95) stayed within the goal.

    ``done`` are (clicked, lag), in the order of the clicks.
    """
    found, first = 0.0, 0
    for last, (clicked, _) in enumerate(done):
        while clicked - done[first][0] > window:
            first += 1
        # Only whole windows count: so many clicks, and the next one lies beyond.
        is_whole = clicked - done[0][0] >= window
        rate = (last - first + 1) / window
        if is_whole and rate > found and quantile(sorted(lag for _, lag in done[first : last + 1]), 0.95) <= goal:
            found = rate
    return found


@dataclass
class Told:
    """A day that was played and recounted, and all that the report says of it."""

    day: Day
    speed: float
    opened: dict
    playing: Playing
    counted: dict
    orders: int
    began: float

    # -- what differs ---------------------------------------------------------------------------------------------

    @cached_property
    def wrong(self) -> list[str]:
        """Name everything by which the platform and the books differ: any of it fails the run."""
        seen, facts = self.playing.seen, self.playing.books.facts
        found = [*seen.refused, *self.counted["differences"]]
        found += [f"{name}: {count} parked" for name, count in sorted(seen.parked.items())]
        found += [f"另有 {self.counted['more']} 处 / more"] if self.counted["more"] else []
        found += [
            f"{district}: {name} told {seen.facts[district][name]} times, not {facts[district][name]}"
            for district in sorted(facts)
            for name in FACTS
            if seen.facts[district][name] != facts[district][name]
        ]
        acknowledged = sum(each.step != "look" for each in seen.done)
        if len(seen.done) != self.orders:
            found.append(f"{len(seen.done)} of {self.orders} orders were carried out")
        if missing := acknowledged - len(self.lagged):
            found.append(f"{missing} acknowledged orders never came to a stream")
        found += [] if self.counted["verified"] else ["history: " + " ".join(self.counted["proof"][-3:])]
        return found

    # -- what was measured ----------------------------------------------------------------------------------------

    @property
    def seen(self):
        return self.playing.seen

    @cached_property
    def lagged(self) -> list[tuple[Done, float]]:
        """Give every order with its lag from click to stream, in the order of the clicks."""
        pairs = ((each, self.seen.lag(each)) for each in self.seen.done)
        return sorted(((each, lag) for each, lag in pairs if lag is not None), key=lambda pair: pair[0].clicked)

    @cached_property
    def lags(self) -> list[float]:
        return sorted(lag for _, lag in self.lagged)

    @cached_property
    def sustained(self) -> float:
        return best([(each.clicked, lag) for each, lag in self.lagged])

    @property
    def whistles(self) -> int:
        return len(self.playing.books.cases)

    @property
    def span(self) -> tuple[float, float]:
        return float(self.day.hours[0]), float(self.day.hours[1])

    @cached_property
    def samples(self) -> list[Sample]:
        """Give what was watched while the day was played."""
        return [each for each in self.seen.samples if each.hour <= self.span[1] + 1] or self.seen.samples

    @cached_property
    def rates(self) -> list[tuple[float, float]]:
        """Give (hour, orders in a real second) between one look and the next."""
        pairs = zip(self.samples, self.samples[1:], strict=False)
        return [(b.hour, (b.done - a.done) / (b.at - a.at)) for a, b in pairs if b.at > a.at]

    def by_time(self, parts: int = 48) -> dict[int, list[float]]:
        """Give the lags of each part of the span, sorted."""
        first, last = self.span
        found: dict[int, list[float]] = defaultdict(list)
        for each, lag in self.lagged:
            found[min(parts - 1, int((each.hour - first) / (last - first) * parts))].append(lag)
        return {n: sorted(mine) for n, mine in sorted(found.items())}

    @cached_property
    def spent(self) -> dict[str, float]:
        """Give the milliseconds of processor that each process took for one order, on average."""
        if len(self.seen.samples) < 2:
            return {}
        first, last = self.seen.samples[0], self.seen.samples[-1]
        orders = max(1, last.done - first.done)
        return {
            name: 1000 * (seconds - first.spent[name]) / orders
            for name, seconds in last.spent.items()
            if name in first.spent
        }

    @property
    def bears(self) -> float:
        """Give the orders in a second at which all processors would be busy with the platform and its simulator."""
        return 1000 * (psutil.cpu_count() or 1) / (sum(self.spent.values()) or 1)

    @property
    def mean_speed(self) -> float:
        first, last = self.day.hours
        return (last - first) * 3600 / max(self.seen.played, 1)

    @property
    def arrivals(self) -> float:
        """Give the whistles that came in a real second, on average."""
        return self.whistles / max(self.seen.played, 1)

    def sum_of(self, of: str, name: str) -> int:
        return sum(each.get(name, 0) for each in self.counted[of].values())

    def stages(self) -> Counter:
        found: Counter = Counter()
        for each in self.counted["sums"].values():
            found.update({name: count for name, count in each.items() if name.startswith("stage ")})
        return Counter({name.removeprefix("stage "): count for name, count in found.items()})

    def kept(self) -> dict[tuple[str, str], Counter]:
        """Give how limits were kept, by how a department works and which limit it was."""
        found: dict[tuple[str, str], Counter] = defaultdict(Counter)
        for key, counted in self.counted["limits"].items():
            district, department, clock = key.split(" ")
            habit = self.day.habits.get((district, department))
            name = habit.said if habit else "社区" if department else "整件"
            found[name, clock].update(counted)
        return found


# -- the page ----------------------------------------------------------------------------------------------------------


def english(said: str) -> str:
    return f'<span lang="en">{escape(said)}</span>'


def table(head: Iterable[str], rows: Iterable[Sequence[object]], kind: str = "") -> str:
    """Write a table; what is not text is a number and stands at the right."""
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell)}</td>" if isinstance(cell, str) else f'<td class="n">{number(cell)}</td>'
            for cell in row
        )
        + "</tr>"
        for row in rows
    )
    top = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    return f'<div class="wide"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def figure(title: str, said: str, chart: str, note: str, data: str) -> str:
    """Write a chart with what it shows, and its table folded up below it."""
    return (
        f"<figure><figcaption>{escape(title)} {english(said)}</figcaption>{chart}"
        f'<p class="note">{note}</p><details><summary>数据表 {english("table")}</summary>{data}</details></figure>'
    )


def tile(value: str, said: str, also: str) -> str:
    return f"<li><b>{escape(value)}</b><span>{escape(said)}</span>{english(also)}</li>"


def written(told: Told) -> str:
    """Write the whole page."""
    day = told.day
    title = f"北京的一天 {day.date}"
    right = not told.wrong
    verdict = (
        f'<p class="verdict good"><b>✓ 数目全对</b> {english("every sum is right")}</p>'
        if right
        else f'<div class="verdict bad"><p><b>✗ 有差异</b> {english("something differs")}</p><ul>'
        + "".join(f"<li>{escape(each)}</li>" for each in told.wrong[:30])
        + "</ul></div>"
    )
    parts = [
        f"<header><p class='mark'>呼应 Huying</p><h1>北京的一天 {english('A day of Beijing')}</h1>"
        f"<p>{day.date} 星期{DAYS[day.date.weekday()]}{'' if day.is_workday else '(休息日)'}"
        f"{'' if day.hours == (0, 24) else f',{day.hours[0]}–{day.hours[1]} 时'} · "
        f"种子 <code>{escape(day.seed)}</code> · "
        f"{len(day.districts)} 区 {len(day.stations)} 街道乡镇</p></header>",
        verdict,
        f"<ul class='tiles'>{''.join(tiles(told))}</ul>",
        scaled(told),
        f"<h2>这一天 {english('The day')}</h2><div class='charts'>{arrivals(told)}{ended(told)}</div>",
        f"<h2>平台 {english('The platform')}</h2><div class='charts'>"
        f"{rates(told)}{lag_of_day(told)}{lag_of_steps(told)}{queues(told)}{memories(told)}{busy(told)}</div>",
        f"<h2>办理 {english('How it was handled')}</h2><div class='charts'>{by_district(told)}{habits(told)}</div>",
        sums(told),
        made_by(told),
    ]
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} · 呼应</title><style>{STYLE.read_text('utf-8')}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def tiles(told: Told) -> Iterable[str]:
    settled = told.stages()["settled"]
    memory = max((sum(each.memory.values()) for each in told.samples), default=0)
    yield tile(f"{told.whistles:,}", "件哨", "whistles")
    yield tile(f"{len(told.seen.done):,}", "项操作", "orders over HTTP")
    yield tile(f"{told.sum_of('sums', 'reports'):,}", "人次报到", "report-ins")
    yield tile(f"{100 * settled / max(told.whistles, 1):.0f} %", "当日销哨", "settled the same day")
    yield tile(f"{told.sustained:.0f} /秒", f"持续 {WINDOW:.0f} 秒的办理量", "orders, highest sustained, lag ≤ 2 s")
    yield tile(f"{ms(quantile(told.lags, 0.5))} ms", "点击到另一屏,中位", "click to another screen, p50")
    yield tile(f"{ms(quantile(told.lags, 0.95))} ms", "点击到另一屏,95%", "p95")
    yield tile(f"{memory:,.0f} MB", "平台内存最高", "most memory")


def scaled(told: Told) -> str:
    """Say what was scaled, chosen and assumed."""
    day, opened = told.day, told.opened
    of_week = WEEKDAYS[day.date.weekday()] * 7 / sum(WEEKDAYS)
    real = REAL_A_DAY * of_week * day.of_city * sum(day.curve[slice(*day.hours)])
    roles = opened["roles"]
    without = f"({'、'.join(day.without)}在 2023 年区划里没有社区,不设站)" if day.without else ""
    said = [
        (
            f"<b>量</b>:真实约 {real:,.0f} 件(2023 年 2143 万件,日均 {REAL_A_DAY:,},星期系数 {of_week:.2f}),"
            f"这里按 <b>{day.scale * 100:.3g} %</b> 演,另加寒潮激增 {SNAP_SHARE:.0%}。"
            "真实来电里近六成是咨询,这里每件都当作要办的事,走完整流程。",
            f"Volume: of about {real:,.0f} real calls {day.scale * 100:.3g} % are played, and a cold snap on top. Of "
            "the real ones nearly six in ten are questions; here each is a matter that goes the whole way.",
        ),
        (
            f"<b>钟</b>:快 <b>{told.speed:g} 倍</b>,平台忙不过来时自己放慢(实际平均 {told.mean_speed:.0f} 倍),"
            f"演了 {told.seen.played / 60:.1f} 分钟。平台每真实秒收到 {told.arrivals:.1f} 件哨,"
            f"是北京真实平均(0.68 件)的 <b>{told.arrivals / REAL_A_SECOND:.1f} 倍</b>。",
            f"Clock: {told.speed:g} times faster, slower by itself while the platform has too much to do (on average "
            f"{told.mean_speed:.0f}). {told.arrivals:.1f} whistles come in a real second, "
            f"{told.arrivals / REAL_A_SECOND:.1f} times Beijing's real mean of 0.68.",
        ),
        (
            f"<b>人</b>:{opened['streets']} 个街道乡镇各取一个社区设站{without},每站一位书记、一位居民,每街一位协调员"
            f"({roles['secretary']}+{roles['resident']}+{roles['street']});"
            f"每区 {len(day.departments)} 个部门各两位专员、一位负责人({roles['specialist']}+{roles['lead']})。"
            f"共 {opened['people']:,} 人,{opened['seats']:,} 个岗位,{opened['away']} 位专员当天请假,"
            f"由同事顶岗。均经接口开通,用时 {opened['seconds']:.0f} 秒。",
            "People: of each street one community with a head and a resident, and the street's coordinator; of each "
            "department in each district two specialists and a lead. All were let in over the API.",
        ),
        (
            "<b>假定</b>:各时段与星期的分布、事项构成、部门习惯(快、平常、慢、常退单)、居民是否确认、街道间的多少与地点,"
            "都是本程序的假定,不是公布的数字;各区按 2020 年普查人口分。当天从零开始,没有前一天留下的件;"
            "到 24 时未办完的就是未办完。",
            "Assumed, not published: hours and weekdays, what is called about, how departments and residents behave, "
            "what each street has and where. Districts follow the census of 2020. The day begins with nothing open.",
        ),
    ]
    items = "".join(f"<li>{chinese} {english(also)}</li>" for chinese, also in said)
    title = f"缩放与假定 {english('What was scaled and assumed')}"
    return f"<section class='scaled'><h2>{title}</h2><ul>{items}</ul></section>"


def arrivals(told: Told) -> str:
    day, (first, last) = told.day, told.day.hours
    usual, snap = Counter(), Counter()
    for at, of_snap in day.moments():
        (snap if of_snap else usual)[int((at - day.midnight).total_seconds() // 3600)] += 1
    hours = range(first, last)
    series = [("平常 usual", [usual[n] for n in hours]), ("寒潮 cold snap", [snap[n] for n in hours])]
    chart = charts.columns(series, [str(n) for n in hours], "每小时来件", "件")
    api = Counter()
    for each in told.counted["sums"].values():
        for n in hours:
            api[n] += each.get(f"hour {n:02}", 0)
    begins = day.snap_begins
    busiest = max(hours, key=lambda n: usual[n] + snap[n])
    peak = (usual[busiest] + snap[busiest]) / max(1, sum(usual.values()) / len(hours))
    note = (
        f"寒潮自 {begins:%H:%M} 起约一个半小时;最忙的一小时({busiest} 时)是平均的 {peak:.1f} 倍。"
        f"{english(f'The busiest hour is {peak:.1f} times the mean.')}"
    )
    rows = [(f"{n}–{n + 1} 时", usual[n], snap[n], usual[n] + snap[n], api[n]) for n in hours]
    head = ("时段 hour", "平常 usual", "寒潮 snap", "计划 planned", "接口清点 by the API")
    return figure("每小时来件", "Whistles by hour", chart, note, table(head, rows))


def ended(told: Told) -> str:
    stages = told.stages()
    rows = [(said, [stages[stage]], f"{stages[stage]:,}") for stage, said in STAGES.items()]
    note = (
        "夜里才反馈、次日才上班、居民没有回音的,当天不会销。"
        f"{english('What is answered at night, or nobody confirms, is not settled on the day.')}"
    )
    data = table(("环节 stage", "件 whistles"), [(STAGES.get(each, each), count) for each, count in stages.items()])
    chart = charts.bars(rows, "日终各环节件数")
    return figure("日终在哪一环节", "Where they stand at the end", chart, note, data)


def rates(told: Told) -> str:
    behind = sorted(each.clicked - each.due for each in told.seen.done)
    chart = charts.lines([("操作 orders", told.rates)], told.span, "每真实秒操作数", "/秒")
    most = max((rate for _, rate in told.rates), default=0)
    note = (
        f"平均 {len(told.seen.done) / max(told.seen.played, 1):.0f},最高 {most:.0f};持续 {WINDOW:.0f} 秒且时延合格的"
        f"最高 {told.sustained:.0f}。演示程序自己晚点:中位 {ms(quantile(behind, 0.5))} ms,"
        f"95% {ms(quantile(behind, 0.95))} ms,最晚 {quantile(behind, 1):.1f} 秒。"
        f"{english('How late the simulator itself was is counted apart.')}"
    )
    speeds = [each.speed for each in told.samples[1:]]
    rows = [(clock(hour), rate, speed) for (hour, rate), speed in zip(told.rates, speeds, strict=False)]
    head = ("时刻 at", "操作/秒 orders/s", "钟 ×clock")
    return figure("办理量", "Orders in a real second", chart, note, table(head, rows))


def clock(hour: float) -> str:
    return f"{int(hour) % 24:02}:{int(hour % 1 * 60):02}"


def lag_of_day(told: Told) -> str:
    parts, (first, last) = told.by_time(), told.span
    size = (last - first) / 48
    points = [
        (name, [(first + (n + 0.5) * size, quantile(mine, part) * 1000) for n, mine in parts.items()])
        for name, part in (("中位 p50", 0.5), ("95% p95", 0.95))
    ]
    chart = charts.lines(points, told.span, "点击到另一屏的时延", "ms", (LAG_GOAL * 1000, "目标 2 秒"))
    over = sum(lag > LAG_GOAL for lag in told.lags)
    note = (
        f"从点下按钮到另一块屏幕看到;{len(told.lags):,} 次,超过 2 秒的 {over:,} 次,"
        f"最久 {quantile(told.lags, 1):.1f} 秒。"
        f"{english('From a click to the stream of another screen, in real time.')}"
    )
    rows = [
        (clock(first + n * size), len(mine), *(round(quantile(mine, part) * 1000) for part in (0.5, 0.95, 1)))
        for n, mine in parts.items()
    ]
    head = ("起 from", "次 count", "p50 ms", "p95 ms", "最久 max ms")
    return figure("时延,全天", "Lag through the day", chart, note, table(head, rows))


def lag_of_steps(told: Told) -> str:
    answers, lags = defaultdict(list), defaultdict(list)
    for each in told.seen.done:
        answers[each.step].append(each.answered - each.clicked)
    for each, lag in told.lagged:
        lags[each.step].append(lag)
    shown = [each for each in STEPS if answers[each]]
    for each in shown:
        answers[each].sort()
        lags[each].sort()
    rows, bars = [], []
    for each in shown:
        came = [round(quantile(lags[each], part) * 1000) for part in (0.5, 0.95, 1)] if lags[each] else ["—"] * 3
        took = [round(quantile(answers[each], part) * 1000) for part in (0.5, 0.95)]
        rows.append((f"{STEPS[each]} {each}", len(answers[each]), *took, *came))
        if lags[each]:
            middle, high = quantile(lags[each], 0.5), quantile(lags[each], 0.95)
            bars.append((STEPS[each], [middle * 1000, (high - middle) * 1000], f"{ms(middle)}–{ms(high)}"))
    chart = charts.bars(bars, "各步时延", ("中位 p50", "到 95% to p95"))
    rung = sorted(told.seen.rung)
    ring = (
        f"到时响铃 {len(rung):,} 次,比到点晚(真实秒):中位 {quantile(rung, 0.5):.1f},95% {quantile(rung, 0.95):.1f}。"
        if rung
        else ""
    )
    note = f"毫秒。{ring}{english('Milliseconds from click to another screen; answers are in the table.')}"
    head = ("步 step", "次 count", "应答 p50 ms", "应答 p95", "到屏 p50 ms", "到屏 p95", "到屏最久 max")
    return figure("时延,逐步", "Lag by step", chart, note, table(head, rows))


def queues(told: Told) -> str:
    most: Counter = Counter()
    for sample in told.samples:
        for name, depth in sample.queues.items():
            most[name] = max(most[name], depth)
    top = [name for name, depth in most.most_common(4) if depth]
    series = [("合计 all", [(each.hour, sum(each.queues.values())) for each in told.samples])]
    series += [(name, [(each.hour, each.queues.get(name, 0)) for each in told.samples]) for name in top]
    chart = charts.lines(series, told.span, "队列里的消息数", "条")
    at_end = sum(told.seen.samples[-1].queues.values()) if told.seen.samples else 0
    note = (
        f"最深 {max((sum(each.queues.values()) for each in told.samples), default=0):,} 条;演完排空后 {at_end} 条。"
        f"{english('Messages in the broker: waiting, or taken and not yet acknowledged.')}"
    )
    head = ("队列 queue", "最深 most")
    return figure("队列深度", "Queue depths", chart, note, table(head, most.most_common()))


def memories(told: Told) -> str:
    names = sorted({name for each in told.samples for name in each.memory})
    most = {name: max(each.memory.get(name, 0) for each in told.samples) for name in names}
    top = sorted(names, key=lambda name: -most[name])[:4]
    series = [("合计 all", [(each.hour, sum(each.memory.values())) for each in told.samples])]
    series += [(name, [(each.hour, each.memory.get(name, 0)) for each in told.samples]) for name in top]
    chart = charts.lines(series, told.span, "平台内存", "MB")
    first, last = (sum(told.samples[n].memory.values()) for n in (0, -1)) if told.samples else (0, 0)
    note = (
        f"开始 {first:,.0f} MB,结束 {last:,.0f} MB。比例分摊(PSS),数据库是内嵌的。"
        f"{english('PSS; the database is the embedded one.')}"
    )
    rows = [
        (name, told.samples[0].memory.get(name, 0.0), most[name], told.samples[-1].memory.get(name, 0.0))
        for name in sorted(names, key=lambda name: -most[name])
    ]
    head = ("进程 process", "开始 MB", "最高 MB", "结束 MB")
    return figure("内存", "Memory", chart, note, table(head, rows))


def busy(told: Told) -> str:
    series = [
        ("整机 machine", [(each.hour, each.busy) for each in told.samples]),
        ("其中演示程序 the simulator", [(each.hour, each.own) for each in told.samples]),
    ]
    chart = charts.lines(series, told.span, "处理器占用", "%")
    mean = sum(each.busy for each in told.samples) / max(1, len(told.samples))
    own = sum(each.own for each in told.samples) / max(1, len(told.samples))
    note = (
        f"{psutil.cpu_count()} 核,平均 {mean:.0f} %,其中演示程序 {own:.0f} %;同机的其他程序也算在整机里。"
        f"每项操作耗处理器 {sum(told.spent.values()):.1f} ms,照此独用本机的上限约 "
        f"{told.bears:.0f} 项/秒。"
        f"{english('Of all cores, with whatever else runs; what an order costs says how many the machine bears.')}"
    )
    rows = [(clock(each.hour), each.busy, each.own) for each in told.samples]
    costs = sorted(((name, cost) for name, cost in told.spent.items()), key=lambda pair: -pair[1])
    data = table(("进程 process", "毫秒/项 ms for an order"), costs)
    data += table(("时刻 at", "整机 %", "演示程序 %"), rows)
    return figure("处理器", "Processors", chart, note, data)


def by_district(told: Told) -> str:
    names, rows, bars = district_names(), [], []
    for code in sorted(told.day.districts, key=lambda code: -told.counted["sums"].get(code, {}).get("whistles", 0)):
        mine = told.counted["sums"].get(code, {})
        count, settled = mine.get("whistles", 0), mine.get("stage settled", 0)
        streets = sum(each.district == code for each in told.day.stations)
        rows.append(
            (
                names[code], streets, PEOPLE_OF[code] / 10_000, count, settled, count - settled, mine.get("reports", 0),
                mine.get("returns", 0), mine.get("reopened", 0),
            )
        )  # fmt: skip
        bars.append((names[code], [settled, count - settled], f"{settled:,}/{count:,}"))
    chart = charts.bars(bars, "各区件数", ("已销 settled", "未销 open"))
    head = ("区 district", "街道 streets", "万人 ×10⁴", "件", "已销", "未销", "报到", "退单", "重办")
    note = f"已销/全部。{english('Settled of all.')}"
    return figure("各区", "By district", chart, note, table(head, rows))


def habits(told: Told) -> str:
    kept, rows, bars = told.kept(), [], []
    for said in [*(each.said for each in HABITS), "社区"]:
        mine = {clock: counted for (name, clock), counted in kept.items() if name == said}
        cells = []
        for each in ("sign", "contact", "report", "resolve"):
            counted = mine.get(each, Counter())
            total = sum(counted.values())
            cells += [total, 100 * counted["kept"] / total if total else "—"]
        departments = sum(each.said == said for each in told.day.habits.values())
        rows.append((said, departments or "—", *cells))
        if total := sum(mine.get("sign", Counter()).values()):
            good = mine["sign"]["kept"]
            bars.append((said, [good, total - good], f"{100 * good / total:.0f} %"))
    chart = charts.bars(bars, "签收时限", ("按时 kept", "超时 late"))
    head = ("习惯 habit", "部门", "签收", "按时 %", "联系", "按时 %", "报到", "按时 %", "办结", "按时 %")
    note = f"签收时限守住几成;部门的习惯由种子定。{english('Limits for signing, by how a department works.')}"
    return figure("时限", "Limits", chart, note, table(head, rows))


def sums(told: Told) -> str:
    """Write the books beside what the API shows and what the streams told."""
    rows = []
    for name, said in SUMS.items():
        mine, theirs = told.sum_of("wanted", name), told.sum_of("sums", name)
        rows.append((said, mine, theirs, theirs - mine))
    facts = told.playing.books.facts
    told_rows = []
    for name in FACTS:
        mine = sum(each[name] for each in facts.values())
        theirs = sum(each[name] for each in told.seen.facts.values())
        told_rows.append((name, mine, theirs, theirs - mine))
    heard = [
        (name, sum(each[name] for each in facts.values()), theirs := told.sum_of("figures", name),
         theirs - sum(each[name] for each in facts.values()))
        for name in ("blown", "reported", "settled")
    ]  # fmt: skip
    statuses = ", ".join(
        f"{status or '无应答'} × {count:,}" for status, count in sorted(told.playing.on.statuses.items())
    )
    head = ("", "演示程序的账 books", "平台 platform", "差 difference")
    return (
        f"<section><h2>对账 {english('Sums')}</h2><p>逐件核对 {told.counted['whistles']:,} 件的环节、部门、主办、"
        f"报到、结果;{told.counted['registers']:,} 个街道的编号各自连续;"
        f"全部历史{'核验无误' if told.counted['verified'] else '有断裂'}。"
        f"{english('Each whistle was compared, each register has no gap, and the histories were verified.')}</p>"
        f"<div class='charts'><div><h3>接口清点 {english('recounted over the API')}</h3>{table(head, rows)}"
        f"<h3>统计服务 {english('what the figures service counted')}</h3>{table(head, heard)}</div>"
        f"<div><h3>事件流 {english('told on the streams')}</h3>{table(head, told_rows)}</div></div>"
        f"<p class='note'>应答 {english('answers')}: {escape(statuses)}</p></section>"
    )


def made_by(told: Told) -> str:
    """Say on what machine, how long, and how to have the same day again."""
    day = told.day
    order = f"make city seed={day.seed} date={day.date} scale={day.scale:g} speed={told.speed:g}"
    if len(day.districts) < 16:
        order += f" districts={','.join(day.districts)}"
    if day.hours != (0, 24):
        order += f" hours={day.hours[0]}-{day.hours[1]}"
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"<footer><p><code>{escape(order)}</code></p><p>{psutil.cpu_count()} 核,{memory:.0f} GB,Linux "
        f"{escape(machine.release())},Python {machine.python_version()},开始前负载 {os.getloadavg()[2]:.1f}(15 分钟);"
        f"全程 {(time.monotonic() - told.began) / 60:.1f} 分钟。</p></footer>"
    )
