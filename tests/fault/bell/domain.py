"""What is due fires, once."""

from dataclasses import dataclass, replace

from tests.fault.bell.contract import fired


@dataclass(frozen=True)
class Deadline:
    """Something that is due at a moment of real time."""

    number: int = 0
    is_open: bool = True


def evolve(deadline, fact, data, at, actor):
    return replace(deadline, number=data["number"], is_open=fact == "hung")


def fire(deadline, *, caller, now):
    """A deadline fires once."""
    if deadline.is_open:
        yield fired(number=deadline.number)
