"""One page per service: what it takes, what it gives, what it tells."""

from shared.contracts import figures, identity, roster, whistle

CONTRACTS = {page.CONTRACT.service: page.CONTRACT for page in (identity, roster, whistle, figures)}
