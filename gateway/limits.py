"""How often one person or one address may come: counted in this process's memory, in real time."""

import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

USUAL = {
    "sign_in": "10/minute",  # per address and login: guessing one password
    "address": "60/minute",  # per address: guessing many logins
    "reads": "3000/minute",  # per person
    "writes": "600/minute",  # per person
}


class Limits:
    """The limits of one gateway process; ``off``, or ``sign_in=100/minute,writes=6000/minute`` over the usual ones."""

    def __init__(self, said: str = ""):
        self.are_on = said.strip() != "off"
        changed = dict(part.split("=", 1) for part in said.split(",") if "=" in part) if self.are_on else {}
        changed = {kind.strip(): rate.strip() for kind, rate in changed.items()}
        if unknown := set(changed) - set(USUAL):
            raise ValueError(f"RATE_LIMITS knows {', '.join(USUAL)}, not {', '.join(sorted(unknown))}")
        self.rates = {kind: parse(rate) for kind, rate in (USUAL | changed).items()}
        self.windows = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, kind: str, *who: str) -> None:
        """Count one more of this kind; raises ``TooManyRequests`` with the seconds to wait."""
        if not self.are_on or self.windows.hit(self.rates[kind], kind, *who):
            return
        wait = self.windows.get_window_stats(self.rates[kind], kind, *who).reset_time - time.time()
        raise TooManyRequests("请稍后再试 / Please try again a little later", retry_after=max(1, int(wait) + 1))
