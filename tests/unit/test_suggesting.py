"""A category is suggested with the words that say so, learned from what people choose, and decided by people only."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.whistle.domain import suggesting as domain
from services.whistle.store.suggesting import everyday
from shared.contracts import events
from shared.contracts.suggestions import MOST_LETTERS, suggest
from shared.contracts.whistle import blow
from shared.errors import Invalid
from tests.make import a_blow

NAMES = events.shipped() | {"2101": "路灯不亮", "2102": "食品过期变质", "2103": "电梯故障"}
PEOPLE = ("zheng", "ma", "lin", "han", "qin")


def a_model(choices=(), names=NAMES) -> domain.Model:
    return domain.Model(names, domain.words_of(names, everyday()), domain.learn(choices))


def suggested(text: str, model: domain.Model | None = None) -> list[str]:
    return [each["category"] for each in domain.suggest(text, model or a_model())]


def chosen(category: str, text: str, times: int = 6, people=PEOPLE) -> list[domain.Choice]:
    """Give so many whistles that say the same and chose the same, of several people."""
    return [domain.Choice(category, people[n % len(people)], text) for n in range(times)]


def some_of_everything(times: int = 3) -> list[domain.Choice]:
    """Give what a district usually has: some of every category, each under its own name."""
    return [choice for code, name in NAMES.items() for choice in chosen(code, f"小区有{name}的情况", times)]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("六层阳台私搭乱建", "0101"),
        ("三楼阳台违建,请拆除", "0101"),
        ("路灯不亮", "2101"),
        ("小区门口的灯坏了好几天,摸黑走路", "2101"),
        ("超市在卖过期罐头", "2102"),
        ("楼前垃圾成堆没人清运", "0102"),
        ("半夜施工噪音太大", "0301"),
        ("饭馆油烟呛人", "0116"),
        ("楼道里堆满杂物", "0507"),
        ("自来水管爆裂,满街跑水", "0402"),
        ("楼道里有煤气味", "0403"),
        ("共享单车停得到处都是", "0506"),
        ("有人在地铁口拉客", "0509"),
        ("门口摆摊卖菜", "0501"),
        ("空调外机吹热风", "0513"),
        ("下水道堵了,往外冒污水", "0404"),
        ("便道上坑坑洼洼", "0110"),
        ("公鸡打鸣,有人养鸡", "0118"),
        ("电梯困人", "2103"),
    ],
)
def test_a_known_sentence_finds_its_category(text, category):
    assert suggested(text)[0] == category


def test_every_category_of_the_standard_is_found_by_its_own_name_and_has_everyday_words():
    for code, name in events.shipped().items():
        assert suggested(f"这里有{name}")[0] == code, name
        assert name in everyday() or name.startswith("其他"), name


def test_the_explanation_names_the_very_words_of_the_text():
    (first, *_) = domain.suggest("三楼阳台向外扩,是违建", a_model())
    assert first["because"] == ["阳台", "外扩", "违建"] and first["name"] == "私搭乱建"
    assert 0 < first["score"] < 1


@settings(max_examples=100, deadline=None)
@given(some.text(max_size=60) | some.text(alphabet="阳台违建垃圾路灯不亮施工噪音,1a\n", max_size=60))
def test_whatever_is_written_at_most_five_come_each_with_words_that_stand_there(text):
    model = a_model(some_of_everything())
    found = domain.suggest(text, model)
    assert len(found) <= 5 and [each["score"] for each in found] == sorted(
        (each["score"] for each in found), reverse=True
    )
    plain = "\n".join(domain.parts(text))
    for each in found:
        assert each["category"] in NAMES and each["because"] and 0 <= each["score"] < 1
        assert all(word in plain for word in each["because"])
        assert sum(map(len, each["because"])) <= len(plain), "no letter speaks twice"


@pytest.mark.parametrize("text", ["", " \n", "hello", "13812345678", "你好", "!?。", "𠀀𠀁"])
def test_an_empty_or_unknown_text_suggests_nothing(text):
    assert domain.suggest(text, a_model(some_of_everything())) == []


def test_what_people_choose_moves_the_ranks():
    text = "门前的围栏被人推倒了"
    assert suggested(text) == []
    learned = a_model(some_of_everything() + chosen("0507", "门前围栏又倒了"))
    assert suggested(text, learned) == ["0507"]
    assert "围栏" in domain.suggest(text, learned)[0]["because"]
    # And against the catalogue's own words, where people keep choosing otherwise.
    assert suggested("广场舞音响太吵")[0] == "0508"
    other = a_model(some_of_everything() + chosen("0409", "广场舞音响太吵", 40))
    assert suggested("广场舞音响太吵", other)[0] == "0409"


def test_what_everybody_writes_says_nothing():
    usual = [choice for code in list(NAMES)[:40] for choice in chosen(code, "尊敬的领导请您尽快处理")]
    assert suggested("尊敬的领导请您尽快处理", a_model(usual)) == []


def test_a_run_of_few_whistles_or_few_people_is_never_learned():
    few_whistles = chosen("0102", "王秀兰家门口", times=domain.LEAST_WHISTLES - 1)
    few_people = chosen("0102", "王秀兰家门口", times=50, people=PEOPLE[: domain.LEAST_PEOPLE - 1])
    one_whistle = chosen("0102", "王秀兰" * 60, times=1)
    for choices in (few_whistles, few_people, one_whistle):
        assert domain.learn(choices).uses == {}
    assert "王秀兰" in domain.learn(few_people + chosen("0102", "王秀兰", 1, ("han",))).uses


def test_letters_and_figures_are_never_learned():
    text = "电话13812345678车牌京A12345邮箱a@b.cn"
    assert all(domain.HAN.fullmatch(run) for run in domain.learn(chosen("0102", text, 50)).uses)


def test_a_category_that_is_no_longer_there_is_not_suggested():
    choices = some_of_everything() + chosen("2101", "路灯不亮", 30)
    names = {code: name for code, name in NAMES.items() if code != "2101"}
    assert "2101" not in suggested("路灯不亮", a_model(choices, names))


def test_the_same_choices_in_any_order_teach_the_same():
    choices = some_of_everything()
    mixed = random.Random(7).sample(choices, len(choices))
    assert domain.learn(mixed).uses == domain.learn(choices).uses


def test_a_hundred_thousand_characters_are_refused_and_the_longest_text_is_quick():
    with pytest.raises(Invalid):
        suggest.load({"text": "阳" * 100_000})
    assert suggest.load({"text": "阳" * MOST_LETTERS})
    model = a_model(some_of_everything())
    text = "".join(random.Random(7).choices("".join(NAMES.values()), k=MOST_LETTERS))
    began = time.process_time()
    domain.suggest(text, model)
    assert time.process_time() - began < 1


def test_a_suggestion_decides_nothing_a_whistle_names_its_category_itself():
    order = a_blow(title="路灯不亮")
    order.pop("category")
    with pytest.raises(Invalid) as refused:
        blow.load(order)
    assert set(refused.value.fields) == {"category"}
