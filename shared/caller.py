"""Who is asking, from where: carried by every message, believed only by the publisher that the broker verified."""

import re
from dataclasses import dataclass

from shared.contracts.permissions import may
from shared.errors import Forbidden, Unauthenticated

GATEWAY = "gateway"
DOOR = "plugins"  # the service by whose door all comes that departments' plug-ins ask
PLUGIN = "plugin"
PLUGIN_USER = re.compile(f"{PLUGIN}-([1-9][0-9]{{5}})-((?!all-)[a-z][a-z0-9]{{1,23}})-([a-z0-9]{{1,24}})")
LISTS = ("roles", "adjusted")
TEXT = ("district", "actor", "unit", "department", "session", "address")  # what travels under its own name


@dataclass(frozen=True)
class Caller:
    """The caller of one call.

    ``district`` six digits (GB/T 2260), empty for an operator; ``actor`` a person's id, never a name; ``unit`` the
    division code that the roles are scoped to; ``department`` the department's code, empty for nobody's; ``address``
    where the request came from, for the security log only; ``adjusted`` what the district changed for these roles.
    """

    district: str = ""
    actor: str = ""
    roles: tuple[str, ...] = ()
    unit: str = ""
    department: str = ""
    trace: str = ""
    session: str = ""
    address: str = ""
    adjusted: tuple[str, ...] = ()

    def headers(self) -> dict[str, str]:
        """Give the caller as message headers, all of them short text."""
        lists = {name: ",".join(getattr(self, name)) for name in LISTS}
        return {name: getattr(self, name) for name in TEXT} | lists | {"traceparent": self.trace}

    @classmethod
    def from_message(cls, user_id: str | None, headers: dict) -> "Caller":
        """Believe the gateway's headers; of the plug-ins' door believe only for which plug-in it asks (``for``).

        ``user_id`` is the AMQP property that RabbitMQ refuses unless it is the publisher's own login.
        """
        trace = str(headers.get("traceparent") or "")
        if user_id == GATEWAY:
            said = {name: str(headers.get(name) or "") for name in (*TEXT, *LISTS)}
            return cls(trace=trace, **said | {name: tuple(filter(None, said[name].split(","))) for name in LISTS})
        if user_id == DOOR and (plugin := cls.of_plugin(headers.get("for"), trace)):
            return plugin
        raise Unauthenticated("来源未经核实 / The bus does not vouch for this caller")

    @classmethod
    def of_plugin(cls, user: object, trace: str = "") -> "Caller | None":
        """Give who a plug-in's broker user is, ``plugin-110102-water-desk``: its district, its department, no more."""
        known = PLUGIN_USER.fullmatch(user) if isinstance(user, str) else None
        return cls(known[1], known[0], (PLUGIN,), known[1], known[2], trace) if known else None

    def must(self, permission: str | None) -> None:
        """Refuse (``Forbidden``) unless one of the caller's roles carries the permission; ``None`` asks for nothing."""
        if permission and not may(self.roles, permission, self.adjusted):
            raise Forbidden(f"您的角色不能这样做({permission}) / Your roles do not carry {permission}")
