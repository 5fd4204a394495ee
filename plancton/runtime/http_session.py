"""HTTP sessions that send the credentials of the configuration, and no others."""

from __future__ import annotations

import requests


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class HttpSession(requests.Session):
    """Takes proxies and certificates from the environment, but nothing from ``~/.netrc``.

    requests puts what netrc says of a host over a token in the headers and over the user in the
    URL: a line that is there for git or curl would replace the one that the configuration names.
    """

    def __init__(self) -> None:
        """Prepare; nothing is sent yet."""
        super().__init__()
        self.auth = _as_given  # with any auth of ours requests does not look into netrc

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Follow a redirect: to another host without credentials, to the same one with ours."""
        old, new = str(response.request.url), str(prepared_request.url)
        if self.should_strip_auth(old, new):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)
