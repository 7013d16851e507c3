"""The forms of the codes that everybody writes: divisions, departments, ids."""

import re

# 12 digits = 6 district + 3 street or township + 3 community or village (National Bureau of Statistics, code rule
# for statistical divisions); the six digits are GB/T 2260.
DISTRICT = re.compile("^[1-9][0-9]{5}$")
DIVISION = re.compile("^[1-9][0-9]{11}$")
UNIT = re.compile("^([0-9]{6}|[0-9]{12})$")
EVENT = re.compile("^[0-9]{4,6}$")  # GB/T 30428.2, with a district's own extensions
DEPARTMENT = re.compile("^(?!all$)[a-z][a-z0-9]{1,23}$")  # a fact for all of them is told to `all`
# A client names the thing it makes: a random UUID (RFC 9562) in its usual form, so that two clients never meet.
ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
DIGEST = re.compile(r"^[0-9a-f]{64}$")


def district_of(code: str) -> str:
    """Give the district's six digits of a division code of any level."""
    return code[:6]


def is_within(code: str, unit: str) -> bool:
    """Say whether a 12-digit division lies in a unit (district of 6 digits, street or community of 12)."""
    return code.startswith(unit[:9] if unit.endswith("000") and len(unit) == 12 else unit)
