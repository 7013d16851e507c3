"""Runs the floor's service as a process of its own."""

from deploy.serve import serve  # first: it makes sockets and sleeps green
from services.entrypoints import Records, rpc
from services.ledger import Store
from tests.bench.floor import contract


class Rows(Store):
    """The rows that are inserted."""

    def insert(self, row: dict) -> None:
        self.database["rows"].insert_one(row)


class FloorService:
    name = "floor"
    rows = Records(Rows)

    @rpc(contract.insert)
    def insert(self, id, text):
        self.rows.insert({"_id": id, "text": text, "at": self.rows.now()})
        return {"id": id}

    @rpc(contract.nothing)
    def nothing(self):
        return {"id": ""}


serve(FloorService, [Rows])
