"""What the whistle service asks Mongo: whistles, photos, views of what is open, copies of what the roster told."""

from services.whistle.store.answering import Answering
from services.whistle.store.open import Open
from services.whistle.store.register import Handovers, Own, Register
from services.whistle.store.suggesting import Suggesting
from services.whistle.store.whistles import Districts, Photos, Whistles

__all__ = ["Answering", "Districts", "Handovers", "Open", "Own", "Photos", "Register", "Suggesting", "Whistles"]
