"""A photo's bytes come back whole or not at all, from a folder as from a bucket."""

import hashlib
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from moto.server import ThreadedMotoServer

from shared.blobs import Bucket, Folder, open_blobs
from shared.errors import Unavailable

DATA = bytes(range(256)) * 40
DIGEST = hashlib.sha256(DATA).hexdigest()
KEY = f"110102/{DIGEST}"
SLACK = 1_000


@pytest.fixture(scope="module")
def s3():
    """A real S3 server (moto's) on a free loopback port, that boto3 finds by its environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "huying-test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "huying-test")
        patch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos", CreateBucketConfiguration={"LocationConstraint": "cn-north-1"})
        yield client
    server.stop()


@pytest.fixture(params=["file", "s3"])
def blobs(request, tmp_path):
    if request.param == "file":
        return open_blobs(f"file:{tmp_path}/photos")
    request.getfixturevalue("s3")
    return open_blobs(f"s3://photos/{tmp_path.name}")


def test_what_was_put_comes_back(blobs):
    blobs.put(KEY, DATA)
    blobs.put(f"{KEY}.thumb", b"small")
    assert blobs.get(KEY) == DATA
    assert blobs.get(f"{KEY}.thumb") == b"small"


def test_putting_the_same_photo_twice_changes_nothing(blobs):
    blobs.put(KEY, DATA)
    blobs.put(KEY, DATA)
    assert blobs.get(KEY) == DATA


def test_what_was_never_put_is_not_there(blobs):
    with pytest.raises(KeyError):
        blobs.get(KEY)


def test_what_was_deleted_is_gone_and_may_come_again(blobs):
    blobs.put(KEY, DATA)
    blobs.delete(KEY)
    with pytest.raises(KeyError):
        blobs.get(KEY)
    blobs.delete(KEY)
    blobs.put(KEY, DATA)
    assert blobs.get(KEY) == DATA


def test_two_districts_keep_the_same_photo_apart(blobs):
    blobs.put(KEY, DATA)
    with pytest.raises(KeyError):
        blobs.get(f"110107/{DIGEST}")
    blobs.put(f"110107/{DIGEST}", DATA)
    blobs.delete(KEY)
    assert blobs.get(f"110107/{DIGEST}") == DATA


@pytest.mark.parametrize(
    "key",
    [
        "",
        DIGEST,
        f"/{DIGEST}",
        f"110102/../110107/{DIGEST}",
        f"110102/{DIGEST}/..",
        f"110102/{DIGEST}.exe",
        f"110102/{DIGEST}\n",
        f"110102/{DIGEST.upper()}",
        f"110102\x00/{DIGEST}",
        f"11010/{DIGEST}",
        f"11010２/{DIGEST}",
        "../../etc/passwd",
    ],
)
def test_a_key_with_tricks_reaches_no_store(blobs, key):
    with pytest.raises(ValueError, match="key"):
        blobs.put(key, DATA)
    with pytest.raises(ValueError, match="key"):
        blobs.get(key)
    with pytest.raises(ValueError, match="key"):
        blobs.delete(key)


def test_a_setting_says_where_photos_lie(s3, tmp_path):
    assert open_blobs(f"file://{tmp_path}").root == tmp_path
    assert isinstance(open_blobs("file:var/photos"), Folder)
    bucket = open_blobs("s3://photos/city/2026/")
    assert isinstance(bucket, Bucket)
    bucket.put(KEY, DATA)
    assert s3.get_object(Bucket="photos", Key=f"city/2026/{KEY}")["Body"].read() == DATA
    open_blobs("s3://photos").put(KEY, DATA)
    assert s3.get_object(Bucket="photos", Key=KEY)["Body"].read() == DATA


@pytest.mark.parametrize("setting", ["", "file:", "s3://", "s3:///prefix", "ftp://somewhere", "/var/photos"])
def test_a_setting_that_names_no_place_is_refused_at_the_start(setting):
    with pytest.raises(ValueError, match=r"file:<path>"):
        open_blobs(setting)


def says_it_is_away(refusal):
    chinese, english = refusal.value.detail.split(" / ")
    assert "照片" in chinese and "Photos" in english
    assert refusal.value.__cause__ is not None


def test_a_folder_that_fails_is_told_as_not_available(tmp_path):
    (tmp_path / "photos").write_text("a file stands where the folder should")
    blobs = open_blobs(f"file:{tmp_path}/photos")
    for attempt in (lambda: blobs.put(KEY, DATA), lambda: blobs.get(KEY), lambda: blobs.delete(KEY)):
        with pytest.raises(Unavailable) as refusal:
            attempt()
        says_it_is_away(refusal)


def test_a_disk_that_fills_up_leaves_no_half_photo(tmp_path):
    blobs = open_blobs(f"file:{tmp_path}")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SLACK, usual[1]))
    try:
        with pytest.raises(Unavailable) as refusal:
            blobs.put(KEY, DATA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    says_it_is_away(refusal)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    blobs.put(KEY, DATA)
    assert blobs.get(KEY) == DATA


def test_a_bucket_that_is_away_or_unknown_is_told_as_not_available(s3, monkeypatch):
    unknown = open_blobs("s3://nobodys-bucket")
    for attempt in (lambda: unknown.put(KEY, DATA), lambda: unknown.get(KEY), lambda: unknown.delete(KEY)):
        with pytest.raises(Unavailable) as refusal:
            attempt()
        says_it_is_away(refusal)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = open_blobs("s3://photos")
    with pytest.raises(Unavailable) as refusal:
        away.get(KEY)
    says_it_is_away(refusal)


def test_who_reads_while_others_write_sees_a_whole_photo_or_none(tmp_path):
    blobs, big = open_blobs(f"file:{tmp_path}"), os.urandom(3_000_000)
    key = f"110102/{hashlib.sha256(big).hexdigest()}"
    seen, done = [], threading.Event()

    def look():
        while not done.is_set():
            try:
                seen.append(len(blobs.get(key)))
            except KeyError:
                seen.append(0)

    reader = threading.Thread(target=look)
    reader.start()
    with ThreadPoolExecutor(8) as writers:
        for _ in range(5):
            list(writers.map(lambda _: blobs.put(key, big), range(8)))
            blobs.delete(key)
        blobs.put(key, big)
    done.set()
    reader.join()
    assert set(seen) <= {0, len(big)} and len(big) in seen
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [key.partition("/")[2]]


def test_photos_in_a_folder_are_nobody_elses_to_read(tmp_path):
    open_blobs(f"file:{tmp_path}").put(KEY, DATA)
    assert (tmp_path / KEY).stat().st_mode & 0o077 == 0
