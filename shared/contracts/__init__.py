"""One page per service: what it takes, what it gives, what it tells; and one for who hears what."""

from dataclasses import replace

from shared.contracts import evaluation, figures, identity, plugins, roster, whistle
from shared.contracts.hears import HEARS

PAGES = (identity, roster, whistle, evaluation, figures, plugins)
CONTRACTS = {page.SERVICE: replace(page.CONTRACT, hears=HEARS[page.SERVICE]) for page in PAGES}
