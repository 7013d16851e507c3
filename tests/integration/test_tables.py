"""Tables go in whole or not at all, by the rules of the single calls, and what went out comes in as the same."""

import csv
import io
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymongo import MongoClient

from deploy.database import service_uri
from gateway import sheets
from shared.contracts.rows import KINDS, person_of
from tests.conftest import HOME
from tests.make import PASSWORD, WANMINGYUAN, Client, eventually, fresh
from tests.make_people import admitted

XICHENG = "110102"


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """The administrator of 西城区."""
    return sign_in("xc-admin")


def a_file(kind: str, *rows: dict) -> bytes:
    """Write rows by their Chinese titles."""
    out = io.StringIO()
    titles = KINDS[kind].titles
    writer = csv.writer(out)
    writer.writerow(titles.values())
    for row in rows:
        assert row.keys() <= titles.keys()
        writer.writerow(row.get(name, "") for name in titles)
    return out.getvalue().encode()


def check(client: Client, kind: str, data: bytes, id: str | None = None) -> dict:
    answer = client.session.post(f"{client.url}/v1/tables/{kind}?id={id or fresh()}", data=data, timeout=90)
    assert answer.status_code == 200, answer.text
    return answer.json()


def run(client: Client, table: dict, seconds: float = 60) -> dict:
    path = f"/v1/tables/{table['kind']}/{table['id']}"
    answer = client.post(f"{path}/runs")
    assert answer.status_code == 202, answer.text

    def over() -> dict | None:
        now = client.get(path).json()
        return now if now["state"] != "running" else None

    return eventually(over, seconds, 0.2)


def brought_in(client: Client, kind: str, *rows: dict) -> dict:
    table = check(client, kind, a_file(kind, *rows))
    assert table["state"] == "checked", table["errors"][:5]
    done = run(client, table)
    assert (done["state"], done["done"], done["errors"]) == ("done", len(rows), [])
    return table


def export(client: Client, kind: str, form: str = "csv") -> bytes:
    why = {"purpose": "inquiry"} if kind == "people" else {}
    answer = client.get(f"/v1/tables/{kind}.{form}", params=why)
    assert answer.status_code == 200, answer.text
    return answer.content


def exported(client: Client, kind: str) -> list[dict]:
    return [row["values"] for row in sheets.read(KINDS[kind], export(client, kind))]


def segment() -> str:
    return f"{random.randrange(16**5):05x}"


def a_compound(code: str, **changes) -> dict:
    return {
        "code": code, "parent": code.rpartition(".")[0], "level": "小区", "name": "新建小区", "since": "2026-01-01",
        **changes,
    }  # fmt: skip


def a_person(**changes) -> dict:
    return {
        "login": f"t-{fresh()[:13]}", "name": "林小满", "roles": "社区工作者", "unit": WANMINGYUAN,
        "password": "first-password", **changes,
    }  # fmt: skip


# -- places -----------------------------------------------------------------------------------------------------------


def test_places_go_in_whole_wherever_their_parents_stand_in_the_file(wmy):
    top = f"{WANMINGYUAN}.{segment()}"
    rows = [
        a_compound(f"{top}.1.2", level="单元", name="二单元"),
        a_compound(f"{top}.1", level="building", name="一号楼", since="2026年1月2日"),
        a_compound(top),
    ]
    rows[0]["since"] = "2026/1/3"
    table = check(wmy, "places", a_file("places", *rows))
    assert (table["state"], table["count"], table["summary"]) == ("checked", 3, {"new": 3, "changed": 0, "same": 0})
    assert wmy.get(f"/v1/units/{top}").status_code == 404, "a check changes nothing"
    assert run(wmy, table)["state"] == "done"
    assert wmy.get(f"/v1/units/{top}.1.2").json()["name"] == "二单元"
    again = check(wmy, "places", a_file("places", *rows))
    assert again["summary"] == {"new": 0, "changed": 0, "same": 3}
    rows[1]["name"] = "壹号楼"
    brought_in(wmy, "places", *rows)
    assert wmy.get(f"/v1/units/{top}.1").json()["name"] == "壹号楼"


def test_every_error_of_a_table_is_told_with_where_it_stands_and_nothing_goes_in(wmy):
    top = f"{WANMINGYUAN}.{segment()}"
    rows = [
        a_compound(top),
        a_compound(top, name="又一个"),
        a_compound(f"{top}.1", level="楼", name="楼" * 200),
        a_compound(f"{top}.2", level="城堡"),
        a_compound(f"{top}.3", level="楼", since="2026-02-30"),
        a_compound(f"{top}.4", level="楼", parent="110102009041.nowhere"),
        a_compound("110107001012.1", parent="110107001012"),
        a_compound(f"{top}.5", level="楼", parent=f"{top}.6"),
        a_compound(f"{top}.6", level="楼", parent=f"{top}.5"),
        a_compound("一二三", name=""),
    ]
    table = check(wmy, "places", a_file("places", *rows))
    assert table["state"] == "refused" and table["more_errors"] == 0
    said = {(error["line"], error["column"]) for error in table["errors"]}
    assert said >= {(3, "编码"), (4, "名称"), (5, "类型"), (6, "启用日"), (9, "上级编码"), (10, "上级编码")}
    assert said >= {(11, "编码"), (11, "名称")} and {7, 8} <= {line for line, _ in said}
    assert all(" / " in error["expected"] for error in table["errors"])
    assert wmy.post(f"/v1/tables/places/{table['id']}/runs").status_code == 409
    assert wmy.get(f"/v1/units/{top}").status_code == 404


def test_a_list_of_errors_has_an_end_and_says_how_many_more_there_are(wmy):
    table = check(wmy, "places", a_file("places", *[a_compound("x", parent="y")] * 300))
    assert len(table["errors"]) == 200 and table["more_errors"] >= 300


def test_a_table_is_refused_whole_when_the_world_has_moved_on(wmy, sign_in):
    top = f"{WANMINGYUAN}.{segment()}"
    rows = [a_compound(f"{top}{n}") for n in range(40)]
    table = check(wmy, "places", a_file("places", *rows))
    brought_in(sign_in("zll"), "places", a_compound(f"{top}39", name="别人的", since="2025-01-01"))
    over = run(wmy, table)
    assert (over["state"], over["done"]) == ("refused", 0) and over["errors"][0]["line"] == 41
    assert wmy.get(f"/v1/units/{top}0").status_code == 404


def test_a_table_is_its_owners_and_its_id_is_good_once(wmy, sign_in):
    data = a_file("places", a_compound(f"{WANMINGYUAN}.{segment()}"))
    table = check(wmy, "places", data)
    assert check(wmy, "places", data, table["id"]) == table
    other = a_file("places", a_compound(f"{WANMINGYUAN}.{segment()}"))
    answer = wmy.session.post(f"{wmy.url}/v1/tables/places?id={table['id']}", data=other, timeout=30)
    assert answer.status_code == 409
    for login in ("sjy", "zll"):
        assert sign_in(login).get(f"/v1/tables/places/{table['id']}").status_code == 404
        assert sign_in(login).post(f"/v1/tables/places/{table['id']}/runs").status_code == 404


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_places_that_went_out_come_in_as_the_same(wmy, form):
    brought_in(wmy, "places", a_compound(f"{WANMINGYUAN}.{segment()}", name="=1+1"))
    table = check(wmy, "places", export(wmy, "places", form))
    assert table["state"] == "checked", table["errors"][:3]
    assert table["summary"] == {"new": 0, "changed": 0, "same": table["count"]} and table["count"] >= 1


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_five_thousand_places_go_in_and_a_table_is_run_once_however_often_it_is_asked(sign_in):
    street, top = sign_in("zll"), f"{WANMINGYUAN}.{segment()}"
    rows = [a_compound(top)] + [a_compound(f"{top}.{n}", level="楼", name=f"{n}号楼") for n in range(4999)]
    table = check(street, "places", a_file("places", *rows))
    assert (table["state"], table["summary"]["new"]) == ("checked", 5000)
    path = f"/v1/tables/places/{table['id']}"
    with ThreadPoolExecutor(4) as many:
        assert {each.status_code for each in many.map(lambda _: street.post(f"{path}/runs"), range(4))} == {202}
    seen = set()

    def over() -> bool:
        now = street.get(path).json()
        seen.add(now["done"])
        return now["state"] == "done"

    eventually(over, 1000, 0.5)
    assert len(seen) > 3, "it says how far it is"
    assert street.get(f"/v1/units/{top}.4998").json()["version"] == 1


def test_no_damaged_file_is_a_fault_or_goes_in_by_half(wmy):
    top, chance = f"{WANMINGYUAN}.{segment()}", random.Random(7)
    rows = [a_compound(top), a_compound(f"{top}.1", level="楼")]
    good = [a_file("places", *rows), sheets.xlsx_out(KINDS["places"], rows)]
    for n in range(60):
        data = bytearray(good[n % 2])
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        answer = wmy.session.post(f"{wmy.url}/v1/tables/places?id={fresh()}", data=bytes(data), timeout=30)
        assert answer.status_code in (200, 422), answer.text
    assert wmy.get(f"/v1/units/{top}").status_code == wmy.get(f"/v1/units/{top}.1").status_code == 404


# -- people -----------------------------------------------------------------------------------------------------------


def test_people_come_in_by_a_table_and_choose_their_own_password_first(admin, url):
    rows = [a_person(), a_person(roles="专员", department="chengguan", unit=XICHENG, phone="13912345678")]
    table = brought_in(admin, "people", *rows)
    assert table["summary"]["new"] == 2
    signed = Client(url, rows[0]["login"], rows[0]["password"]).signed
    assert signed["first"] == ["password"]
    assert Client(url).post("/v1/sessions", {"login": rows[0]["login"], "password": "wrong"}).status_code == 401
    shown = admin.get(f"/v1/people/{person_of(XICHENG, rows[1]['login'])}").json()
    assert (shown["department"], shown["active"]) == ("chengguan", True)
    rows[0]["roles"] = "站长"
    again = brought_in(admin, "people", *rows)
    assert again["summary"] == {"new": 0, "changed": 1, "same": 1}
    assert admin.get(f"/v1/people/{person_of(XICHENG, rows[0]['login'])}").json()["roles"] == ["secretary"]


def test_a_row_that_says_so_puts_a_name_and_a_phone_right(admin):
    row = a_person(phone="13812345678")
    brought_in(admin, "people", row)
    other = row | {"name": "林大满", "phone": "13887654321"}
    table = check(admin, "people", a_file("people", other))
    assert {error["column"] for error in table["errors"]} == {"姓名", "手机"}
    assert all("更正" in error["expected"] for error in table["errors"])
    again = [brought_in(admin, "people", other | {"correct": "是"})["summary"] for _ in range(2)]
    assert again == [{"new": 0, "changed": 1, "same": 0}, {"new": 0, "changed": 0, "same": 1}]
    seen = admin.post(f"/v1/people/{person_of(XICHENG, row['login'])}/views", {"purpose": "correct"}).json()
    assert (seen["name"], seen["phone"]) == (other["name"], other["phone"])
    moved = other | {"name": "林中满", "roles": "站长", "correct": "是"}
    assert brought_in(admin, "people", moved)["summary"]["changed"] == 1
    assert admin.get(f"/v1/people/{person_of(XICHENG, row['login'])}").json()["roles"] == ["secretary"]


def test_who_may_not_come_in_by_a_single_call_does_not_by_a_table(admin):
    mine = a_person()
    rows = [
        mine,
        a_person(login=mine["login"].upper()),
        a_person(roles="运维"),
        a_person(unit="110107001012"),
        a_person(roles="专员"),
        a_person(login="sjy"),
        a_person(login="xc-cg", name="别的名字", roles="专员", unit=XICHENG, department="chengguan"),
        a_person(password="short"),
        a_person(phone="1"),
    ]
    table = check(admin, "people", a_file("people", *rows))
    assert table["state"] == "refused"
    assert {error["line"] for error in table["errors"]} == set(range(3, 11))
    assert not [error for error in table["errors"] if "short" in error["found"]], "a password is not said back"
    assert admin.get(f"/v1/people/{person_of(XICHENG, mine['login'])}").status_code == 404


def test_a_login_that_was_taken_meanwhile_keeps_everybody_out(admin):
    rows = [a_person() for _ in range(5)]
    table = check(admin, "people", a_file("people", *rows))
    order = {
        "id": fresh(), "district": XICHENG, "login": rows[4]["login"], "name": "先来的", "password": PASSWORD,
        "roles": ["worker"], "unit": "110102009042",
    }  # fmt: skip
    assert admin.post("/v1/people", order).status_code == 201
    over = run(admin, table)
    assert over["state"] == "refused" and over["errors"][0]["line"] == 6
    assert admin.get(f"/v1/people/{person_of(XICHENG, rows[0]['login'])}").status_code == 404
    assert brought_in(admin, "people", *rows[:4])["summary"]["new"] == 4, "their logins are free"


def test_neither_passwords_nor_names_stay_behind(admin, platform):
    row = a_person(name="不留姓名", password="not-to-be-kept")
    table = check(admin, "people", a_file("people", row))
    client = MongoClient(service_uri(platform.settings, "identity"), tz_aware=True)
    database = client["huying_identity"]
    waiting = str(list(database.tables_rows.find({})))
    assert row["name"] in waiting and row["password"] not in waiting
    run(admin, table)
    assert row["name"] not in str(list(database.tables_rows.find({}))) + str(list(database.tables.find({})))
    log = (HOME / "logs" / "identity.log").read_text()
    assert row["name"] not in log and row["password"] not in log
    client.close()


def test_people_that_went_out_come_in_as_the_same(admin):
    brought_in(admin, "people", a_person(phone="13812345678"))
    table = check(admin, "people", export(admin, "people"))
    assert table["state"] == "checked", table["errors"][:3]
    assert table["summary"] == {"new": 0, "changed": 0, "same": table["count"]} and table["count"] > 5
    entries = admin.get("/v1/security?what=exported").json()["items"]
    assert entries[0]["about"] == "inquiry people.csv"


def test_unmasked_people_do_not_go_out_without_a_purpose(admin):
    for why in ({}, {"purpose": "because"}, {"purpose": ""}):
        answer = admin.get("/v1/tables/people.csv", params=why)
        assert answer.status_code == 422 and "用途" in answer.text, answer.text
    assert admin.get("/v1/tables/places.csv", params={"purpose": "inquiry"}).status_code == 422


def test_a_table_whose_passwords_can_no_longer_be_read_says_so_and_stops(admin, platform):
    rows = [a_person(), a_person()]
    table = check(admin, "people", a_file("people", *rows))
    with MongoClient(service_uri(platform.settings, "identity"), tz_aware=True) as client:
        shares = client["huying_identity"].tables_rows
        share = next(each for each in shares.find({}) if table["id"] in each["_id"])
        share["rows"][1]["values"]["password"] = b"sealed by another secret, long ago"
        shares.replace_one({"_id": share["_id"]}, share)
    over = run(admin, table)
    assert (over["state"], over["done"]) == ("refused", 0) and "重新上传" in over["errors"][0]["expected"]
    assert admin.get(f"/v1/people/{person_of(XICHENG, rows[0]['login'])}").status_code == 404
    assert brought_in(admin, "people", *rows)["summary"]["new"] == 2


# -- specialists ------------------------------------------------------------------------------------------------------


def test_specialists_whom_a_table_let_in_are_seated_by_their_logins(admin):
    person = a_person(roles="专员", department="chengguan", unit=XICHENG)
    brought_in(admin, "people", person)
    seat = {
        "post": "chengguan", "unit": "110102009043", "login": person["login"], "name": "林小满",
        "phone": "13912345678", "since": "2026-01-01", "until": "2026-12-31",
    }  # fmt: skip
    eventually(lambda: check(admin, "seats", a_file("seats", seat))["state"] == "checked")
    assert brought_in(admin, "seats", seat)["summary"]["new"] == 1
    shown = admin.get("/v1/seats/chengguan@110102009043").json()
    assert person_of(XICHENG, person["login"]) in str(shown)
    assert check(admin, "seats", a_file("seats", seat))["summary"]["same"] == 1
    overlapping = seat | {"since": "2026-06-01", "until": ""}
    table = check(admin, "seats", a_file("seats", seat, overlapping))
    assert table["state"] == "refused" and {error["line"] for error in table["errors"]} == {3}
    ended = seat | {"until": "2026-12-01"}
    assert brought_in(admin, "seats", ended)["summary"] == {"new": 0, "changed": 1, "same": 0}
    table = check(admin, "seats", export(admin, "seats"))
    assert table["state"] == "checked", table["errors"][:3]
    assert table["summary"]["same"] == table["count"] >= 1
    assert any(row["phone"] == "13912345678" for row in exported(admin, "seats") if row.get("phone"))


def test_whoever_came_in_singly_goes_out_and_comes_in_by_their_login_too(admin, sign_in):
    order = admitted(admin, roles=["specialist"], unit=XICHENG, department="chengguan")
    seat = {"post": "chengguan", "unit": "110102009036", "login": order["login"].upper(), "since": "2026-01-01"}
    eventually(lambda: check(admin, "seats", a_file("seats", seat))["state"] == "checked")
    brought_in(admin, "seats", seat)
    assert admin.get("/v1/seats/chengguan@110102009036").json()["holder"] == order["id"]
    for who in (admin, sign_in("xc-cgl")):
        [row] = [row for row in exported(who, "seats") if row["unit"] == "110102009036"]
        assert (row["login"], row["person"]) == (order["login"], order["id"]), row
    table = check(admin, "seats", export(admin, "seats"))
    assert table["summary"]["same"] == table["count"], table["errors"][:3]
    by_id = seat | {"login": "", "person": order["id"]}
    assert check(admin, "seats", a_file("seats", by_id))["summary"]["same"] == 1
    nobody = check(admin, "seats", a_file("seats", seat | {"login": ""}, seat | {"login": "nobody-here"}))
    assert [(error["line"], error["column"]) for error in nobody["errors"]] == [(2, "登录名"), (3, "登录名")]
    # A street sees whose seats are in it, and no login of people who are not its own.
    rows = [row for row in exported(sign_in("zll"), "seats") if row["unit"] == "110102009036"]
    assert [(row.get("login", ""), row["person"]) for row in rows] == [("", order["id"])]


def test_nobody_is_seated_who_could_not_be_by_a_single_call(admin):
    rows = [
        {"post": "chengguan", "unit": "110102009043", "login": "nobody-here", "since": "2027-01-01"},
        {"post": "nosuchthing", "unit": "110102009043", "login": "nobody-here", "since": "2027-01-01"},
        {"post": "chengguan", "unit": "110107001012", "login": "nobody-here", "since": "2027-01-01"},
        {"post": "站长", "unit": "110102009043", "login": "x", "since": "2027-01-01", "until": "2026-01-01"},
    ]
    table = check(admin, "seats", a_file("seats", *rows))
    assert {error["line"] for error in table["errors"]} == {2, 3, 4, 5}


# -- the catalogue ----------------------------------------------------------------------------------------------------


def test_rules_of_the_catalogue_go_in_and_out(admin):
    rows = [
        {"category": "0102", "unit": "110102009000", "lead": "chengguan", "assists": "shichang、weijian"},
        {"category": "*", "unit": "110102009041", "lead": "zongzhi", "never_community": "是"},
    ]
    brought_in(admin, "rules", *rows)
    assert check(admin, "rules", a_file("rules", *rows))["summary"]["same"] == 2
    rows[0]["assists"] = "shichang"
    assert brought_in(admin, "rules", *rows)["summary"] == {"new": 0, "changed": 1, "same": 1}
    table = check(admin, "rules", export(admin, "rules", "xlsx"))
    assert table["state"] == "checked" and table["summary"]["same"] == table["count"] >= 2


def test_a_rule_against_article_17_or_of_unknown_things_is_refused(admin):
    rows = [
        {"category": "0102", "unit": XICHENG, "lead": "community", "never_community": "是"},
        {"category": "9999", "unit": XICHENG, "lead": "chengguan"},
        {"category": "0102", "unit": "110102999999", "lead": "chengguan"},
        {"category": "0102", "unit": "110102009041", "lead": "nosuch"},
        {"category": "102", "unit": "110102009042", "lead": "chengguan", "community_first": "也许"},
    ]
    table = check(admin, "rules", a_file("rules", *rows))
    assert {(error["line"], error["column"]) for error in table["errors"]} == {
        (2, "主办"), (3, "类别"), (4, "地点"), (5, "主办"), (6, "类别"), (6, "社区先办"),
    }  # fmt: skip


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_a_table_is_brought_in_from_the_command_line(url, tmp_path):
    path = tmp_path / "楼.csv"
    path.write_bytes(a_file("places", a_compound(f"{WANMINGYUAN}.{segment()}")))
    asked = [sys.executable, "-m", "deploy.tables", str(path), "places", "--login", "wmy"]
    dry = subprocess.run(asked, env={"HUYING_URL": url}, capture_output=True, text=True, timeout=60)
    assert dry.returncode == 0 and "新增 / new 1" in dry.stdout, dry.stderr
    done = subprocess.run([*asked, "--run"], env={"HUYING_URL": url}, capture_output=True, text=True, timeout=60)
    assert "1/1" in done.stdout and "完成" in done.stdout, done.stderr
    path.write_bytes(a_file("places", a_compound("一二三")))
    wrong = subprocess.run([*asked, "--run"], env={"HUYING_URL": url}, capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 1 and "第 2 行" in wrong.stdout and "未导入" in wrong.stderr
