"""What the whistle service asks Mongo: whistles, their photos, and its own copies of what the roster told."""

from services.whistle.store.answering import Answering
from services.whistle.store.suggesting import Suggesting
from services.whistle.store.whistles import Districts, Photos, Whistles

__all__ = ["Answering", "Districts", "Photos", "Suggesting", "Whistles"]
