"""A service for each test, and a look past it, as the end-to-end tests have them."""

from tests.e2e.conftest import containers, service

__all__ = ["containers", "service"]
