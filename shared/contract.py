"""What a service takes, gives and tells: marshmallow schemas bound to names that travel on the bus."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError

from shared.errors import Invalid

WAITS = (1_000, 3_000, 8_000)  # ms in the broker before a fact that failed for a passing reason comes back


@dataclass(frozen=True)
class Call:
    """One verb of one service: the bus name is ``<service>.<name>``.

    ``takes`` checks the order, ``gives`` shapes the answer (``many``: a page ``{items, next}`` of them), ``needs`` is
    the permission without which both gateway and service refuse. ``doc`` is published documentation.
    """

    service: str
    name: str
    takes: Schema
    gives: Schema | None = None
    needs: str | None = None
    many: bool = False
    doc: str = ""

    def load(self, order: dict) -> dict:
        """Check an order; raises ``Invalid`` with every field that does not fit."""
        try:
            return self.takes.load(order)
        except ValidationError as error:
            raise Invalid("请检查填写的内容 / Please check what you filled in", error.normalized_messages()) from None

    def dump(self, answer: Any) -> Any:
        """Shape an answer by contract."""
        if self.gives is None:
            return None
        if self.many:
            return {"items": self.gives.dump(answer["items"], many=True), "next": answer.get("next")}
        return self.gives.dump(answer)


@dataclass(frozen=True)
class Happened:
    """A fact at the moment of decision; ``words`` are what people wrote, kept beside the history and never told."""

    fact: "Fact"
    data: dict
    to: str = "all"
    words: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fact:
    """One participle of one service: ids, codes, times and numbers only.

    Called as ``reported(department="water")`` it checks its data at once; ``to`` narrows the routing key
    ``<fact>.<district>.<to>`` to one department, and only a fact that is marked ``to_department`` may have one.
    """

    service: str
    name: str
    carries: Schema
    doc: str = ""
    to_department: bool = False

    def __call__(self, *, to: str = "all", words: dict | None = None, **data: Any) -> Happened:
        dumped = self.carries.dump(data)
        if wrong := set(data) - set(self.carries.fields) or self.carries.validate(dumped):
            raise ValueError(f"{self.service}.{self.name} does not carry this: {wrong}")
        if to != "all" and not self.to_department:
            raise ValueError(f"{self.service}.{self.name} is told to all, not to {to}")
        return Happened(self, dumped, to, words or {})


@dataclass(frozen=True)
class Contract:
    """One service's page: its calls, the facts that it tells and the facts that it hears."""

    service: str
    doc: str
    calls: Iterable[Call]
    facts: Iterable[Fact] = ()
    hears: Iterable[Fact] = ()
