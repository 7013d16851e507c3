"""Our services: each three files, none of which knows another service."""

import warnings

# nameko stands on eventlet, which says at each import that it is in maintenance mode: known, and pinned.
warnings.filterwarnings("ignore", message="(?s).*Eventlet is deprecated")
