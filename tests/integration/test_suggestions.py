"""Over HTTP a category is suggested to whoever writes; people choose, and what is too long is refused plainly."""

import pytest

from tests.make import Client, a_blow, eventually, fresh


def suggest(client: Client, text: str):
    return client.post("/v1/suggestions", {"text": text})


@pytest.mark.parametrize(
    ("text", "category"), [("三楼阳台违建", "0101"), ("饭馆油烟呛人", "0116"), ("共享单车乱停", "0506")]
)
def test_words_find_their_category_and_say_why(sjy, text, category):
    # 西城区 gets categories of its own from other tests, which fit some of the words better.
    answer = suggest(sjy, text)
    assert answer.status_code == 200, answer.text
    first = answer.json()["items"][0]
    assert first["category"] == category and first["name"] and 0 < first["score"] < 1
    assert first["because"] and all(word in text for word in first["because"])


def test_nothing_comes_of_an_empty_or_unknown_text(wmy):
    for text in ("", "hello", "13812345678"):
        assert suggest(wmy, text).json() == {"items": [], "next": None}


def test_a_hundred_thousand_characters_are_refused(wmy):
    assert suggest(wmy, "阳" * 100_000).status_code == 413
    answer = suggest(wmy, "阳" * 2_061)
    assert answer.status_code == 422 and "text" in answer.json()["fields"]
    assert suggest(wmy, "阳" * 2_060).status_code == 200


def test_a_districts_own_category_is_suggested_to_its_own_people(sign_in, wmy, sjy):
    admin, order = sign_in("xc-admin"), {"code": "2117", "change": fresh(), "name": "路灯照明故障"}
    assert admin.post("/v1/categories", order).status_code == 201
    try:
        text = "楼前路灯好几天不亮"
        eventually(lambda: [each for each in suggest(wmy, text).json()["items"] if each["category"] == "2117"])
        assert suggest(sjy, text).json()["items"] == []
    finally:
        admin.post("/v1/categories", order | {"change": fresh(), "retired": True})


def test_a_resident_may_ask_and_nobody_who_is_not_signed_in(url, sign_in):
    assert suggest(sign_in("xc-res"), "阳台违建").status_code == 200
    assert suggest(Client(url), "阳台违建").status_code == 401


def test_a_whistle_is_of_the_category_that_its_people_chose(wmy):
    order = a_blow(category="0508", title="三楼阳台违建")
    assert wmy.post("/v1/whistles", order).json()["category"] == "0508"
