"""What the roster asks Mongo: one file for each kind of record."""

from services.roster.store.catalogue import Categories, Rules
from services.roster.store.claims import Claims
from services.roster.store.departments import Departments, Teams
from services.roster.store.districts import Districts
from services.roster.store.holders import Cards, Holders, Staff
from services.roster.store.seats import Seats
from services.roster.store.tables import PlaceTables, RuleTables, SeatTables
from services.roster.store.units import Tree, Units

__all__ = [
    "Cards",
    "Categories",
    "Claims",
    "Departments",
    "Districts",
    "Holders",
    "PlaceTables",
    "RuleTables",
    "Rules",
    "SeatTables",
    "Seats",
    "Staff",
    "Teams",
    "Tree",
    "Units",
]
