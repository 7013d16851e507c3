"""For whom and where a caller may act: their own unit and below, their own department, or themselves."""

from shared.caller import Caller
from shared.errors import Conflict, Forbidden

KEPT_CHANGES = 50


def remembered(changes: dict, change: str, what: dict) -> dict:
    """A change is found again among the last fifty of its record."""
    return dict(list(changes.items())[1 - KEPT_CHANGES :]) | {change: what}


def was_done(changes: dict, change: str, asked: dict) -> bool:
    """An order that was carried out decides nothing more; another one under the same id is refused."""
    if change not in changes:
        return False
    if changes[change] != asked:
        raise Conflict("编号已被使用,内容不同 / This id is already another change's")
    return True


def must_reach(caller: Caller, path: list[str], code: str) -> None:
    """People act in their own unit and below; everything that a record is of lies in its district."""
    if not caller.unit or caller.unit not in (*path, code, caller.district):
        raise Forbidden("不在您的辖区 / Outside the unit that you act for")


def must_act_for(caller: Caller, person: str, who: dict, path: list[str]) -> None:
    """Each acts for themselves, a lead for their department, those above for the people of their unit."""
    if person == caller.actor:
        return
    if "lead" in caller.roles and caller.department and caller.department == who.get("department"):
        return
    if not {"secretary", "street", "district", "worker"} & set(caller.roles):
        raise Forbidden("只能为本人或本部门办理 / Only for yourself, or as a lead for your department")
    must_reach(caller, path, who.get("unit", ""))
