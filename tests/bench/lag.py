"""An ear on a stream: notes when each whistle that somebody blew came to another screen."""

import json
import threading
import time

from tests.make import Client, eventually


class Ear(threading.Thread):
    """Listens on the stream of one client while ``with`` lasts; ``came`` says when each whistle was told."""

    def __init__(self, url: str, who: Client):
        super().__init__(daemon=True)
        self.url, self.who, self.came, self.over = url, who, {}, False
        self.is_open = threading.Event()

    def run(self) -> None:
        event = ""
        with self.who.session.get(f"{self.url}/v1/stream", stream=True, timeout=60) as stream:
            for line in stream.iter_lines(decode_unicode=True):
                self.is_open.set()
                if self.over:
                    return
                event = line[7:] if line.startswith("event: ") else event
                if line.startswith("data: ") and event == "blown":
                    self.came.setdefault(json.loads(line[6:])["subject"], time.perf_counter())

    def __enter__(self) -> "Ear":
        self.start()
        assert self.is_open.wait(15), "the stream did not open"
        return self

    def __exit__(self, *_) -> None:
        self.over = True  # the next heartbeat ends it

    def wait_for(self, count: int, among: set[str], seconds: float) -> int:
        """Wait until so many of these have come; gives how many are missing after all."""

        def all_came() -> bool:
            return len(self.came.keys() & among) >= count

        try:
            eventually(all_came, seconds)
        except AssertionError:
            return count - len(self.came.keys() & among)
        return 0
