"""Addresses of remote configurations."""

from __future__ import annotations

import pytest

from plancton.config.load import ConfigError, load_text


@pytest.mark.parametrize("url", ["ftp://x/y", "http://x/y", "git+http://x/y", "file:///x", "x"])
def test_unsafe_addresses_are_refused(url: str) -> None:
    """http:// only when it is allowed by name."""
    with pytest.raises(ConfigError):
        load_text(f"remote: {{url: '{url}'}}", "x")
    if "http://" in url:
        load_text(f"remote: {{url: '{url}', allow_http: true}}", "x")
