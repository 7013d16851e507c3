"""吹哨报到: whistles, and each act upon them as the noun of its fact."""

from uuid import NAMESPACE_URL, uuid5

from gateway.table import Row, blueprint
from shared.contract import Call
from shared.contracts import whistle


def act(noun: str, call: Call, **example) -> Row:
    """An act is posted under its whistle; the client names it."""
    known = {"act": str(uuid5(NAMESPACE_URL, f"/whistles/{noun}"))}
    return Row("POST", f"/whistles/<id>/{noun}", call, 201, refuses=(404,), example=known | example)


bp = blueprint(
    "whistles",
    [
        Row("GET", "/whistles", whistle.listing),
        Row(
            "POST",
            "/whistles",
            whistle.blow,
            201,
            refuses=(404,),
            example={
                "id": "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091",
                "kind": "群众诉求",
                "category": "0102",
                "community": "110102009041",
                "departments": ["chengguan", "zhujian"],
                "title": "三号楼前垃圾成堆",
                "text": "三号楼前垃圾两天没有清运，请尽快处理。",
                "place": {"lon": 116.345, "lat": 39.925},
            },
        ),
        Row("GET", "/inbox", whistle.inbox),
        Row("GET", "/inbox-counts", whistle.counts),
        Row("GET", "/near-whistles", whistle.near),
        Row("GET", "/open-whistles", whistle.open_work),
        Row("GET", "/my-whistles", whistle.own_listing),
        Row("GET", "/my-whistles/<id>", whistle.own_one, versioned=True),
        Row("GET", "/whistles/<id>", whistle.get, versioned=True),
        Row("GET", "/whistles/<id>/history", whistle.trace),
        Row("GET", "/whistles/<id>/recomputation", whistle.preview),
        act("approvals", whistle.approve, approved=True, note="同意，请抓紧。"),
        act("summonses", whistle.summon, departments=["xiaofang"], note="楼道堆物，请消防到场。"),
        act("signatures", whistle.sign),
        act("contacts", whistle.contact, way="phone", note="已与居民约定下午到现场。"),
        act("reports", whistle.report, place={"lon": 116.3451, "lat": 39.9251}, note="已到现场。"),
        act("handlings", whistle.take_up, note="通知清运公司。"),
        act(
            "answers",
            whistle.feed_back,
            result="solved",
            text="垃圾已全部清运。",
            outcomes=[{"measure": "cleared", "count": 1, "amount": 3.5}],
        ),
        act(
            "returns", whistle.send_back, reason="not_our_duty", proposes="shuiwu", note="属排水设施，建议由水务办理。"
        ),
        act("return-decisions", whistle.decide_return, department="zhujian", upheld=False, note="仍由住建办理。"),
        act("reassignments", whistle.reassign, department="zhujian", instead="shuiwu", note="现场查明属水务。"),
        act(
            "meetings",
            whistle.convene,
            departments=["chengguan", "zhujian"],
            at="2027-01-05T06:00:00Z",
            where="社区综合治理工作站",
        ),
        act("meeting-conclusions", whistle.conclude, minutes="由城管牵头，住建配合。", lead="chengguan"),
        act("extension-requests", whistle.ask_extension, until="2027-01-20T10:00:00Z", note="需等待产权单位进场。"),
        act(
            "extension-decisions",
            whistle.decide_extension,
            department="chengguan",
            granted=True,
            note="同意延期，请告知居民。",
        ),
        act(
            "accounts", whistle.put_on_account, obstacle="season", review="2027-03-15", note="冬季无法施工，开春复核。"
        ),
        act("account-ends", whistle.take_off_account, note="已具备施工条件。"),
        act("supervisions", whistle.supervise, department="chengguan", note="请今日内反馈进展。"),
        act("escalations", whistle.escalate, note="街道协调未果，报请区级协调。"),
        act("withdrawals", whistle.withdraw, note="重复提交。"),
        act("handovers", whistle.hand_over, department="chengguan", note="专员调岗。"),
        act("joinings", whistle.join, note="我家也受影响。"),
        act("mergers", whistle.merge, into="5d7e9f01-2a3b-4c5d-8e6f-708192a3b4c5", note="同一处问题。"),
        act("partings", whistle.part, note="核实为两处问题。"),
        act("confirmations", whistle.confirm, solved=True, place={"lon": 116.345, "lat": 39.925}, note="现场已恢复。"),
        act("settlements", whistle.settle, note="垃圾已清运，现场已恢复。"),
        act("reopenings", whistle.reopen, note="又堆起来了。"),
        act("recomputations", whistle.move_dues, note="节假日安排已更新。"),
        act("erasures", whistle.erase, reason="requested"),
    ],
)
