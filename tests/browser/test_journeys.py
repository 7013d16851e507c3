"""One journey for each role, each step seen by the others on their own pages."""

import re

import pytest

from tests.browser.conftest import DESK
from tests.make import fresh

LAMP = "二单元三层楼道里的灯不亮了，晚上老人上下楼很危险。"


def blow(resident, text: str, photo=None, building: str = "万明园3号楼") -> str:
    """Have a resident blow the green whistle; gives the words by which everybody finds it."""
    mark = fresh()[:6]
    page = resident.page
    resident.follow("吹哨")
    if photo:
        page.locator("input[type=file]").set_input_files(photo)
    page.get_by_label("是什么事").fill(text.replace("，", f"{mark}，", 1))
    option = page.locator("#unit option").filter(has_text=building).first.get_attribute("value")
    page.get_by_label("哪栋楼").select_option(option)
    page.get_by_label("具体位置").fill("二单元三层")
    resident.press("下一步")
    resident.sees("因为您提到")
    resident.press("吹哨")
    resident.sees("哨吹出去了")
    return mark


def solve_at_home(station, mark: str) -> None:
    """Have the station take it on, come, and solve it."""
    station.page.reload()
    station.page.get_by_role("link", name=re.compile(mark)).first.click()
    station.press("签收")
    station.sees("已签收")
    station.opens("我到现场了")
    station.form("我到现场了").get_by_role("button").last.click()
    station.sees("已报到")
    station.opens("反馈结果")
    form = station.form("反馈结果")
    form.get_by_label("已解决").check()
    form.get_by_label("怎样办的").fill("换了灯泡，亮了。")
    form.get_by_role("button", name="反馈结果").click()
    station.sees("已反馈")


@pytest.mark.parametrize("scripts", [True, False], ids=["", "without-scripts"])
def test_a_resident_blows_the_station_solves_it_at_home_and_the_resident_confirms(visit, photo, scripts):
    resident, station = visit("xc-res", scripts=scripts), visit("wmy", scripts=scripts)
    mark = blow(resident, LAMP, photo)
    assert resident.page.locator(".photos img").count() == 1
    solve_at_home(station, mark)
    resident.page.reload()
    resident.sees("社区工作人员已到现场")
    resident.sees("换了灯泡，亮了。")
    resident.page.get_by_label("解决了", exact=True).check()
    resident.form("解决了吗").get_by_role("button").last.click()
    resident.sees("您看过：解决了")
    station.page.reload()
    station.press("销哨")
    station.sees("记录完整，未被改动")
    resident.page.reload()
    resident.sees("这件事办完了")
    resident.opens("又出现了")


@pytest.mark.long
def test_a_department_is_called_comes_and_is_rated(visit, photo):
    station, specialist = visit("wmy", at=DESK), visit("xc-cg")
    page = station.page
    mark = fresh()[:6]
    station.follow("吹哨")
    page.get_by_label("是什么事").fill(f"六层阳台向外扩建，是违法建设。{mark}")
    station.press("下一步")
    page.get_by_label("一句话").fill(f"六层阳台扩建{mark}")
    page.get_by_label("综合执法").check()
    for chosen in page.locator("#who input:checked").all():
        chosen.uncheck()
    page.locator("#who").get_by_label("城管执法").check()
    station.press("吹哨")
    station.sees("哨吹出去了")

    specialist.page.reload()
    specialist.page.locator(".entry").filter(has_text=mark).get_by_role("button", name="签收").click()
    specialist.sees("已签收")
    assert specialist.page.locator("a[href^='tel:']").count() >= 1
    specialist.opens("我到现场了")
    specialist.form("我到现场了").get_by_role("button", name="用我现在的位置").click()
    specialist.sees("位置有了")
    specialist.form("我到现场了").locator("input[type=file]").set_input_files(photo)
    specialist.form("我到现场了").get_by_role("button").last.click()
    specialist.sees("已报到")
    page.reload()
    station.sees("城管执法到达现场")
    specialist.opens("反馈结果")
    form = specialist.form("反馈结果")
    form.get_by_label("已解决").check()
    form.get_by_label("怎样办的").fill("已责令拆除，当场拆完。")
    form.get_by_label("办成了什么").first.select_option("illegal_structure")
    form.get_by_label("几处").first.fill("1")
    form.get_by_label("数量").first.fill("12.5")
    form.get_by_role("button", name="反馈结果").click()
    specialist.sees("已反馈")

    page.reload()
    station.opens("解决了吗")
    page.get_by_label("解决了", exact=True).check()
    station.form("解决了吗").get_by_role("button").last.click()
    station.sees("已确认")
    station.opens("销哨")
    station.form("销哨").get_by_role("button").last.click()
    station.sees("已销哨")
    station.opens("评价部门")
    form = station.form("评价部门")
    form.get_by_label("城管执法").check()
    for row in form.locator(".stars").all():
        row.get_by_label("5").check()
    form.get_by_role("button", name="评价部门").click()
    station.sees("已评价")
    station.sees("记录完整，未被改动")
    specialist.page.reload()
    specialist.sees("得分 5")


@pytest.mark.long
def test_a_specialist_sends_it_back_and_the_street_decides(visit):
    station, specialist, street = visit("wmy", at=DESK), visit("xc-cg"), visit("zll", at=DESK)
    mark = blow_at_a_desk(station, "楼下有人占道摆摊。")
    specialist.page.reload()
    specialist.page.get_by_role("link", name=re.compile(mark)).first.click()
    specialist.opens("退单")
    form = specialist.form("退单")
    form.get_by_label("不属于本部门职责").check()
    form.get_by_label("说明").fill("这里是园林绿地。")
    form.get_by_role("button", name="退单").click()
    specialist.sees("已退单")
    street.page.reload()
    street.page.get_by_role("link", name=re.compile(mark)).first.click()
    street.sees("不属于本部门职责")
    street.opens("审核退单")
    form = street.form("审核退单")
    form.get_by_label("城管执法").check()
    form.get_by_label("不同意").check()
    form.get_by_role("button", name="审核退单").click()
    street.sees("退单已审")
    specialist.page.reload()
    specialist.opens("申请延期")


def blow_at_a_desk(station, text: str) -> str:
    mark = fresh()[:6]
    page = station.page
    station.follow("吹哨")
    page.get_by_label("是什么事").fill(f"{text}{mark}")
    station.press("下一步")
    page.get_by_label("一句话").fill(f"{text[:-1]}{mark}")
    page.get_by_label("综合执法").check()
    page.locator("#who summary").click()
    for chosen in page.locator("#who input:checked").all():
        chosen.uncheck()
    page.locator("#who").get_by_label("城管执法").check()
    station.press("吹哨")
    station.sees("哨吹出去了")
    return mark


@pytest.mark.long
def test_a_neighbour_joins_in_place_of_a_twin(visit):
    resident = visit("xc-res")
    mark = blow(resident, LAMP)
    neighbour = visit("wmy-l")
    page = neighbour.page
    neighbour.follow("吹哨")
    page.get_by_label("是什么事").fill("楼道灯不亮，太黑了。")
    option = page.locator("#unit option").filter(has_text="万明园3号楼").first.get_attribute("value")
    page.get_by_label("哪栋楼").select_option(option)
    neighbour.press("下一步")
    page.locator("#near .entry").filter(has_text=mark).get_by_role("button").click()
    neighbour.sees("已加入")
    resident.follow("我的哨")
    resident.sees(mark)


@pytest.mark.long
def test_news_shows_up_within_a_second_and_leaves_what_is_being_typed_alone(visit):
    station, resident = visit("wmy", at=DESK), visit("xc-res")
    station.page.locator("html[data-line=open]").wait_for(state="attached")
    mark = blow(resident, LAMP)
    station.sees(mark, seconds=2)
    resident.page.locator("html[data-line=open]").wait_for(state="attached")
    resident.opens("撤回")
    resident.form("撤回").get_by_label("说明").fill("写到一半")
    station.page.get_by_role("link", name=re.compile(mark)).first.click()
    station.press("签收")
    station.sees("已签收")
    resident.sees("社区接了这件事", seconds=3)
    assert resident.form("撤回").get_by_label("说明").input_value() == "写到一半"
    resident.sees("这一件有了新进展")


@pytest.mark.long
def test_a_lost_line_says_so_and_heals(visit):
    station, resident = visit("wmy", at=DESK), visit("xc-res")
    station.page.locator("html[data-line=open]").wait_for(state="attached")
    station.context.set_offline(True)
    station.page.evaluate("() => dispatchEvent(new Event('offline'))")
    station.sees("连接断开了", seconds=60)
    mark = blow(resident, LAMP)
    station.context.set_offline(False)
    station.sees(mark, seconds=30)
    station.page.locator("#line-lost").wait_for(state="hidden", timeout=30_000)
    station.wrong = [each for each in station.wrong if "ERR_INTERNET_DISCONNECTED" not in each]


@pytest.mark.long
def test_two_districts_side_by_side_see_nothing_of_one_another(visit):
    resident, here, there = visit("xc-res"), visit("wmy", at=DESK), visit("sjy", at=DESK)
    mark = blow(resident, LAMP)
    here.page.reload()
    here.sees(mark)
    there.page.reload()
    assert there.page.get_by_text(mark).count() == 0
    there.page.goto(resident.page.url.partition("?")[0])
    there.sees("没有找到")
    there.wrong = [each for each in there.wrong if "404" not in each]


@pytest.mark.long
def test_in_large_type_and_in_english_nothing_runs_out_of_the_phone(visit):
    resident = visit("xc-res")
    resident.press("大字版")
    for path in ("首页", "吹哨", "我的哨", "专员", "我"):
        resident.page.get_by_role("navigation").get_by_role("link", name=path, exact=True).click()
        width = resident.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, path
    resident.press("English")
    resident.sees("Sign out")
    resident.press("中文")
