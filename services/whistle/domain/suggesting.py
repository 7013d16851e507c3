"""Which category somebody's words may be about: answered with the very words that say so, and decided by people only.

Two things speak for a category. The *catalogue*: its own name, and the everyday words for what it means. And what
people *chose*: a run of characters that was written in whistles of one category more often than elsewhere. Of what
people wrote a run counts only when at least five whistles of at least three people had it, so that no name, phone or
plate of one person comes to speak; letters and figures never count. What is learned is no record: it is made anew, in
memory, of words that are still there, and lies nowhere; so words that were erased (PIPL Art. 47) leave nothing behind.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST = 5  # suggestions
MOST_WORDS = 6  # that one of them is explained by
SHORTEST, LONGEST = 2, 4  # characters of a run
LEAST_WHISTLES, LEAST_PEOPLE = 5, 3
MOST_LETTERS = 200  # of one whistle that are learned from
DOUBT = 2.0  # whistles that speak against every run: what was seen rarely speaks softly
HAN = re.compile("[\u3400-\u9fff]+")


@dataclass(frozen=True)
class Choice:
    """What one whistle's people wrote, and the category that they chose."""

    category: str
    person: str
    text: str


@dataclass(frozen=True)
class Learned:
    """How often each run of characters was written in whistles of which category, and how many whistles each has."""

    uses: dict[str, dict[str, int]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """What a district's suggestions stand on: its categories by name, what its words mean, what its people chose."""

    names: Mapping[str, str]
    words: Mapping[str, frozenset[str]]
    learned: Learned = field(default_factory=Learned)


def parts(text: str) -> list[str]:
    """Give the stretches of Chinese characters in a text: what is written in letters and figures is nobody's word."""
    return HAN.findall(unicodedata.normalize("NFKC", text))


def runs(text: str) -> set[str]:
    """Give every run of two to four characters; none goes across a mark, a letter or a figure."""
    return {
        part[at:end]
        for part in parts(text)
        for at in range(len(part))
        for end in range(at + SHORTEST, min(at + LONGEST, len(part)) + 1)
    }


def words_of(names: Mapping[str, str], everyday: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Give what each word of the catalogue may mean, ``{word: codes}``.

    Everyday words mean every category whose name has the words that they stand for. A name that nobody has written
    everyday words for, as a district's own may be, speaks by its own runs.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for code, name in names.items():
        plain = "".join(parts(name))
        means = [said for said in everyday if "".join(parts(said)) in plain]
        own = set() if name in everyday or name.startswith("其他") else runs(name)
        for word in own.union(parts(name), *(everyday[said] for said in means)):
            found[word].add(code)
    return {word: frozenset(codes) for word, codes in found.items() if len(word) >= SHORTEST}


def learn(choices: Iterable[Choice]) -> Learned:
    """Learn from what people chose: runs of at least five whistles and three people, each whistle once."""
    written = [(each, runs(each.text[:MOST_LETTERS])) for each in choices]
    counts = Counter(run for _, found in written for run in found)
    often = {run for run, count in counts.items() if count >= LEAST_WHISTLES}
    people: dict[str, set[str]] = defaultdict(set)
    uses: dict[str, Counter] = defaultdict(Counter)
    for choice, found in written:
        for run in found & often:
            people[run].add(choice.person)
            uses[run][choice.category] += 1
    kept = {run: dict(uses[run]) for run in sorted(often) if len(people[run]) >= LEAST_PEOPLE}
    return Learned(kept, dict(Counter(choice.category for choice, _ in written)))


def weights(run: str, model: Model) -> dict[str, float]:
    """Give how much one run speaks for each category: more when it is longer, and when it means few of them."""
    means = model.words.get(run, frozenset())
    found = {code: (len(run) - 1) / len(means) for code in means}
    used, all_of_them = model.learned.uses.get(run, {}), sum(model.learned.totals.values())
    for code, count in used.items():
        # More often than this category is chosen anyway: a run that everybody writes says nothing.
        more = count / (sum(used.values()) + DOUBT) - model.learned.totals[code] / all_of_them
        if code in model.names and more > 0:
            found[code] = found.get(code, 0.0) + 3 * more
    return found


def suggest(text: str, model: Model) -> list[dict]:
    """Give at most five categories, the likeliest first, each with a score below 1 and the words that speak for it.

    No letter of the text speaks twice for one category: of runs that overlap the weightiest counts, then the longest.
    """
    plain = "\n".join(parts(text))
    speaking: dict[str, list[tuple[float, int, int, str]]] = defaultdict(list)
    for run in (runs(text) & model.learned.uses.keys()) | {word for word in model.words if word in plain}:
        for code, weight in weights(run, model).items():
            speaking[code].append((-weight, -len(run), plain.index(run), run))
    found = []
    for code, candidates in speaking.items():
        taken: list[tuple[float, int, str]] = []
        for weight, _, at, run in sorted(candidates):
            if all(at + len(run) <= other or other + len(said) <= at for _, other, said in taken):
                taken.append((-weight, at, run))
        total = sum(weight for weight, _, _ in taken)
        because = [run for _, _, run in taken[:MOST_WORDS]]
        found.append({"category": code, "name": model.names[code], "score": total / (total + 2), "because": because})
    found.sort(key=lambda each: (-each["score"], each["category"]))
    return [each | {"score": round(each["score"], 2)} for each in found[:MOST]]
