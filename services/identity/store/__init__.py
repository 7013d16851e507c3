"""What identity asks Mongo: one file for people, for accounts, for the places that the roster tells of, for the log.

Secrets are not facts: password hashes, TOTP keys and renewals lie in plain collections, never in a history.
"""

from services.identity.store.accounts import Accounts
from services.identity.store.people import People, Revocations, Roles
from services.identity.store.places import Places
from services.identity.store.security import Books, Security
from services.identity.store.tables import PeopleTables

__all__ = ["Accounts", "Books", "People", "PeopleTables", "Places", "Revocations", "Roles", "Security"]
