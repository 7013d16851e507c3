"""The table of people: judged by the rules that let one person in or move them, and carried out by the same ledgers.

Initial passwords lie encrypted while the table waits, and come in as hashes that are good for one sign-in.
"""

import uuid
from typing import Any

from pymongo.errors import BulkWriteError

from services.identity import domain, keys, tokens
from services.identity.domain import Person, Place
from services.identity.store.accounts import Accounts
from services.identity.store.people import People
from services.identity.store.places import Places
from services.identity.store.security import Security
from services.ledger import Record
from services.process import each_aside
from services.tables.domain import TRIED, Row, refused, twins
from services.tables.store import Tables
from shared.contracts.rows import KINDS, normal_login, person_of
from shared.errors import Conflict, NotFound, Refusal
from shared.running import real_now

SEALED_OTHERWISE = (
    "密钥已换,此表余下的行无法读取,请重新上传 / "
    "The secret has changed, and what is left of this table cannot be read: please upload it again"
)
OTHERS = "登录名已被占用 / This login is another's"
NOT_BY_TABLE = "与已登记的不同;要改请在“更正”列填 是 / not the one on record: 更正 = 是 (correct = yes) changes it"


class Unmasked(People):
    """People as an export shows them, which only who may export gets to see."""

    def shown(self, record: Record, mask: Any = dict) -> dict:
        return super().shown(record, mask)


class PeopleTables(Tables):
    """Tables of people."""

    kind = KINDS["people"]
    usual = "login"

    # -- judge --------------------------------------------------------------------------------------------------------

    def known(self, rows: list[Row]) -> dict:
        """Ask for the accounts, the people and the places that rows name."""
        good = [row.values for row in rows if row.is_good]
        logins = sorted({normal_login(each["login"]) for each in good})
        # A login is one across all districts: another's is taken too.
        accounts = {row["_id"]: row for row in self.wide("accounts").find({"_id": {"$in": logins}}, {"totp": 0})}
        people = self.beside(People)
        ids = {self.person_behind(accounts.get(login), login) for login in logins}
        found = people.rows("people").find({"_id": {"$in": sorted(map(people.key, ids))}}, {"history": 0})
        records = people.with_words([people.record_of(row) for row in found])
        places = self.beside(Places)
        units, departments = {each["unit"] for each in good}, {each["department"] for each in good}
        return {
            "accounts": accounts,
            "people": {record.id: record for record in records},
            "units": {unit for unit in units if places.place(unit, "").unit_is_known},
            "departments": {each for each in departments if places.place("", each).department_is_known},
        }

    def person_behind(self, account: dict | None, login: str) -> str:
        return account["person"] if account else person_of(self.caller.district, login)

    def judge(self, rows: list[Row], known: dict) -> tuple[list[str], list[dict]]:
        """Try for each row what the single calls would do."""
        outcomes = []
        errors = list(twins(self.kind, rows, lambda values: normal_login(values["login"]), "login"))
        for row in (row for row in rows if row.is_good):
            login = normal_login(row.values["login"])
            account = known["accounts"].get(login)
            record = known["people"].get(self.person_behind(account, login))
            if account and account["district"] != self.caller.district:
                errors.append(row.wrong(self.kind, "login", OTHERS))
            elif record and not row.values["correct"] and (wrong := self.differing(row.values, record)):
                errors += [row.wrong(self.kind, column, NOT_BY_TABLE) for column in wrong]
            else:
                place = Place(row.values["unit"] in known["units"], row.values["department"] in known["departments"])
                try:
                    outcomes.append(self.tried(row.values, login, record, place))
                except Refusal as refusal:
                    errors += refused(self.kind, row, refusal, {}, self.usual)
        return outcomes, errors

    @staticmethod
    def differing(values: dict, record: Record) -> list[str]:
        """Name what a row says otherwise than the record: it changes names and phones only where it says so."""
        said = record.words.get(record.state.words, {})
        return [name for name in ("name", "phone") if values[name] and values[name] != said.get(name)]

    def correction(self, values: dict, record: Record, correction: str) -> dict:
        """Give the order that puts right what a row says otherwise, or nothing."""
        fresh = dict.fromkeys(("name", "phone")) | {name: values[name] for name in self.differing(values, record)}
        said = record.words.get(record.state.words, {})
        order = {"self_id": record.id, "correction": correction, "said": said, **fresh}
        return order if values["correct"] and any(fresh.values()) else {}

    def tried(self, values: dict, login: str, record: Record | None, place: Place) -> str:
        if record is None:
            list(domain.admit(Person(), caller=self.caller, now=self.now(), **self.admission(values, login, place)))
            return "new"
        domain.guard_active(record.state)
        who, outcome = {"caller": self.caller, "now": self.now()}, "same"
        if order := self.correction(values, record, TRIED):
            outcome = "changed" if list(domain.correct(record.state, **who, **order)) else "same"
        if is_there(record, values):
            return outcome
        list(domain.move(record.state, **who, **self.motion(values, record, TRIED, place)))
        return "changed"

    @staticmethod
    def admission(values: dict, login: str, place: Place) -> dict:
        kept = {name: values[name] for name in ("name", "roles", "unit", "department", "phone")}
        return kept | {"login": login, "place": place}

    @staticmethod
    def motion(values: dict, record: Record, move: str, place: Place) -> dict:
        kept = {name: values[name] for name in ("roles", "unit", "department")}
        return kept | {"self_id": record.id, "move": move, "place": place, "before": real_now()}

    # -- carry out ----------------------------------------------------------------------------------------------------

    def reserve(self, rows: list[Row]) -> list[dict]:
        """Take all new logins before anybody comes in: where one is another's by now, all are let go again."""
        logins = {normal_login(row.values["login"]): row for row in rows}
        there = {row["_id"] for row in self.rows("accounts").find({"_id": {"$in": sorted(logins)}}, {"_id": 1})}
        fresh = [login for login in logins if login not in there]
        district = self.caller.district
        taken = [{"_id": login, "person": person_of(district, login), "hash": None} for login in fresh]
        try:
            if taken:
                self.rows("accounts").insert_many(taken)
        except BulkWriteError as error:
            lost = {each["index"] for each in error.details["writeErrors"]}
            self.let_go([login for at, login in enumerate(fresh) if at not in lost])
            return [logins[fresh[at]].wrong(self.kind, "login", OTHERS) for at in sorted(lost)]
        return []

    def let_go(self, logins: list[str]) -> None:
        """Give back logins that were taken a moment ago, for nobody."""
        asked = {"_id": {"$in": logins}, "district": self.caller.district, "hash": None}
        self.wide("accounts").delete_many(asked)

    def ahead(self, rows: list[Row]) -> dict[str, str]:
        """Hash the initial passwords of those who are not in yet, two at once: ``{login: hash}``."""
        people = self.beside(People)
        wanted = {normal_login(row.values["login"]): row.values["password"] for row in rows}
        accounts = self.rows("accounts").find({"_id": {"$in": sorted(wanted)}}, {"person": 1})
        persons = {row["_id"]: row["person"] for row in accounts}
        asked = {"_id": {"$in": sorted(map(people.key, persons.values()))}}
        there = {row["id"] for row in people.rows("people").find(asked, {"id": 1})}
        fresh = [login for login in persons if wanted[login] and persons[login] not in there]
        return dict(zip(fresh, each_aside(tokens.hashed, [wanted[login] for login in fresh]), strict=True))

    def carry_out(self, table: str, row: Row, known: dict[str, str]) -> None:
        """Let one person in, or move them; a row that was carried out finds nothing more to do."""
        values, login = row.values, normal_login(row.values["login"])
        people, accounts = self.beside(People), self.beside(Accounts)
        account = accounts.find(login)
        if not account or account["district"] != self.caller.district:
            raise Conflict(OTHERS)
        place = self.beside(Places).place(values["unit"], values["department"])
        try:
            record = people.get(account["person"])
        except NotFound:
            if login in known:
                accounts.set_password(account["person"], known[login], must_change=True)
            people.begin(account["person"], domain.admit, **self.admission(values, login, place))
            self.beside(Security).write("admitted", whom=account["person"], about=f"table {table}")
            return
        id = str(uuid.uuid5(uuid.UUID(table), f"{row.sheet}/{row.line}"))
        if order := self.correction(values, record, id):
            people.forget_old(people.change(record.id, domain.correct, record.version, **order))
            self.beside(Security).write("corrected", whom=record.id, about=f"table {table}")
        if not is_there(record, values):
            # Their tokens are refused by whoever hears that they moved.
            people.change(record.id, domain.move, **self.motion(values, record, id, place))
            self.beside(Security).write("moved", whom=record.id, about=f"table {table}")

    def sealed(self, texts: dict[str, str]) -> dict:
        return texts | ({"password": keys.encrypted(texts["password"], "table")} if "password" in texts else {})

    def opened(self, texts: dict) -> dict[str, str]:
        try:
            return texts | ({"password": keys.decrypted(texts["password"], "table")} if "password" in texts else {})
        except Conflict:
            raise Conflict(SEALED_OTHERWISE) from None

    # -- go out -------------------------------------------------------------------------------------------------------

    def export(self, limit: int, after: str | None) -> dict:
        """Give a page of those who are active, by their logins."""
        page = self.beside(Unmasked).page(None, None, None, True, None, limit, after)
        rows = self.page(((row["id"], row) for row in page["items"]), limit)
        return rows | {"next": page["next"]}


def is_there(record: Record, values: dict) -> bool:
    """Say whether somebody is where a row puts them."""
    state = record.state
    return (set(state.roles), state.unit, state.department) == (
        set(values["roles"]),
        values["unit"],
        values["department"],
    )
