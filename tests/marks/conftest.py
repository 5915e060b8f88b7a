"""Marks are tested on a whole site."""

from tests.web.conftest import site

__all__ = ["site"]
