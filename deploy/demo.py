"""Plays the main job over HTTP, as people would, for 万明园 and 四季园, and prints the trace with its verification."""

import sys
import time

from deploy.playing import Play, off

FIVE = {"promptness": 5, "attendance": 5, "quality": 5, "cooperation": 4, "feedback": 5}
WANMINGYUAN = {
    "kind": "综合执法", "category": "0101", "community": "110102009041", "unit": "110102009041.01.3",
    "departments": ["chengguan", "zhujian"], "title": "六层阳台私搭乱建",
    "text": "阳台向外扩出一米多,楼下居民担心坠物。", "place": {"lon": 116.3441, "lat": 39.9312},
}  # fmt: skip
SIJIYUAN = {
    "kind": "应急处置", "category": "0401", "community": "110107001012", "departments": ["xiaofang"],
    "title": "楼道堆物堵住消防通道", "text": "三单元一层堆满纸箱。", "place": {"lon": 116.2379, "lat": 39.9066},
}  # fmt: skip


def play(on: Play, secretary: str, order: dict, handle: dict[str, str], outcomes: list[dict], note: str) -> dict:
    """Play one whistle through its whole life; ``handle`` names the specialist of each department, the lead first."""
    on.learn_departments(secretary)
    whistle, lead = on.blow(secretary, **order), next(iter(handle))
    for login in handle.values():
        on.act(login, "signatures", whistle, "签收")
    on.act(handle[lead], "contacts", whistle, "联系", way="phone", note="已与反映人通电话,约定到现场。")
    for far, login in enumerate(handle.values(), 1):
        photos = [on.photo(login, (90, 90, 60 * far))]
        on.act(login, "reports", whistle, "报到", "已到现场", place=off(order["place"], 15 * far), photos=photos)
    on.act(handle[lead], "handlings", whistle, "处置", note="现场处置。")
    for department, login in handle.items():
        result = (
            {"text": note, "outcomes": outcomes} if department == lead else {"text": "已到场配合。", "outcomes": []}
        )
        on.act(login, "answers", whistle, "反馈", result="solved", **result)
    seen = {"place": order["place"], "photos": [on.photo(secretary, (40, 140, 60))]}
    on.act(secretary, "confirmations", whistle, "确认", solved=True, note="现场查看,已解决。", **seen)
    for department in handle:
        said = {"department": department, "indicators": FIVE, "note": "来得快,办得好。"}
        on.act(secretary, "ratings", whistle, "评价", soon=True, **said)
    on.act(secretary, "settlements", whistle, "销哨", note=note)
    return whistle


def main() -> None:
    """Play both districts and count what the figures heard."""
    on = Play()
    print("万明园(西城区)")
    first = play(
        on, "wmy", WANMINGYUAN, {"chengguan": "xc-cg", "zhujian": "xc-zj"},
        [{"measure": "illegal_structure", "count": 1, "amount": 12.5}, {"measure": "problem", "count": 1}],
        "违建已拆除 12.5 平方米。",
    )  # fmt: skip
    print("\n四季园(石景山区)")
    second = play(on, "sjy", SIJIYUAN, {"xiaofang": "sjs-xf"}, [{"measure": "problem", "count": 1}], "通道已清空。")
    whole = [on.trace("wmy", first), on.trace("sjy", second)]
    # Facts travel on their own feet: what was settled a moment ago is counted a moment later.
    for _ in range(50):
        sums = {row["fact"]: row["count"] for row in on.who("wmy").ask("GET", "/v1/figures")["items"]}
        if sums.get("settled"):
            break
        time.sleep(0.1)
    print(f"\n西城区近 31 天 / the last 31 days in 西城区: {sums}")
    sys.exit(0 if all(whole) else 1)


if __name__ == "__main__":
    main()
