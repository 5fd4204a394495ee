"""The proxies of Docker's config.json, as its command line reads them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.docker.proxies import DockerProxies, proxy_environment

URL = "unix:///var/run/docker.sock"
ADDRESS = "http://me:hunter2@proxy.example:3128"


@pytest.mark.parametrize(
    ("proxies", "found"),
    [
        ({}, {}),
        ({"default": {}}, {}),
        ({"default": {"httpProxy": "http://p:1"}}, {"HTTP_PROXY": "http://p:1"}),
        (
            {"default": {"httpsProxy": "a", "ftpProxy": "b", "noProxy": "c", "allProxy": "d"}},
            {"HTTPS_PROXY": "a", "FTP_PROXY": "b", "NO_PROXY": "c", "ALL_PROXY": "d"},
        ),
        ({"default": {"httpProxy": "a"}, URL: {"noProxy": "b"}}, {"NO_PROXY": "b"}),
        ({"default": {"httpProxy": ""}, "tcp://other:2375": {"noProxy": "b"}}, {}),
    ],
)
def test_what_a_pilot_gets(proxies: dict[str, Any], found: dict[str, str]) -> None:
    """In capitals and in small letters; the engine's section takes the default's place."""
    both = {**found, **{name.lower(): value for name, value in found.items()}}
    assert proxy_environment({"proxies": proxies, "auths": {}}, URL) == both


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"proxies": 7},
        {"proxies": {"default": [ADDRESS]}},
        {"proxies": {"default": {"httpProxy": 7}}},
    ],
)
def test_nonsense_is_no_proxy(config: Any) -> None:
    """It is refused, and the words do not quote it."""
    with pytest.raises(TypeError, match=r"section|text") as caught:
        proxy_environment(config, URL)
    assert ADDRESS not in str(caught.value)


def test_the_file_is_read_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A change needs no restart, and a broken file costs only the proxies, said once."""
    proxies, file = DockerProxies(URL, str(tmp_path)), tmp_path / "config.json"
    assert proxies.environment() == {}
    for text in (f'{{"proxies": {ADDRESS}', f'{{"proxies": "{ADDRESS}"}}'):
        file.write_text(text)
        with caplog.at_level(logging.DEBUG):
            assert proxies.environment() == {}
    assert [each.message for each in caplog.records] == ["pilots get no proxies"]
    assert "hunter2" not in str([vars(each) for each in caplog.records])
    file.write_text(json.dumps({"proxies": {"default": {"httpProxy": ADDRESS}}}))
    assert proxies.environment() == {"HTTP_PROXY": ADDRESS, "http_proxy": ADDRESS}
