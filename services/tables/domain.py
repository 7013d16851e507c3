"""What makes a table good, row by row and within the file: pure rules that know no kind but by its columns."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from shared.contracts.rows import Kind
from shared.errors import Refusal

MOST_ERRORS = 200
REQUIRED = "必填 / required"
LOST_ZEROS = "应为文本:存成数字会丢掉开头的 0 / text: as a number it has lost the 0 that it began with"
IN_ENGLISH_ONLY = {"Missing data for required field.": REQUIRED, "Field may not be null.": REQUIRED}
# What is only tried has an id too; no record ever gets it.
TRIED = "00000000-0000-0000-0000-000000000000"
OUTCOMES = ("new", "changed", "same")
# What must not come back to whoever reads a list of errors.
SECRET = ("password",)


@dataclass(frozen=True)
class Row:
    """One row of a file: where it stands, the texts of its cells, and what they mean once it was read."""

    sheet: str
    line: int
    texts: dict[str, str]
    values: dict = field(default_factory=dict)
    is_good: bool = False

    def wrong(self, kind: Kind, column: str, expected: str) -> dict:
        """Say what is wrong with one cell."""
        found = "…" if column in SECRET else self.texts.get(column, "")[:100]
        where = {"sheet": self.sheet, "line": self.line, "column": kind.titles.get(column, column)}
        return where | {"found": found, "expected": expected}


@dataclass(frozen=True)
class Judged:
    """What carrying a table out would do, and all that speaks against it."""

    summary: dict[str, int]
    errors: list[dict]

    @property
    def listed(self) -> dict:
        """Give the errors as a table lists them: not all of very many, and how many more there are."""
        return {"errors": self.errors[:MOST_ERRORS], "more_errors": max(len(self.errors) - MOST_ERRORS, 0)}


def first_words(said) -> str:
    """Give the first thing that marshmallow says, however deep."""
    while isinstance(said, dict | list) and said:
        said = next(iter(said.values())) if isinstance(said, dict) else said[0]
    return IN_ENGLISH_ONLY.get(str(said), str(said))


def expected(kind: Kind, column: str, said) -> str:
    """Say in plain words what a column takes: its hint rather than the form that its codes have."""
    words = first_words(said)
    hint = kind.row.fields[column].metadata["hint"] if column in kind.row.fields else ""
    return hint if hint and words.startswith("格式应为") else words


def read(kind: Kind, rows: Iterable[dict]) -> tuple[list[Row], list[dict]]:
    """Read each row by its columns; gives all rows, those that are not good among them, and what is wrong."""
    read, errors = [], []
    for row in rows:
        texts = {name: text.strip() for name, text in row["values"].items() if text.strip()}
        values, said = kind.load(texts)
        for name in row.get("numbers", ()):
            column = kind.row.fields.get(name)
            # A mobile number begins with 1: as a number it is whole. A code may have begun with 0, nobody knows.
            if column and column.metadata["zeros"] and (name in said or name != "phone"):
                said[name] = LOST_ZEROS
        one = Row(row.get("sheet", ""), row["line"], texts, values, not said)
        read.append(one)
        errors += [one.wrong(kind, name, expected(kind, name, words)) for name, words in said.items()]
    return read, errors


def twins(kind: Kind, rows: Iterable[Row], key: Callable[[dict], Hashable], column: str) -> Iterator[dict]:
    """A thing stands in a table once."""
    seen: dict[Hashable, Row] = {}
    for row in rows:
        if not row.is_good:
            continue
        first = seen.setdefault(key(row.values), row)
        if first is not row:
            place = f"{first.sheet} {first.line}".strip()
            yield row.wrong(kind, column, f"重复:已在第 {place} 行 / twice: it stands in line {place} already")


def refused(kind: Kind, row: Row, refusal: Refusal, columns: dict[str, str], usual: str) -> Iterator[dict]:
    """Say a refusal of the domain by cell: ``columns`` maps the order's fields to columns, ``usual`` takes the rest."""
    found = {columns.get(name, name) for name in refusal.fields} & kind.row.fields.keys()
    for column in sorted(found) or [usual]:
        yield row.wrong(kind, column, refusal.detail or refusal.title)


def judged(outcomes: Iterable[str], errors: list[dict]) -> Judged:
    """Count what would happen, and put what speaks against it in the order of the file."""
    summary = dict.fromkeys(OUTCOMES, 0)
    for outcome in outcomes:
        summary[outcome] += 1
    sheets: dict[str, int] = defaultdict(lambda: len(sheets))
    for error in errors:
        sheets[error["sheet"]] += 0
    return Judged(summary, sorted(errors, key=lambda error: (sheets[error["sheet"]], error["line"])))
