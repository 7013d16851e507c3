"""Brings a table in over HTTP: ``make import file=楼.xlsx kind=places run=1``; without ``run`` it changes nothing."""

import argparse
import os
import sys
import time
import uuid
from pathlib import Path

import requests

from deploy.seed import PASSWORD
from shared.contracts.rows import KINDS

WIDTH = 40
AWAY = 120  # seconds that the platform may be away while a table is carried out
OUTCOMES = {"new": "新增 / new", "changed": "变更 / changed", "same": "相同 / same"}


class Session:
    """Somebody signed in, who brings tables in."""

    def __init__(self, url: str, login: str, password: str):
        self.url, self.session = url, requests.Session()
        self.carry(self.ask("POST", "/v1/sessions", json={"login": login, "password": password}))

    def carry(self, signed: dict) -> None:
        self.renewal, self.session.headers["Authorization"] = signed["renewal"], f"Bearer {signed['token']}"

    def look(self, path: str) -> dict:
        """Read again and again what goes on without us: past a token's end, and a platform that is away for a while."""
        end = time.monotonic() + AWAY
        while True:
            try:
                answer = self.session.get(self.url + path, timeout=90)
                if answer.status_code == 401:
                    self.carry(self.ask("POST", "/v1/sessions/renewals", json={"renewal": self.renewal}))
                elif answer.status_code != 503:
                    return self.said(answer)
            except requests.ConnectionError:
                pass
            if time.monotonic() > end:
                raise SystemExit("平台没有回应,导入仍会继续 / The platform is away; the import goes on when it is back")
            time.sleep(1)

    def ask(self, method: str, path: str, **options) -> dict:
        """Ask and give the answer; what is refused ends the import in the words of the refusal."""
        return self.said(self.session.request(method, self.url + path, timeout=90, **options))

    @staticmethod
    def said(answer: requests.Response) -> dict:
        if answer.status_code >= 400:
            problem = answer.json()
            raise SystemExit(f"{problem.get('title')}: {problem.get('detail', '')}")
        return answer.json()


def say(table: dict) -> None:
    """Print what a table would do, or each error with where it stands."""
    for error in table["errors"]:
        place = f"{error['sheet']} 第 {error['line']} 行".strip()
        print(f"  {place} “{error['column']}”:{error['found'] or '(空 / empty)'} → {error['expected']}")
    if table["more_errors"]:
        print(f"  另有 {table['more_errors']} 处 / and {table['more_errors']} more")
    print(f"{table['count']} 行 / rows: " + ", ".join(f"{said} {table['summary'][n]}" for n, said in OUTCOMES.items()))


def draw(done: int, count: int) -> None:
    bar = "█" * (WIDTH * done // max(count, 1))
    end = "\r" if sys.stdout.isatty() and done < count else "\n"
    print(f"  {bar:<{WIDTH}} {done}/{count}", end=end, flush=True)


def carry_out(session: Session, kind: str, id: str) -> dict:
    """Have a table carried out, and show how far it is until it is done."""
    table, shown = session.ask("POST", f"/v1/tables/{kind}/{id}/runs"), -1
    while True:
        if table["done"] != shown:
            shown = table["done"]
            draw(shown, table["count"])
        if table["state"] != "running":
            return table
        time.sleep(0.5)
        table = session.look(f"/v1/tables/{kind}/{id}")


def main() -> None:
    """Check a table, say what is wrong or what it would do, and carry it out if that is asked for."""
    parser = argparse.ArgumentParser(prog="make import")
    parser.add_argument("file", type=Path)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--login", default="xc-admin")
    parser.add_argument("--password", default=PASSWORD)
    parser.add_argument("--run", action="store_true", help="导入 / carry it out")
    asked = parser.parse_args()
    url = os.environ.get("HUYING_URL") or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    if not asked.file.is_file():
        raise SystemExit(f"没有这个文件 / No such file: {asked.file}")
    session, id = Session(url, asked.login, asked.password), str(uuid.uuid4())
    table = session.ask("POST", f"/v1/tables/{asked.kind}?id={id}", data=asked.file.read_bytes())
    say(table)
    if table["state"] == "refused":
        raise SystemExit("未导入任何一行 / No row went in")
    if asked.run:
        table = carry_out(session, asked.kind, id)
        if table["errors"]:
            say(table)
        print(
            "完成 / done" if table["state"] == "done" else "情况已变,未导入任何一行 / Things moved on: no row went in"
        )


if __name__ == "__main__":
    main()
