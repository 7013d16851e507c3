"""Where photos' bytes lie: a folder or an S3 bucket, each photo under its district and its own digest."""

import os
import re
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

from shared.errors import Unavailable

KEY = re.compile(r"[1-9]\d{5}/[0-9a-f]{64}(\.thumb)?", re.ASCII)


def open_blobs(setting: str) -> "Folder | Bucket":
    """Open ``file:<path>`` or ``s3://<bucket>/<prefix>`` (endpoint and keys from ``AWS_*``, as boto3 reads them)."""
    scheme, _, rest = setting.partition(":")
    place = rest.removeprefix("//")
    bucket, _, prefix = place.partition("/")
    if scheme == "file" and place:
        return Folder(Path(place))
    if scheme == "s3" and bucket:
        return Bucket(bucket, prefix)
    raise ValueError(f"照片存放处应为 / photos go to file:<path> or s3://<bucket>/<prefix>, not {setting!r}")


def checked(key: str) -> str:
    """Give the key back if it is ``<district>/<sha256>[.thumb]``; anything else is a fault of ours (``ValueError``)."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a photo's key: {key!r}")
    return key


@contextmanager
def refusing(failures: type | tuple, absent: type | tuple = ()):
    """Turn what a store raises into ``KeyError`` for what is absent, and for the rest into an ``Unavailable`` of it."""
    try:
        yield
    except absent as error:
        raise KeyError("no such photo") from error
    except failures as error:
        raise Unavailable("照片暂时无法存取,请稍后再试 / Photos cannot be kept or read just now, try again") from error


class Folder:
    """Photos under a folder; a crash leaves a whole photo or none."""

    def __init__(self, root: Path):
        self.root = root

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key; keeping them again changes nothing, since a key names its content."""
        path = self.root / checked(key)
        with refusing(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(prefix=".new-", dir=path.parent, delete=False) as file:
                try:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    os.replace(file.name, path)
                finally:
                    Path(file.name).unlink(missing_ok=True)
            for folder in (path.parent, self.root):
                with ExitStack() as stack:
                    handle = os.open(folder, os.O_RDONLY)
                    stack.callback(os.close, handle)
                    os.fsync(handle)

    def get(self, key: str) -> bytes:
        """Give the bytes of a key; raises ``KeyError`` when there are none."""
        with refusing(OSError, FileNotFoundError):
            return (self.root / checked(key)).read_bytes()

    def delete(self, key: str) -> None:
        """Let the bytes of a key go; absent is fine."""
        with refusing(OSError):
            (self.root / checked(key)).unlink(missing_ok=True)


class Bucket:
    """Photos in an S3 bucket, with the same three verbs.

    The bucket exists, keeps no old versions (what is erased must be gone) and we may list it (or absent looks refused).
    """

    def __init__(self, name: str, prefix: str = ""):
        # Only who keeps photos in S3 loads boto3: it costs a process some 30 MB.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        settings = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2})
        self.client, self.failures = boto3.client("s3", config=settings), (BotoCoreError, ClientError)
        self.name, self.prefix = name, f"{prefix.strip('/')}/".lstrip("/")

    def at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": self.prefix + checked(key)}

    def put(self, key: str, data: bytes) -> None:
        with refusing(self.failures):
            self.client.put_object(**self.at(key), Body=data)

    def get(self, key: str) -> bytes:
        with refusing(self.failures, self.client.exceptions.NoSuchKey):
            return self.client.get_object(**self.at(key))["Body"].read()

    def delete(self, key: str) -> None:
        with refusing(self.failures):
            self.client.delete_object(**self.at(key))
