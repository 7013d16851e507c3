"""A whistle on its way out: one file that proves itself, for a court as for a program."""

from collections.abc import Iterator

from flask import Blueprint, Response, current_app, stream_with_context

import huying_verify
from gateway.asking import ask, caller, declare, note
from gateway.table import Row, blueprint, read_query
from gateway.tables import file_of
from shared.contracts import proofs

ZIP = "application/zip"
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}

bp = Blueprint("proofs", __name__, url_prefix="/v1")
rows = blueprint("verification", [Row("GET", "/verification", proofs.verify)])


@bp.get("/whistles/<id>/proof")
def show(id: str) -> Response:
    """Give a whistle as one file that ``huying-verify`` checks offline: its history, words, photos and a page to read.

    Not a row, because the answer is a file and not JSON; that it was taken out is written down before it is given.
    Photos are read one at a time while the file goes out. Where one cannot be read the file ends without its end,
    which no zip is: nobody takes a part for the whole.
    """
    read_query({})
    found = ask(proofs.prove, {"id": id})
    proof = found | {"format": huying_verify.FORMAT}
    proof["photos"] = {digest: ENDINGS[kind] for digest, kind in found["photos"].items()}
    note("exported", 200, f"whistles/{id}")
    return file_of(stream_with_context(pieces(proof, caller().district)), ZIP, f"哨-{id}.huying.zip")


def pieces(proof: dict, district: str) -> Iterator[bytes]:
    blobs = current_app.config["BLOBS"]
    return huying_verify.packed(proof, lambda digest: blobs.get(f"{district}/{digest}"))


declare(
    show,
    needs=proofs.prove.needs,
    spec={
        "tags": [proofs.SERVICE],
        "summary": "出证 / One whistle as a file that proves itself",
        "description": "whistle.json, photos/, index.html, README.txt; 核验 / check: `python3 huying_verify.py FILE`",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
        ],
        "responses": {
            "200": {
                "description": "文件 / The file",
                "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
            },
            "404": {},
            "422": {},
        },
    },
)
