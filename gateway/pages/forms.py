"""From what was typed to an order, and from a refusal back to the form, with everything that was typed still in it."""

import re
import uuid
from datetime import datetime

from flask import g, redirect, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from gateway import photos
from gateway.pages.language import tongue
from gateway.problems import say, say_all
from shared.errors import Invalid, Refusal
from shared.rules.codes import DIGEST
from shared.rules.days import BEIJING

MOST_PHOTOS = 9
MOST_BODY = MOST_PHOTOS * photos.MOST_BYTES
FIGURES = re.compile(r"-?[0-9]{1,3}([.][0-9]{1,12})?")


class Told:
    """What a form tells its reader: one message at the top, and one at each field that is wrong."""

    def __init__(self, top: str = "", fields: dict | None = None, status: int = 200):
        self.top, self.fields, self.status = top, fields or {}, status

    @classmethod
    def of(cls, error: Exception) -> "Told":
        """Tell a refusal, or a no of HTTP's own."""
        if isinstance(error, Refusal):
            return cls(say(error.detail or error.title, tongue()), say_all(error.fields, tongue()), error.status)
        assert isinstance(error, HTTPException)
        return cls(say(error.description or "", tongue()), {}, error.code or 400)

    def at(self, name: str) -> str:
        """Give what is wrong with a field, however deep the service says it."""
        return "; ".join(flat(self.fields.get(name, ())))

    def __bool__(self) -> bool:
        return bool(self.top or self.fields)


def flat(said) -> list[str]:
    if isinstance(said, dict):
        return [text for each in said.values() for text in flat(each)]
    if isinstance(said, list | tuple):
        return [text for each in said for text in flat(each)]
    return [str(said)]


def allow_photos() -> None:
    """Let this request bring photos; each is bounded by itself when it is read."""
    request.max_content_length = MOST_BODY + photos.FORM_MARGIN


def typed(name: str) -> str:
    return request.form.get(name, "").strip()


def fresh() -> str:
    return str(uuid.uuid4())


def kept_photos(name: str = "photos", kept: str = "kept") -> list[str]:
    """Keep the photos that a form brings, and give them after those that it had kept before.

    They lie in ``g.kept`` as they come, so that a form that is shown again has them even when one was refused.
    """
    allow_photos()
    known = [each for each in request.form.getlist(kept) if DIGEST.fullmatch(each)]
    dropped = set(request.form.getlist(f"{kept}-drop"))
    files = [file for file in request.files.getlist(name) if file.filename]
    digests = g.kept = [each for each in known if each not in dropped]
    if len(digests) + len(files) > MOST_PHOTOS:
        raise Invalid(f"最多 {MOST_PHOTOS} 张照片 / {MOST_PHOTOS} photos at most", {name: ["太多了 / Too many"]})
    for file in files:
        digest = keep(file)
        if digest not in digests:
            digests.append(digest)
    return digests


def keep(file: FileStorage) -> str:
    data = file.read(photos.MOST_BYTES + 1)
    if len(data) > photos.MOST_BYTES:
        raise RequestEntityTooLarge(photos.TOO_HEAVY)
    return photos.kept(data)["digest"]


def place() -> dict | None:
    """Give the point that the browser found, if it found one."""
    lon, lat = typed("lon"), typed("lat")
    if not FIGURES.fullmatch(lon) or not FIGURES.fullmatch(lat):
        return None
    return {"lon": float(lon), "lat": float(lat)}


def when(name: str) -> str | None:
    """Give a date and time that was typed as Beijing's; nothing where it is none."""
    try:
        return datetime.fromisoformat(typed(name)).replace(tzinfo=BEIJING).isoformat()
    except ValueError:
        return None


def go(path: str):
    """Lead on to a page after something was done, so that a reload does nothing twice."""
    return redirect(path, 303)


def safe_path(text: str, otherwise: str = "/") -> str:
    """Give a path of this site, and nothing that leads elsewhere."""
    return text if re.fullmatch(r"/(?![/\\])[!-~]{0,500}", text or "") and "\\" not in text else otherwise
