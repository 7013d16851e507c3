"""What the roster asks Mongo: one file for each kind of record."""

from services.roster.store.catalogue import Categories, Rules
from services.roster.store.districts import Districts

__all__ = ["Categories", "Districts", "Rules"]
