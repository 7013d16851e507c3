"""Who is asking, from where: carried by every message, believed only by the publisher that the broker verified."""

from dataclasses import dataclass

from shared.contracts.permissions import may
from shared.errors import Forbidden, Unauthenticated

GATEWAY = "gateway"
PLUGIN = "plugin"


@dataclass(frozen=True)
class Caller:
    """The caller of one call.

    ``district`` six digits (GB/T 2260), empty for an operator; ``actor`` a person's id, never a name; ``unit`` the
    division code that the roles are scoped to; ``department`` the department's code, empty for nobody's.
    """

    district: str = ""
    actor: str = ""
    roles: tuple[str, ...] = ()
    unit: str = ""
    department: str = ""
    trace: str = ""
    session: str = ""

    def headers(self) -> dict[str, str]:
        """Give the caller as message headers, all of them short text."""
        return {
            "district": self.district,
            "actor": self.actor,
            "roles": ",".join(self.roles),
            "unit": self.unit,
            "department": self.department,
            "traceparent": self.trace,
            "session": self.session,
        }

    @classmethod
    def from_message(cls, user_id: str | None, headers: dict) -> "Caller":
        """Believe the gateway's headers; let a plug-in (``plugin-110102-water``) speak only in its own name.

        ``user_id`` is the AMQP property that RabbitMQ refuses unless it is the publisher's own login.
        """
        trace = str(headers.get("traceparent") or "")
        if user_id == GATEWAY:
            roles = tuple(role for role in str(headers.get("roles") or "").split(",") if role)
            text = {key: str(headers.get(key) or "") for key in ("district", "actor", "unit", "department", "session")}
            return cls(roles=roles, trace=trace, **text)
        kind, _, rest = (user_id or "").partition("-")
        district, _, department = rest.partition("-")
        if kind == PLUGIN and district and department:
            return cls(district, user_id, (PLUGIN,), district, department, trace)
        raise Unauthenticated("来源未经核实 / The bus does not vouch for this caller")

    def must(self, permission: str | None) -> None:
        """Refuse (``Forbidden``) unless one of the caller's roles carries the permission; ``None`` asks for nothing."""
        if permission and not may(self.roles, permission):
            raise Forbidden(f"您的角色不能这样做({permission}) / Your roles do not carry {permission}")
