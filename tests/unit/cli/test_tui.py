"""The verbs of the screen."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from plancton.cli.app import app
from plancton.engine.api import RefusedError


@pytest.mark.parametrize("verb", ["demo", "tui"])
def test_the_screen_needs_a_terminal(verb: str) -> None:
    """Else it says so, and what to use instead."""
    result = CliRunner().invoke(app, [verb])
    assert isinstance(result.exception, RefusedError)
    assert "plancton status" in str(result.exception)
