"""Our services: each three files, none of which knows another service."""
