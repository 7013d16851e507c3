"""Finds a service's class and its stores by the service's name."""

import importlib
import inspect

from services.ledger import Store


def service_class(name: str) -> type:
    """Find the one class of ``services/<name>/service.py`` that carries the service's name."""
    module = importlib.import_module(f"services.{name}.service")
    return next(each for _, each in inspect.getmembers(module, inspect.isclass) if getattr(each, "name", None) == name)


def stores(name: str) -> list[type[Store]]:
    """Give the stores of a service, for their indexes."""
    module = importlib.import_module(f"services.{name}.store")
    found = [each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, Store)]
    return [each for each in found if each.__module__.startswith(module.__name__)]
