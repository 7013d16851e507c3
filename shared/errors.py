"""The six ways in which the platform says no, the same from a domain rule to an HTTP answer.

Refusal
├── Invalid          422  the order does not fit its contract (carries ``fields``)
├── Unauthenticated  401  nobody is signed in
├── Forbidden        403  the caller may not do this here
├── NotFound         404  no such thing in this district
├── Conflict         409  the thing has moved on, or the move is not allowed
└── Unavailable      503  the service did not answer in time

A detail is said in Chinese first and English second, separated by `` / ``, so that a client may show either.
"""


class Refusal(Exception):
    """A no that people may read; everything else that is raised is a fault of ours."""

    status: int = 400
    title: str = "不予受理 / Refused"

    def __init__(self, detail: str = "", fields: dict | None = None):
        super().__init__(detail)
        self.detail, self.fields = detail, fields or {}

    def to_message(self) -> dict:
        """Give the refusal as it travels on the bus: ``{kind, detail, fields}``."""
        return {"kind": type(self).__name__, "detail": self.detail, "fields": self.fields}

    @staticmethod
    def from_message(message: dict) -> "Refusal":
        """Make the refusal again on the other side; a kind that we do not know becomes ``Unavailable``."""
        return KINDS.get(message.get("kind"), Unavailable)(message.get("detail", ""), message.get("fields"))


class Invalid(Refusal):
    status, title = 422, "内容有误 / The order does not fit its contract"


class Unauthenticated(Refusal):
    status, title = 401, "请先登录 / Please sign in"


class Forbidden(Refusal):
    status, title = 403, "没有权限 / Not allowed here"


class NotFound(Refusal):
    status, title = 404, "没有找到 / Not found"


class Conflict(Refusal):
    status, title = 409, "情况已变 / Things have moved on"


class Unavailable(Refusal):
    status, title = 503, "暂时无法办理 / Not available just now"


KINDS = {kind.__name__: kind for kind in (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, Unavailable)}
