"""Runs the bell as a process of its own."""

from deploy.serve import serve  # first: it makes sockets and sleeps green
from tests.fault.bell.service import BellService
from tests.fault.bell.store import Deadlines, Strokes

serve(BellService, [Deadlines, Strokes])
