"""Does every page speak both languages, and is nothing said that nobody has put into the other?"""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.make_gateway import a_gateway

GATEWAY = Path(__file__).parents[2] / "gateway"
PAGES = GATEWAY / "templates" / "pages"
CHINESE = re.compile("[\u3001\u4e00-\u9fff]")
METHODS = [("pages/**.py", "python"), ("templates/pages/**.html", "jinja2")]
WORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
# The name of a language is written in itself; a kind of whistle is a value, and comes with its word.
AS_IT_IS = {"中文", "群众诉求"}


def written() -> set:
    """Give every text that is marked for translation."""
    found = extract_from_dir(str(GATEWAY), method_map=METHODS, keywords=WORDS)
    texts = {text for _, _, text, _, _ in found}
    return {text for text in texts if CHINESE.search(text if isinstance(text, str) else text[0])}


def english() -> dict:
    with (GATEWAY / "translations/en/LC_MESSAGES/messages.po").open("rb") as file:
        return {each.id: each for each in read_po(file, locale="en") if each.id}


def test_every_text_of_the_pages_has_its_english_and_no_translation_is_of_something_gone():
    known = english()
    assert written() - set(known) == set()
    assert set(known) - written() == set()


def test_no_translation_is_empty_fuzzy_or_still_chinese():
    for id, each in english().items():
        said = each.string if isinstance(each.string, tuple) else (each.string,)
        assert all(text.strip() or text == ", " for text in said), id
        assert not each.fuzzy and not any(CHINESE.search(text) for text in said), id


def test_every_translation_keeps_the_places_that_are_filled_in():
    places = re.compile(r"%\(\w+\)[sd]|\{\w+\}|@ ")
    for id, each in english().items():
        if isinstance(id, str):
            assert sorted(places.findall(id)) == sorted(places.findall(each.string)), id


@pytest.mark.parametrize("file", sorted(PAGES.glob("*.html")), ids=lambda file: file.name)
def test_no_chinese_stands_in_a_template_outside_of_what_is_translated(file):
    text = re.sub(r"{#.*?#}", "", file.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"""\b_\(\s*("[^"]*"|'[^']*')""", "", text)
    left = {word for word in re.findall("[\u4e00-\u9fff]+", text)}
    # The design page shows a person and their card, who are data.
    assert left - AS_IT_IS - ({"马志强", "城管专员", "城管执法"} if file.name == "design.html" else set()) == set()


@pytest.mark.parametrize("path", ["/sign-in", "/design", "/nowhere"])
def test_whoever_reads_english_is_shown_no_chinese(path):
    client = a_gateway().test_client()
    page = client.get(path, headers={"Accept-Language": "en", "Accept": "text/html"}).text
    shown = re.sub(r"<[^>]*>", " ", page.replace("中文", ""))
    left = set(re.findall("[\u4e00-\u9fff]+", shown)) - {"马", "马志强", "城管专员", "城管执法", "展览路"}
    assert left - {"群众诉求"} == set() and 'lang="en"' in page


def test_a_language_once_chosen_stays():
    client = a_gateway().test_client()
    client.post("/looks", data={"language": "en", "next": "/sign-in"}, headers={"Origin": "http://localhost"})
    assert "Sign in" in client.get("/sign-in", headers={"Accept-Language": "zh"}).text
