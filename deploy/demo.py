"""Plays the main job over HTTP, as people would, for 万明园 and 四季园, and prints the trace with its verification."""

import os
import sys
import time
import uuid

import requests

from deploy.seed import PASSWORD

STAGES = {"blown": "已发哨", "called": "已派单", "reported": "已报到", "settled": "已销哨", "words_erased": "已删除"}


class Person:
    """Somebody signed in, asking over HTTP."""

    def __init__(self, url: str, login: str):
        self.url, self.login, self.session = url, login, requests.Session()
        signed = self.ask("POST", "/v1/sessions", {"login": login, "password": PASSWORD})
        self.session.headers["Authorization"] = f"Bearer {signed['token']}"

    def ask(self, method: str, path: str, order: dict | None = None) -> dict:
        """Ask and give the answer; what is refused ends the demo in the words of the refusal."""
        answer = self.session.request(method, self.url + path, json=order, timeout=15)
        if answer.status_code >= 400:
            problem = answer.json()
            raise SystemExit(f"{method} {path}: {answer.status_code} {problem.get('title')}: {problem.get('detail')}")
        return answer.json() if answer.content else {}


def fresh() -> str:
    return str(uuid.uuid4())


def play(url: str, community: str, secretary: str, specialists: list[str], order: dict, note: str) -> dict:
    """Play one whistle from the call to the settlement; gives its history."""
    head = Person(url, secretary)
    whistle = head.ask("POST", "/v1/whistles", {"id": fresh(), "community": community, **order})
    print(f"\n{order['title']}({community})\n  {secretary:<8} 吹哨 / blows: {', '.join(whistle['called'])}")
    for login in specialists:
        person = Person(url, login)
        person.ask("POST", f"/v1/whistles/{whistle['id']}/reports", {"report": fresh(), "place": order["place"]})
        print(f"  {login:<8} 报到 / reports in")
    head.ask("POST", f"/v1/whistles/{whistle['id']}/settlements", {"settlement": fresh(), "note": note})
    print(f"  {secretary:<8} 销哨 / settles: {note}")
    return head.ask("GET", f"/v1/whistles/{whistle['id']}/history")


def show(history: dict) -> None:
    """Print a history with its proof."""
    for step in history["steps"]:
        what = f"{STAGES[step['fact']]} {step['fact']}"
        print(f"    {step['n']}  {step['at']}  {what:<16} {step['to']:<10} {step['hash'][:16]}")
    proof = "历史已核验,环环相扣 / history verified" if history["whole"] else f"断裂 / broken: {history['broken']}"
    print(f"    {proof}")


def main() -> None:
    """Play both districts and count what the figures heard."""
    url = os.environ.get("HUYING_URL") or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    both = [
        play(
            url, "110102009041", "wmy", ["xc-cg", "xc-zj"],
            {"kind": "综合执法", "category": "0101", "departments": ["chengguan", "zhujian"],
             "title": "六层阳台私搭乱建", "text": "阳台向外扩出一米多,楼下居民担心坠物。",
             "place": {"lon": 116.3441, "lat": 39.9312}},
            "违建已拆除 12.5 平方米。",
        ),
        play(
            url, "110107001012", "sjy", ["sjs-xf"],
            {"kind": "应急处置", "category": "0401", "departments": ["xiaofang"], "title": "楼道堆物堵住消防通道",
             "text": "三单元一层堆满纸箱。", "place": {"lon": 116.2379, "lat": 39.9066}},
            "通道已清空。",
        ),
    ]  # fmt: skip
    for history in both:
        show(history)
    # Facts travel on their own feet: what was settled a moment ago is counted a moment later.
    head = Person(url, "wmy")
    for _ in range(50):
        sums = {row["fact"]: row["count"] for row in head.ask("GET", "/v1/figures")["items"]}
        if sums.get("settled"):
            break
        time.sleep(0.1)
    print(f"\n西城区近 31 天 / the last 31 days in 西城区: {sums}")
    sys.exit(0 if all(history["whole"] for history in both) else 1)


if __name__ == "__main__":
    main()
