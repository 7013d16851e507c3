"""Photos on their way in and out: judged by their content, freed of all that they say beside the picture.

Not a table of rows, because a photo is bytes and not JSON: the body is bounded, decoded and cleaned here, so that no
service and no queue ever holds what a camera wrote into a file.
"""

import io
import struct
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from marshmallow import fields
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.asking import ask, caller, declare
from gateway.table import read_query
from shared.contracts import whistle
from shared.errors import Invalid, NotFound, Unavailable
from shared.rules import codes

bp = Blueprint("photos", __name__)

MEGABYTE = 1_000_000
MOST_BYTES = 12 * MEGABYTE
MOST_PIXELS = 40 * MEGABYTE
# A WebP's own limit; others might be longer, and could not become thumbnails of any use.
MOST_SIDE = 16_383
MOST_KEPT = 20 * MEGABYTE
THUMB_SIDE = 480
# What a form puts around its one file: boundaries and part headers.
FORM_MARGIN = 65_536
# A photo of 40 megapixels took 300 MB while it was decoded, and 600 MB as WebP: a process bears two at once.
AT_ONCE = threading.BoundedSemaphore(2)
PATIENCE = 15

READERS = (JpegImagePlugin.JpegImageFile, PngImagePlugin.PngImageFile, WebPImagePlugin.WebPImageFile)
# How each is written again. MPO is how phones name a JPEG that has a second picture behind it; the first is kept.
WRITTEN = {
    "JPEG": ("image/jpeg", {"format": "JPEG", "quality": 88}),
    "MPO": ("image/jpeg", {"format": "JPEG", "quality": 88}),
    "PNG": ("image/png", {"format": "PNG", "compress_level": 4}),
    "WEBP": ("image/webp", {"format": "WEBP", "quality": 88}),
}
THUMB = ("image/webp", {"format": "WEBP", "quality": 75})

# What Pillow's readers raise on a broken file, by trial with files damaged at random.
BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, AttributeError, AssertionError, LookupError, ArithmeticError),
    *(EOFError, RuntimeError, struct.error, zlib.error),
)

UNREADABLE = "看不懂这张照片:请上传完整的 JPEG、PNG 或 WebP 图片 / Not a whole JPEG, PNG or WebP picture"
TOO_MANY_PIXELS = (
    "照片尺寸过大,最多 4000 万像素,边长 16383 / The picture is too large: 40 megapixels, 16383 a side at most"
)
TOO_HEAVY = "照片不能超过 12 MB / A photo may have 12 MB at most"
MISSING = "请选择一张照片 / Please choose a photo"
BUSY = "正在处理的文件较多,请稍后再试 / Too many files at once, please try again"
NO_SUCH_SIZE = "只有 thumb 一种 / The only size is thumb"
GONE = "没有这张照片 / No such photo"


@dataclass(frozen=True)
class Cleaned:
    """A photo that shows its picture and nothing else; ``digest`` is the SHA-256 of ``data``."""

    digest: str
    type: str
    width: int
    height: int
    data: bytes
    thumb: bytes


@bp.post("/v1/photos")
def keep():
    """Keep one photo: the caller gets its digest, by which a whistle, a report or a settlement may show it."""
    caller().must(whistle.keep_photo.needs)
    view = kept(body())
    return view, 201, {"Location": url_for("photos.show", digest=view["digest"])}


def kept(data: bytes) -> dict:
    """Clean one photo and keep it, and give what is known of it; a page's form brings its photos here, too."""
    who = caller()
    who.must(whistle.keep_photo.needs)
    photo = decode(clean, data)
    blobs, key = current_app.config["BLOBS"], f"{who.district}/{photo.digest}"
    order = {"digest": photo.digest, "type": photo.type, "size": len(photo.data)}
    # The service knows of a photo before its bytes are kept: bytes that nobody knows of could never be erased.
    view = ask(whistle.keep_photo, order | {"width": photo.width, "height": photo.height})
    blobs.put(key, photo.data)
    blobs.put(f"{key}.thumb", photo.thumb)
    return view


@bp.get("/v1/photos/<digest>")
def show(digest: str):
    """Give a photo's bytes (``?size=thumb``: its thumbnail) to whom the whistle service lets read it.

    The service is asked each time, also before a 304: what was erased is gone from every screen with the next look.
    """
    size = read_query({"size": fields.String()}).get("size")
    if size not in (None, "thumb"):
        raise Invalid(NO_SUCH_SIZE, {"size": [NO_SUCH_SIZE]})
    known = ask(whistle.photo, {"digest": digest})
    kind, tail = (THUMB[0], ".thumb") if size else (known["type"], "")
    try:
        data = current_app.config["BLOBS"].get(f"{caller().district}/{known['digest']}{tail}")
    except KeyError:
        raise NotFound(GONE) from None
    answer = Response(data, content_type=kind)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Content-Disposition"] = "inline"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.set_etag(known["digest"] + tail)
    return answer.make_conditional(request)


def body() -> bytes:
    """Read the photo's bytes, raw or from the form's field ``photo``, and never more than the bound (413)."""
    form = request.mimetype == "multipart/form-data"
    # Werkzeug cuts a body without a length off at the bound without a word, so the bound lies one byte further.
    request.max_content_length = MOST_BYTES + (FORM_MARGIN if form else 1)
    try:
        file = request.files.get("photo") if form else None
        data = (file.read() if file else b"") if form else request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(TOO_HEAVY) from None
    if len(data) > MOST_BYTES:
        raise RequestEntityTooLarge(TOO_HEAVY)
    if not data:
        raise refused(MISSING)
    return data


def refused(detail: str) -> Invalid:
    return Invalid(detail, {"photo": [detail]})


def decode(work: Callable[[bytes], Any], data: bytes) -> Any:
    """Run a decoder beside the event loop, two at most in a process; raises ``Unavailable`` when the wait is long."""
    if not AT_ONCE.acquire(timeout=PATIENCE):
        raise Unavailable(BUSY)
    try:
        monkey = sys.modules.get("gevent.monkey")
        if monkey and monkey.is_module_patched("threading"):
            from gevent import get_hub
            from gevent.util import wrap_errors

            # gevent prints the trace of whatever a thread raises; a refusal is not worth one, so it comes as a value.
            outcome = get_hub().threadpool.apply(wrap_errors(Invalid, work), (data,))
            if isinstance(outcome, Invalid):
                raise outcome
            return outcome
        return work(data)
    finally:
        AT_ONCE.release()


def clean(data: bytes) -> Cleaned:
    """Read a photo from its bytes alone and write it anew; raises ``Invalid`` for whatever is not a whole photo.

    Of a moving picture the first frame is kept. EXIF (position, camera, time), XMP, comments, colour profiles and what
    hangs behind the picture end here; the way up and the colours (as sRGB) are written into the pixels first.
    """
    written, picture = read(data)
    kind, options = WRITTEN[written]
    kept = encoded(picture, options)
    if len(kept) > MOST_KEPT:
        raise refused(TOO_HEAVY)
    width, height = picture.size
    picture.thumbnail((THUMB_SIDE, THUMB_SIDE))
    return Cleaned(sha256(kept).hexdigest(), kind, width, height, kept, encoded(picture, THUMB[1]))


def read(data: bytes) -> tuple[str, Image.Image]:
    """Decode a photo, its size judged before its pixels: the reader's name of its form, and the picture alone."""
    try:
        with Image.open(io.BytesIO(data), formats=[reader.format for reader in READERS]) as found:
            if found.width * found.height > MOST_PIXELS or max(found.size) > MOST_SIDE:
                raise refused(TOO_MANY_PIXELS)
            found.load()
            with suppress(*BROKEN):  # A photo whose notes are broken stays as it lies.
                ImageOps.exif_transpose(found, in_place=True)
            picture = in_srgb(found)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise refused(TOO_MANY_PIXELS) from None
    except BROKEN:
        raise refused(UNREADABLE) from None
    picture.info = {}
    return found.format, picture


def in_srgb(picture: Image.Image) -> Image.Image:
    """Give a photo as RGB, or RGBA where parts are clear, in the colours that every screen shows."""
    profile = picture.info.get("icc_profile")
    if picture.mode == "I;16":
        # Pillow cuts sixteen bits off at 255; the eight that count are the upper ones.
        picture.info.pop("transparency", None)
        picture = picture.point(lambda level: level * (1 / 256)).convert("L")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    if picture.mode != "CMYK":
        picture = picture.convert(mode)
    if profile:
        # A profile that does not fit its picture is dropped: the colours are a little off, the photo is kept.
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            if picture.mode == "CMYK":
                return ImageCms.profileToProfile(picture, source, target, outputMode=mode)
            ImageCms.profileToProfile(picture, source, target, inPlace=True)
    return picture.convert(mode) if picture.mode == "CMYK" else picture


def encoded(picture: Image.Image, options: dict) -> bytes:
    out = io.BytesIO()
    picture.save(out, **options)
    return out.getvalue()


def picture_bytes() -> dict:
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind, _ in WRITTEN.values()}


declare(
    keep,
    needs=whistle.keep_photo.needs,
    spec={
        "summary": "上传照片 / Keep a photo",
        "description": f"{TOO_HEAVY}. {TOO_MANY_PIXELS}. EXIF 与位置会被去除 / EXIF and position are removed.",
        "requestBody": {
            "required": True,
            "content": picture_bytes()
            | {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["photo"],
                        "properties": {"photo": {"type": "string", "format": "binary"}},
                    }
                }
            },
        },
        "responses": {
            "201": {
                "description": "已存 / Kept",
                "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Photo"}}},
            },
            "413": {"description": TOO_HEAVY},
            "422": {"description": UNREADABLE},
        },
    },
)
declare(
    show,
    needs=whistle.photo.needs,
    spec={
        "summary": "看照片 / A photo, or its thumbnail",
        "parameters": [
            {
                "name": "digest",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": codes.DIGEST.pattern},
            },
            {"name": "size", "in": "query", "schema": {"type": "string", "enum": ["thumb"]}},
        ],
        "responses": {
            "200": {"description": "照片 / The picture", "content": picture_bytes()},
            "304": {"description": "没有变化 / Not changed since"},
            "404": {"description": GONE},
            "422": {},
        },
    },
)
