"""A photo shows its picture and nothing else, and only to whom the whistle service lets see it."""

import io
import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from gateway import photos
from gateway.problems import handle_every_problem
from shared.blobs import open_blobs
from shared.caller import Caller
from shared.contracts import whistle
from shared.errors import Invalid, NotFound, Unavailable

ROOT = Path(__file__).parents[2]
SECRETARY = Caller("110102", "p-1", ("secretary",), "110102001001")
SECRET = "四季园3号楼501"
ENGLISH = {"Accept-Language": "en"}
RED, BLUE = (250, 5, 5), (5, 5, 250)


class Keeper:
    """The whistle service's two calls about photos, at our own seam: it judges by contract, district and role."""

    def __init__(self):
        self.person, self.kept, self.erased, self.asked = SECRETARY, {}, set(), []

    def caller(self):
        return self.person

    def ask(self, call, order):
        self.asked.append(call.name)
        self.person.must(call.needs)
        order = call.load(order)
        key = self.person.district, order["digest"]
        if call is whistle.keep_photo:
            self.kept[key] = order | {"kept_at": datetime(2026, 7, 6, tzinfo=UTC)}
        if key not in self.kept or key in self.erased:
            raise NotFound("没有这张照片 / No such photo")
        return call.dump(self.kept[key])


@pytest.fixture
def keeper(monkeypatch):
    keeper = Keeper()
    monkeypatch.setattr(photos, "ask", keeper.ask)
    monkeypatch.setattr(photos, "caller", keeper.caller)
    return keeper


@pytest.fixture
def app(keeper, tmp_path):
    app = Flask(__name__)
    app.config.update(BLOBS=open_blobs(f"file:{tmp_path}"), MAX_CONTENT_LENGTH=64 * 1024)
    app.register_blueprint(photos.bp)
    handle_every_problem(app)
    return app


@pytest.fixture
def client(app):
    return app.test_client()


def a_picture(size=(64, 48), colour=RED, mode="RGB"):
    return Image.new(mode, size, colour)


def written(picture, form="JPEG", **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def a_photo(form="JPEG", size=(64, 48), orientation=1, **options):
    """Make a photo as a phone does: where, when, with what, how it was held, and somebody's remark."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = SECRET
    exif[ExifTags.Base.DateTime] = "2026:07:06 09:30:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (39.0, 53.0, 1.0), 3: "E", 4: (116.0, 21.0, 2.0)})
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><GPSLatitude>39.8836 {SECRET}</GPSLatitude></x:xmpmeta>'.encode()
    if form == "JPEG":
        options |= {"comment": SECRET.encode(), "xmp": xmp}
    if form == "WEBP":
        options |= {"xmp": xmp, "lossless": True}
    if form == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_itxt("Comment", SECRET)
        notes.add_text("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"), zip=True)
        options |= {"pnginfo": notes}
    return written(a_picture(size), form, exif=exif, **options)


def a_png_that_claims(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def parts_of(data):
    """Name the parts of an image file, read by the three formats' own rules."""
    if data.startswith(b"\x89PNG"):
        at, found = 8, []
        while at < len(data):
            length = struct.unpack(">I", data[at : at + 4])[0]
            found.append(data[at + 4 : at + 8].decode())
            at += 12 + length
        return found
    if data[:4] == b"RIFF":
        at, found = 12, []
        while at < len(data):
            found.append(data[at : at + 4].decode())
            length = struct.unpack("<I", data[at + 4 : at + 8])[0]
            at += 8 + length + length % 2
        return found
    at, found = 2, []
    while data[at + 1] != 0xDA:
        found.append(f"{data[at + 1]:X}")
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return found


def shown(client, answer, query=""):
    return Image.open(io.BytesIO(client.get(answer.headers["Location"] + query).data))


class Sent(io.RawIOBase):
    """A body that is being sent, and remembers how much of it was taken."""

    def __init__(self, size):
        self.left, self.taken = size, 0

    def announced(self):
        return {"wsgi.input": io.BufferedReader(self), "CONTENT_LENGTH": str(self.left)}

    def readable(self):
        return True

    def readinto(self, into):
        count = min(len(into), self.left)
        into[:count] = b"\xff" * count
        self.left, self.taken = self.left - count, self.taken + count
        return count


def test_a_photo_is_kept_under_the_digest_of_what_is_kept(client, keeper):
    answer = client.post("/v1/photos", data=a_photo())
    assert answer.status_code == 201
    view = answer.get_json()
    assert answer.headers["Location"] == f"/v1/photos/{view['digest']}"
    got = client.get(answer.headers["Location"])
    assert sha256(got.data).hexdigest() == view["digest"]
    assert (view["type"], view["width"], view["height"]) == ("image/jpeg", 64, 48)
    assert view["size"] == len(got.data)
    assert keeper.asked == ["keep_photo", "photo"]


@pytest.mark.parametrize(
    ("form", "allowed"),
    [
        ("JPEG", {"E0", "DB", "C0", "C4"}),  # JFIF, tables, frame; no E1 (EXIF, XMP), no E2 (ICC, MPF), no FE (comment)
        ("PNG", {"IHDR", "IDAT", "IEND"}),
        ("WEBP", {"VP8 "}),
    ],
)
def test_a_photo_keeps_no_position(client, form, allowed):
    sent = a_photo(form, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert Image.open(io.BytesIO(sent)).getexif().get_ifd(ExifTags.IFD.GPSInfo)[2] == (39.0, 53.0, 1.0)
    assert not set(parts_of(sent)) <= allowed
    answer = client.post("/v1/photos", data=sent)
    for query in ("", "?size=thumb"):
        got = client.get(answer.headers["Location"] + query).data
        kept = Image.open(io.BytesIO(got))
        assert not kept.getexif() and not kept.info.get("xmp") and not kept.info.get("icc_profile")
        for secret in (SECRET.encode(), b"Exif", b"GPS", b"2026:07:06", b"adobe"):
            assert secret not in got
    assert set(parts_of(client.get(answer.headers["Location"]).data)) <= allowed


def test_what_hangs_behind_a_picture_does_not_stay(client):
    script = b"<html><script>alert(document.cookie)</script></html>"
    sent = written(a_picture(), comment=script) + script + b"PK\x03\x04"
    answer = client.post("/v1/photos", data=sent)
    assert answer.status_code == 201
    got = client.get(answer.headers["Location"]).data
    assert b"script" not in got and b"PK\x03\x04" not in got
    assert got.endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    ("orientation", "corner"),
    # Exif 2.32, table 6: where the stored picture's first row and first column belong.
    [(1, "left top"), (2, "right top"), (3, "right bottom"), (4, "left bottom")]
    + [(5, "left top"), (6, "right top"), (7, "right bottom"), (8, "left bottom")],
)
def test_a_photo_stands_as_it_was_held(client, orientation, corner):
    picture = a_picture((64, 48), BLUE)
    picture.paste(RED, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    view = client.post("/v1/photos", data=written(picture, exif=exif, quality=95, subsampling=0))
    kept = shown(client, view)
    assert kept.size == ((64, 48) if orientation < 5 else (48, 64))
    assert (view.get_json()["width"], view.get_json()["height"]) == kept.size
    places = {
        f"{side} {end}": kept.getpixel((x, y))
        for side, x in (("left", 4), ("right", kept.width - 5))
        for end, y in (("top", 4), ("bottom", kept.height - 5))
    }
    assert [place for place, (red, _, blue) in places.items() if red > 200 and blue < 60] == [corner]


def test_colours_are_kept_as_the_camera_meant_them(client):
    # The profile of sRGB with red and green exchanged: what it calls red is green on every screen.
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = usual.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    answer = client.post("/v1/photos", data=written(a_picture(colour=(255, 0, 0)), "PNG", icc_profile=exchanged))
    red, green, blue = shown(client, answer).getpixel((5, 5))
    assert green > 240 and red < 15 and blue < 15


@pytest.mark.parametrize(
    "sent",
    [
        written(a_picture(colour=200, mode="L")),
        written(a_picture(colour=(0, 0, 0, 55), mode="CMYK")),
        written(a_picture(colour=200 * 256, mode="I;16"), "PNG"),
        written(a_picture(colour=(200, 200, 200)).convert("P"), "PNG"),
        written(a_picture(colour=(200, 200, 200)), icc_profile=b"not a profile"),
    ],
    ids=["grey", "for print", "sixteen bits", "palette", "with a broken profile"],
)
def test_uncommon_kinds_of_picture_are_kept_in_their_own_brightness(client, sent):
    answer = client.post("/v1/photos", data=sent)
    assert answer.status_code == 201
    kept = shown(client, answer)
    assert kept.mode == "RGB"
    assert all(level in range(196, 205) for level in kept.getpixel((5, 5)))


def test_black_and_white_stays_black_and_white(client):
    picture = a_picture(colour=0, mode="1")
    picture.paste(1, (0, 0, 32, 48))
    kept = shown(client, client.post("/v1/photos", data=written(picture, "PNG")))
    assert (kept.getpixel((5, 5)), kept.getpixel((60, 5))) == ((255, 255, 255), (0, 0, 0))


def test_clear_parts_of_a_picture_stay_clear(client):
    answer = client.post("/v1/photos", data=written(a_picture(colour=(250, 5, 5, 0), mode="RGBA"), "PNG"))
    assert shown(client, answer).getpixel((5, 5))[3] == 0
    assert shown(client, answer, "?size=thumb").convert("RGBA").getpixel((5, 5))[3] == 0


@pytest.mark.parametrize("form", ["PNG", "WEBP", "MPO"])
def test_of_a_moving_picture_the_first_frame_is_kept(client, form):
    sent = written(a_picture(), form, save_all=True, append_images=[a_picture(colour=BLUE)])
    assert Image.open(io.BytesIO(sent)).n_frames == 2
    answer = client.post("/v1/photos", data=sent)
    kept = shown(client, answer)
    assert getattr(kept, "n_frames", 1) == 1
    red, _, blue = kept.getpixel((5, 5))
    assert red > 200 and blue < 60


def test_a_thumbnail_is_small_and_keeps_the_shape(client):
    answer = client.post("/v1/photos", data=written(a_picture((2000, 1000))))
    thumb = client.get(answer.headers["Location"] + "?size=thumb")
    assert thumb.content_type == "image/webp"
    assert Image.open(io.BytesIO(thumb.data)).size == (480, 240)
    assert shown(client, answer).size == (2000, 1000)


@pytest.mark.parametrize("query", ["?size=huge", "?size=", "?size=thumb&size=thumb", "?colour=red"])
def test_a_size_that_there_is_not_is_refused(client, keeper, query):
    kept = client.post("/v1/photos", data=a_photo())
    assert client.get(kept.headers["Location"] + query).status_code == 422
    assert keeper.asked == ["keep_photo"]


def test_a_photo_comes_by_a_form_too(client):
    answer = client.post("/v1/photos", data={"photo": (io.BytesIO(a_photo("PNG")), "../../holiday.exe")})
    assert answer.status_code == 201
    assert answer.get_json()["type"] == "image/png"


def test_the_same_photo_twice_is_one_photo(client, keeper, tmp_path):
    first, again = (client.post("/v1/photos", data=a_photo()) for _ in range(2))
    assert first.get_json()["digest"] == again.get_json()["digest"]
    assert len(keeper.kept) == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2  # the photo and its thumbnail


def a_moving_gif():
    return written(a_picture().convert("P"), "GIF", save_all=True, append_images=[a_picture(colour=BLUE).convert("P")])


@pytest.mark.parametrize(
    "sent",
    [
        a_moving_gif(),
        a_photo(size=(400, 300))[:1500],
        a_photo("PNG", (400, 300))[:-100],
        a_photo("WEBP", (400, 300))[:-20],
        b"\xff\xd8\xff\xe0<html><script>alert(1)</script></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7 " + a_photo(),
        written(a_picture(), "TIFF"),
        written(a_picture(), "BMP"),
        b"\x00" * 5000,
        b"x",
    ],
    ids=["gif", "half a jpeg", "half a png", "half a webp", "html", "svg", "pdf", "tiff", "bmp", "zeroes", "a letter"],
)
def test_what_is_not_a_whole_photo_is_refused_in_plain_words_whatever_its_name(client, keeper, tmp_path, sent):
    for body in ({"data": sent, "content_type": "image/jpeg"}, {"data": {"photo": (io.BytesIO(sent), "photo.jpg")}}):
        answer = client.post("/v1/photos", **body)
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
        problem = answer.get_json()
        assert problem["detail"].startswith("看不懂这张照片")
        assert problem["fields"]["photo"] == [problem["detail"]]
    english = client.post("/v1/photos", data=sent, headers=ENGLISH).get_json()
    assert english["detail"] == "Not a whole JPEG, PNG or WebP picture"
    assert keeper.asked == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (7_000, 6_000), (16_384, 100), (12_000, 12_000)])
def test_a_picture_that_would_burst_is_refused_by_what_it_claims(client, width, height):
    # Nothing but the header is there to read: who decoded first would call the file broken instead.
    answer = client.post("/v1/photos", data=a_png_that_claims(width, height), headers=ENGLISH)
    assert answer.status_code == 422
    assert answer.get_json()["detail"] == "The picture is too large: 40 megapixels, 16383 a side at most"


def test_a_form_without_its_photo_and_an_empty_body_are_told_what_is_missing(client):
    for body in ({"data": b""}, {"data": {"other": (io.BytesIO(a_photo()), "a.jpg")}}, {"data": {"photo": "words"}}):
        content = "multipart/form-data" if isinstance(body["data"], dict) else "image/jpeg"
        answer = client.post("/v1/photos", content_type=content, headers=ENGLISH, **body)
        assert answer.status_code == 422
        assert answer.get_json()["fields"] == {"photo": ["Please choose a photo"]}


def test_fifty_megabytes_are_refused_before_they_are_read(client):
    sent = Sent(50_000_000)
    answer = client.post("/v1/photos", environ_overrides=sent.announced(), headers=ENGLISH)
    assert answer.status_code == 413
    assert answer.get_json()["detail"] == "A photo may have 12 MB at most"
    assert sent.taken == 0


def test_fifty_megabytes_that_do_not_say_so_are_cut_off_at_the_bound(client):
    for content in ("image/jpeg", "multipart/form-data; boundary=x"):
        sent = Sent(50_000_000)
        chunked = {"wsgi.input": io.BufferedReader(sent), "wsgi.input_terminated": True}
        answer = client.post("/v1/photos", content_type=content, environ_overrides=chunked)
        assert answer.status_code == 413
        assert sent.taken <= 12_200_000


def test_a_photo_just_over_twelve_megabytes_is_refused_in_a_form_as_well(client):
    whole = a_photo()
    fits, over = (whole + b"\0" * (size - len(whole)) for size in (12_000_000, 12_000_001))
    assert client.post("/v1/photos", data=fits).status_code == 201
    assert client.post("/v1/photos", data={"photo": (io.BytesIO(fits), "a.jpg")}).status_code == 201
    assert client.post("/v1/photos", data=over).status_code == 413
    assert client.post("/v1/photos", data={"photo": (io.BytesIO(over), "a.jpg")}).status_code == 413


def test_who_may_not_add_photos_is_refused_before_the_body_is_read(client, keeper):
    keeper.person = Caller("110102", "p-2", ("observer",), "110102")
    sent = Sent(5_000_000)
    answer = client.post("/v1/photos", environ_overrides=sent.announced())
    assert answer.status_code == 403
    assert sent.taken == 0 and keeper.asked == []


def test_a_photo_of_another_district_is_not_there(client, keeper):
    kept = client.post("/v1/photos", data=a_photo())
    keeper.person = Caller("110107", "p-3", ("secretary",), "110107001001")
    assert client.get(kept.headers["Location"]).status_code == 404
    assert client.get(kept.headers["Location"] + "?size=thumb").status_code == 404
    own = client.post("/v1/photos", data=a_photo(size=(32, 32)))
    assert client.get(own.headers["Location"]).status_code == 200
    keeper.person = SECRETARY
    assert client.get(own.headers["Location"]).status_code == 404


def test_who_may_not_read_photos_sees_none(client, keeper):
    kept = client.post("/v1/photos", data=a_photo())
    keeper.person = Caller("110102", "p-4", ("operator",))
    assert client.get(kept.headers["Location"]).status_code == 403


def test_an_erased_photo_is_gone_even_for_who_has_it_already(client, keeper):
    kept = client.post("/v1/photos", data=a_photo())
    tag = client.get(kept.headers["Location"]).headers["ETag"]
    assert client.get(kept.headers["Location"], headers={"If-None-Match": tag}).status_code == 304
    keeper.erased.add(("110102", kept.get_json()["digest"]))
    assert client.get(kept.headers["Location"], headers={"If-None-Match": tag}).status_code == 404


def test_a_photo_whose_bytes_are_gone_is_not_found(client, app):
    kept = client.post("/v1/photos", data=a_photo())
    app.config["BLOBS"].delete(f"110102/{kept.get_json()['digest']}")
    assert client.get(kept.headers["Location"]).status_code == 404


def test_a_photo_is_served_so_that_no_browser_can_take_it_for_a_page(client):
    kept = client.post("/v1/photos", data=a_photo())
    digest = kept.get_json()["digest"]
    answer = client.get(kept.headers["Location"])
    assert answer.content_type == "image/jpeg"
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "inline"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert client.get(kept.headers["Location"] + "?size=thumb").headers["ETag"] != answer.headers["ETag"]


def test_a_photo_whose_bytes_could_not_be_kept_is_refused_and_will_be_looked_after(client, keeper, tmp_path):
    (tmp_path / "110102").write_text("a file stands where the folder should")
    answer = client.post("/v1/photos", data=a_photo())
    assert answer.status_code == 503
    # The service knows of it, so that its timer finds whatever was kept; the caller is promised nothing.
    assert keeper.asked == ["keep_photo"]


def test_two_photos_at_most_are_decoded_at_once():
    now, most, lock = 0, 0, threading.Lock()

    def work(data):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return data

    with ThreadPoolExecutor(8) as people:
        assert list(people.map(lambda n: photos.decode(work, n), range(8))) == list(range(8))
    assert most == 2


def test_who_would_wait_too_long_is_asked_to_come_again(client, monkeypatch):
    monkeypatch.setattr(photos, "PATIENCE", 0.05)
    with photos.AT_ONCE, photos.AT_ONCE:
        assert client.post("/v1/photos", data=a_photo()).status_code == 503
        with pytest.raises(Unavailable):
            photos.decode(photos.clean, a_photo())
    assert client.post("/v1/photos", data=a_photo()).status_code == 201


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent
from gateway import photos
from shared.errors import Invalid
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1
def work(data):
    monkey.get_original("time", "sleep")(0.5)
    return data
gevent.spawn(tick)
assert photos.decode(work, b"whole") == b"whole"
assert ticks > 15, f"the loop stood still: {ticks} ticks"
try:
    photos.decode(photos.clean, b"not a photo")
except Invalid as refusal:
    print("refused", len(refusal.fields))
"""


def test_a_photo_being_decoded_does_not_stop_the_streams_of_everybody_else():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))}
    command = [sys.executable, "-W", "ignore", "-c", UNDER_GEVENT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "refused 1\n"), done.stderr
    assert "Traceback" not in done.stderr


WHOLE = [a_photo(form, icc_profile=b"x" * 200) for form in ("JPEG", "PNG", "WEBP")]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(WHOLE), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4)), max_size=6)
)
def test_a_file_damaged_in_any_way_is_cleaned_or_refused_never_an_error(whole, wounds):
    damaged = bytearray(whole)
    for where, bytes_ in wounds:
        at = int(where * len(damaged))
        damaged[at : at + len(bytes_)] = bytes_
    try:
        kept = photos.clean(bytes(damaged))
    except Invalid as refusal:
        assert " / " in refusal.detail
    else:
        assert SECRET.encode() not in kept.data and b"Exif" not in kept.data
