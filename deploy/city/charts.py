"""Charts as inline SVG of our own making: bars, columns and lines that read on a phone and by night.

Each is drawn 400 units wide, so that its letters are as large on a phone as the text around it; colours are the page's
(``--c0`` and on), and lines differ by their dashes, too.
"""

from collections.abc import Callable, Sequence
from html import escape
from math import floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 230, 42, 16, 24, 26
DASHES = ("", "6 3", "2 3", "9 3 2 3", "1 4", "12 4")


def ticks(most: float, about: int = 4) -> list[float]:
    """Give round numbers from nought up to what covers the most."""
    if most <= 0:
        return [0, 1]
    rough = most / about
    size = 10 ** floor(log10(rough))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough * 0.999)
    count = int(-(-most // step)) or 1
    return [step * n for n in range(count + 1)]


def short(value: float) -> str:
    """Write a number as an axis does: 1200 as 1,200, 0.5 as 0.5."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}".rstrip("0").rstrip(".")


def text(x: float, y: float, said: str, anchor: str = "middle", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(said)}</text>'


def frame(body: list[str], label: str, height: float = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{''.join(body)}</svg>"
    )


def grid(most: float, unit: str) -> tuple[list[str], Callable[[float], float]]:
    """Draw the horizontal lines with their numbers; gives with them where a value lies."""
    marks = ticks(most)
    top = marks[-1]

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    body = []
    for each in marks:
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(each):.1f}" y2="{y(each):.1f}" class="rule"/>')
        body.append(text(LEFT - 5, y(each) + 3.5, short(each), "end"))
    if unit:
        body.append(text(LEFT - 5, TOP - 12, unit, "end"))
    return body, y


def hours_below(first: float, last: float) -> tuple[list[str], Callable[[float], float]]:
    """Draw an axis of hours; gives with it where an hour lies."""
    span = max(last - first, 1e-9)

    def x(hour: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (hour - first) / span

    step = next((each for each in (0.25, 0.5, 1, 2, 3, 6) if span / each <= 9), 6)
    body, at = [], first
    while at <= last + 1e-9:
        said = f"{int(at)}:{round(at % 1 * 60):02}" if step < 1 else f"{int(at)}"
        body.append(text(x(at), HEIGHT - BOTTOM + 15, said + ("时" if step >= 1 and at == first else "")))
        at += step
    return body, x


def legend(names: Sequence[str], is_line: bool = False) -> str:
    """Name the series below a chart."""
    found = []
    for n, name in enumerate(names):
        mark = (
            f'<line x1="0" x2="22" y1="5" y2="5" class="line l{n}" stroke-dasharray="{DASHES[n % len(DASHES)]}"/>'
            if is_line
            else f'<rect width="22" height="10" class="f{n}"/>'
        )
        found.append(f'<span><svg viewBox="0 0 22 10" aria-hidden="true">{mark}</svg>{escape(name)}</span>')
    return f'<p class="legend">{"".join(found)}</p>'


def columns(series: Sequence[tuple[str, Sequence[float]]], labels: Sequence[str], label: str, unit: str = "") -> str:
    """Draw columns, the series one upon the other."""
    totals = [sum(each) for each in zip(*(values for _, values in series), strict=True)]
    body, y = grid(max(totals, default=0), unit)
    width = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    every = -(-len(labels) // 12)
    for n, name in enumerate(labels):
        left, below = LEFT + width * n, 0.0
        for k, (_, values) in enumerate(series):
            if values[n]:
                top = y(below + values[n])
                body.append(
                    f'<rect x="{left + width * 0.12:.1f}" y="{top:.1f}" width="{width * 0.76:.1f}" '
                    f'height="{y(below) - top:.1f}" class="f{k}"/>'
                )
            below += values[n]
        if n % every == 0:
            body.append(text(left + width / 2, HEIGHT - BOTTOM + 15, name))
    names = legend([name for name, _ in series]) if len(series) > 1 else ""
    return frame(body, label) + names


def lines(
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    span: tuple[float, float],
    label: str,
    unit: str = "",
    limit: tuple[float, str] | None = None,
) -> str:
    """Draw lines over these hours of the day; ``limit`` is a value that is not to be passed, with its name."""
    most = max((y for _, points in series for _, y in points), default=0)
    body, y = grid(max(most, limit[0] if limit and limit[0] < 3 * most else 0), unit)
    below, x = hours_below(*span)
    body += below
    if limit and limit[0] < 3 * most:
        at = y(limit[0])
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="limit"/>')
        body.append(text(WIDTH - RIGHT, at - 4, limit[1], "end", "limit"))
    for n, (_, mine) in enumerate(series):
        points = [each for each in mine if span[0] <= each[0] <= span[1]]
        if points:
            way = " ".join(f"{'L' if k else 'M'}{x(h):.1f} {y(v):.1f}" for k, (h, v) in enumerate(points))
            dashes = DASHES[n % len(DASHES)]
            body.append(f'<path d="{way}" class="line l{n}" stroke-dasharray="{dashes}"/>')
    return frame(body, label) + (legend([name for name, _ in series], True) if len(series) > 1 else "")


def bars(rows: Sequence[tuple[str, Sequence[float], str]], label: str, names: Sequence[str] = ()) -> str:
    """Draw bars from left to right: a name, its values one after the other, and what is written at its end."""
    size, left, right = 24, 92, 100
    most = max((sum(values) for _, values, _ in rows), default=0) or 1
    body = []
    for n, (name, values, said) in enumerate(rows):
        top, at = n * size + 4, float(left)
        body.append(text(left - 6, top + 12, name, "end", "name"))
        for k, value in enumerate(values):
            width = (WIDTH - left - right) * value / most
            body.append(f'<rect x="{at:.1f}" y="{top}" width="{max(width, 0):.1f}" height="{size - 8}" class="f{k}"/>')
            at += width
        body.append(text(at + 5, top + 12, said, "start"))
    return frame(body, label, len(rows) * size + 6) + (legend(names) if names else "")
