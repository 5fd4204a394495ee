"""Docker's errors in words."""

from __future__ import annotations

import pytest
from docker.errors import DockerException
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout

from plancton.runtime.docker.api_version import VersionChangedError
from plancton.runtime.docker.client import unavailable_text


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (DockerException, "PermissionError(13, 'Permission denied')", "group docker"),
        (DockerException, "FileNotFoundError(2, 'No such file')", "systemctl start docker"),
        (RequestsConnectionError, "Connection refused", "does not run"),
        (ReadTimeout, "Read timed out. (read timeout=60)", "stalled"),
        (VersionChangedError, "", "connecting anew"),
        (OSError, "odd", "no usable answer: odd"),
    ],
)
def test_errors_say_what_to_do(kind: type[Exception], text: str, words: str) -> None:
    """Each with the engine's URL."""
    said = unavailable_text("unix:///x.sock", kind(text) if text else kind())
    assert words in said
    assert "unix:///x.sock" in said
