"""Files for TLS that cannot be used, and errors that mean something else than they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.engine_url import EngineUrl
from plancton.runtime.docker.tls import tls_of, tls_trouble
from tests.certificates import Authority

URL = "tcp://engine.example:2376"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return one that signs."""
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture
def certs(authority: Authority, tmp_path: Path) -> Path:
    """Return a folder that is well."""
    return authority.sign(tmp_path / "certs", "client")


def said_of(certs: Path) -> str:
    """Return why the folder cannot be used."""
    with pytest.raises(RuntimeUnavailableError) as caught:
        tls_of(EngineUrl(URL, certs=certs))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"no TLS with Docker at {URL}: ")


def test_each_file_that_is_missing(certs: Path) -> None:
    """All three, but a client may have no certificate at all."""
    assert tls_of(EngineUrl(URL, certs=certs))
    (certs / "key.pem").rename(certs / "away")
    assert said_of(certs) == f"{certs}/key.pem cannot be read: No such file or directory"
    (certs / "cert.pem").rename(certs / "key.pem")
    assert said_of(certs) == f"{certs}/cert.pem cannot be read: No such file or directory"
    (certs / "key.pem").unlink()
    assert tls_of(EngineUrl(URL, certs=certs))
    (certs / "ca.pem").unlink()
    assert said_of(certs) == f"{certs}/ca.pem cannot be read: No such file or directory"


def test_each_file_that_is_none(authority: Authority, certs: Path, tmp_path: Path) -> None:
    """Named, with what it should be."""
    good = {name: (certs / f"{name}.pem").read_bytes() for name in ("ca", "cert", "key")}
    for name, words in (
        ("ca", "ca.pem holds no certificate (PEM)"),
        ("cert", "cert.pem holds no certificate (PEM)"),
        ("key", "key.pem holds no key (PEM) without a password"),
    ):
        (certs / f"{name}.pem").write_text("nothing")
        assert said_of(certs) == f"{certs}/{words}"
        (certs / f"{name}.pem").write_bytes(good[name])
    other = authority.sign(tmp_path / "other", "client")
    (certs / "key.pem").write_bytes((other / "key.pem").read_bytes())
    assert said_of(certs) == f"{certs}/key.pem is not the key of {certs}/cert.pem"


def test_other_urls_speak_no_tls(certs: Path) -> None:
    """Whatever folder is named."""
    for url in ("unix:///x", "ssh://host"):
        assert tls_of(EngineUrl(url, certs=certs)) is False
    assert tls_of(EngineUrl(URL)) is False


def test_an_engine_without_tls(certs: Path) -> None:
    """In OpenSSL's words, of several versions."""
    url = EngineUrl(URL, certs=certs)
    for text in ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "[SSL] record layer failure"):
        assert "it speaks no TLS there" in tls_trouble(url, text)
    assert tls_trouble(url, "Connection refused") == ""
