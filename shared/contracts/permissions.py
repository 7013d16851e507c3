"""Which role may do what: one table of data that the gateway sieves by and each service judges by.

A call names one permission (``needs``); a route never names a role. The roles are those of the mission;
Issue B lets a district adjust the table within bounds.
"""

READS = {"whistle.read", "photo.read", "district.read", "figures.read", "stream.listen", "person.self"}

ROLES: dict[str, frozenset[str]] = {
    "resident": frozenset({"district.read", "person.self"}),
    "secretary": frozenset(READS | {"whistle.blow", "whistle.settle", "photo.add"}),
    "street": frozenset(READS | {"whistle.blow", "whistle.settle", "photo.add"}),
    "specialist": frozenset(READS | {"whistle.report", "photo.add"}),
    "district": frozenset(READS | {"whistle.erase", "person.revoke", "settings.change"}),
    "observer": frozenset(READS),
    "operator": frozenset(
        {"district.read", "district.open", "district.enter", "clock.move", "person.self", "person.admit"}
    ),
    # A timer belongs to no district: it finds what is due through the wide door and enters each record's own.
    "timer": frozenset({"district.enter"}),
    # The gateway asks in its own name for one thing only: whom it must refuse.
    "gateway": frozenset({"revocation.read"}),
    "plugin": frozenset({"whistle.read", "whistle.report"}),
}

PERMISSIONS = frozenset().union(*ROLES.values())


def may(roles: tuple[str, ...], permission: str) -> bool:
    """Say whether any of these roles carries the permission; an unknown role carries none."""
    return any(permission in ROLES.get(role, ()) for role in roles)
