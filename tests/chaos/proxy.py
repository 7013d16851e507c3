"""A TCP proxy of our own: it delays what goes through, and goes to the next server when one is away."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence

PIECE = 65_536


class Proxy:
    """Listens on a loopback port and passes on to the first of some ports that answers.

    ``delay`` is how many seconds each piece waits on its way, in either direction; it may be changed at any time, and
    the order of the pieces stays. It lives in a thread of its own until ``close()``.
    """

    def __init__(self, port: int, targets: Sequence[int], delay: float = 0.0):
        self.port, self.targets, self.delay = port, list(targets), delay
        self.loop = asyncio.new_event_loop()
        self.tasks: set[asyncio.Task] = set()
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self.run, name=f"proxy {port}", daemon=True)
        self.thread.start()
        if not self.listening.wait(10):
            raise RuntimeError(f"the proxy cannot listen on {port}")

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self.welcome, "127.0.0.1", self.port))
        self.listening.set()
        self.loop.run_forever()
        self.loop.close()

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: both directions, until either side ends it."""
        self.tasks.add(asyncio.current_task())
        try:
            for target in self.targets:
                with contextlib.suppress(OSError):
                    there, back = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", target), 2)
                    break
            else:
                return
            ways = [asyncio.ensure_future(self.carry(*way)) for way in ((reader, back), (there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                back.close()
        finally:
            writer.close()
            self.tasks.discard(asyncio.current_task())

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction: each piece arrives ``delay`` after it came, as on a longer line."""
        line: asyncio.Queue = asyncio.Queue()
        arriving = asyncio.ensure_future(self.arrive(line, writer))
        try:
            with contextlib.suppress(OSError):
                while piece := await reader.read(PIECE):
                    line.put_nowait((self.loop.time() + self.delay, piece))
                line.put_nowait((self.loop.time() + self.delay, b""))
                await arriving
        finally:
            arriving.cancel()

    async def arrive(self, line: asyncio.Queue, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                at, piece = await line.get()
                await asyncio.sleep(max(0.0, at - self.loop.time()))
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()

    def close(self) -> None:
        """Stop listening and end all connections."""

        def end() -> None:
            self.server.close()
            for task in self.tasks:
                task.cancel()
            self.loop.call_later(0.2, self.loop.stop)

        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(end)
            self.thread.join(10)
