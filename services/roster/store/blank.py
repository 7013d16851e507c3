"""Records that need no founding: who is asked for and was never changed is blank, and begins with its first change."""

from services.ledger import Record
from shared.errors import NotFound


class BlankFirst:
    """A ledger's way of giving a blank record, of version 0, where there is none yet."""

    def get(self, id: str, history: bool = False) -> Record:
        """Find a record, or give a blank one."""
        try:
            return super().get(id, history)
        except NotFound:
            return Record(id, self.caller.district, 0, self.kind())
