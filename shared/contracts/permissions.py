"""Which role may do what: one table of data that the gateway sieves by and each service judges by.

A call names one permission (``needs``); a route never names a role. The roles are those of the mission. A district
may adjust the table for its own people within ``may_add`` and ``may_drop``; what differs is signed into their tokens.
"""

# What a resident does with what they reported themselves, and what the community does for those who cannot.
OWN = {"whistle.blow", "whistle.own", "whistle.join", "whistle.confirm", "whistle.reopen", "whistle.withdraw"}
# What the community does: it answers for itself, calls others, and settles.
HOME = OWN | {"whistle.report", "whistle.escalate"}
COMMANDS = HOME | {"whistle.summon", "whistle.settle", "whistle.merge", "evaluation.rate", "evaluation.read"}
COMES = {"whistle.report", "whistle.blow", "whistle.withdraw", "evaluation.read"}
DECIDES = COMMANDS | {"whistle.approve", "whistle.decide", "whistle.hand_over"}

# What everybody who works here reads, and what a resident does.
KNOWS = {"district.read", "unit.read", "station.read", "catalogue.read", "person.self"}
READS = KNOWS | {"whistle.read", "photo.read", "figures.read", "stream.listen"}
WORKS = READS | {"photo.add", "person.read"}

ROLES: dict[str, frozenset[str]] = {
    "resident": frozenset(KNOWS | OWN | {"photo.add", "photo.read"}),
    "steward": frozenset(READS | HOME | {"photo.add"}),
    "worker": frozenset(WORKS | HOME | {"place.change", "place.import", "place.export", "seat.appoint"}),
    "secretary": frozenset(
        WORKS | COMMANDS | {"place.change", "place.import", "place.export", "seat.appoint"}
        | {"card.publish", "person.admit", "person.change", "person.reveal", "whistle.export"}
    ),
    "specialist": frozenset(WORKS | COMES | {"absence.take", "card.publish"}),
    "lead": frozenset(
        WORKS | COMES | {"whistle.hand_over"}
        | {"seat.appoint", "absence.take", "card.publish", "team.change", "seat.import", "seat.export"}
        | {"person.admit", "person.change", "person.reveal"}
    ),
    "street": frozenset(
        WORKS | DECIDES | {"place.change", "place.import", "place.export", "seat.appoint"}
        | {"seat.import", "seat.export", "card.publish", "absence.take", "team.change", "unit.mark"}
        | {"person.admit", "person.change", "person.reveal", "whistle.export"}
    ),
    "district": frozenset(
        WORKS - {"photo.add"} | {"whistle.decide", "whistle.hand_over", "whistle.erase", "evaluation.read"}
        | {"settings.change", "unit.change", "unit.mark", "place.change"}
        | {"place.import", "place.export", "seat.appoint", "seat.import", "seat.export", "card.publish", "absence.take"}
        | {"team.change", "department.change", "catalogue.change", "catalogue.import", "catalogue.export"}
        | {"person.admit", "person.change", "person.reveal", "person.revoke", "person.import", "person.export"}
        | {"access.read", "access.adjust", "security.read", "security.export"}
        | {"whistle.export", "history.verify", "plugin.read", "plugin.admit"}
    ),
    "observer": frozenset(READS | {"person.read", "access.read", "evaluation.read", "whistle.export"}),
    # Reads across districts by visiting one after the other; belongs to none.
    "city_observer": frozenset(READS | {"district.visit", "evaluation.read"}),
    "operator": frozenset(
        {"district.read", "district.open", "district.enter", "clock.move", "person.self"}
        | {"person.admit", "person.read", "person.change", "person.revoke", "security.read", "security.export"}
    ),
    # Signed in, and first has to choose a password or a second factor of their own.
    "newcomer": frozenset({"person.self"}),
    # A timer belongs to no district: it finds what is due through the wide door and enters each record's own.
    "timer": frozenset({"district.enter"}),
    # The gateway asks in its own name: whom it must refuse; and it notes what it refused or let out.
    "gateway": frozenset({"revocation.read", "security.note"}),
    "plugin": frozenset({"whistle.read", "whistle.report", "catalogue.read"}),
}  # fmt: skip

PERMISSIONS = frozenset().union(*ROLES.values())

# The roles that people have; the others are the platform's own.
ROLE_NAMES = tuple(role for role in ROLES if role not in ("newcomer", "timer", "gateway", "plugin"))

# Who may let whom in. An administrator holds these in trust for others; nobody gives what is not here.
GRANTS: dict[str, frozenset[str]] = {
    "operator": frozenset({"operator", "city_observer", "district"}),
    "district": frozenset(ROLE_NAMES) - {"operator", "city_observer"},
    "street": frozenset({"secretary", "worker", "steward", "resident"}),
    "secretary": frozenset({"worker", "steward", "resident"}),
    "lead": frozenset({"specialist"}),
}

# Who signs in with a second factor (GB/T 22239-2019, level 3: administrators by two kinds of credential).
ADMINISTRATORS = frozenset({"district", "operator"})

# Nobody's to adjust: what guards everybody else, and what crosses districts.
FIXED = frozenset(
    {"person.self", "access.adjust", "access.read", "security.read", "security.export", "security.note"}
    | {"revocation.read", "district.open", "district.enter", "district.visit", "clock.move", "person.admit"}
    | {"person.change", "person.revoke", "person.import", "plugin.admit"}
)
ADDABLE: dict[str, frozenset[str]] = {
    "resident": frozenset({"figures.read"}),
    "steward": frozenset({"person.read", "place.change"}),
    "worker": frozenset({"whistle.summon", "whistle.settle", "person.reveal", "card.publish", "evaluation.read"}),
    "secretary": frozenset(
        {"whistle.decide", "whistle.approve", "unit.mark", "absence.take", "seat.import", "seat.export"}
    ),
    "specialist": frozenset({"whistle.hand_over", "person.reveal", "seat.export"}),
    "lead": frozenset({"person.export"}),
    "street": frozenset({"settings.change", "unit.change", "department.change", "catalogue.change", "whistle.erase"}),
    "observer": frozenset({"place.export", "seat.export", "catalogue.export"}),
}


def may_add(role: str) -> frozenset[str]:
    """Give what a district may add to a role: never what guards the others, and for an observer only reading."""
    return ADDABLE.get(role, frozenset()) - FIXED


def may_drop(role: str) -> frozenset[str]:
    """Give what a district may take from a role of its own people: all but what is fixed; from administrators none."""
    return frozenset() if role in (*ADMINISTRATORS, "city_observer") else ROLES[role] - FIXED


def may(roles: tuple[str, ...], permission: str, adjusted: tuple[str, ...] = ()) -> bool:
    """Say whether any of these roles carries the permission; an unknown role carries none.

    ``adjusted`` is what the caller's district has changed for these roles: ``+permission`` and ``-permission``.
    """
    carried = f"+{permission}" in adjusted or any(permission in ROLES.get(role, ()) for role in roles)
    return carried and f"-{permission}" not in adjusted
