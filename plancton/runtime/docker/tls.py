"""TLS with an engine: its files, looked at before they are used, and its errors in words."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from docker.tls import TLSConfig

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.engine_url import Certificates, EngineUrl

_TCP = ("tcp://", "https://")
_WANTED = (
    "it speaks only TLS: name the folder of ca.pem, cert.pem and key.pem in node.docker_certs, "
    "or set DOCKER_CERT_PATH"
)
_UNWANTED = "it speaks no TLS there: remove node.docker_certs and DOCKER_CERT_PATH, or its port"


def tls_of(url: str) -> TLSConfig | bool:
    """Return how to speak TLS with the engine at *url*; False: not at all.

    RuntimeUnavailableError if a file cannot be used.
    """
    files = _certificates(url)
    if files is None:
        return False
    has_own = files.cert.exists() or files.key.exists()
    try:
        _check(files, has_own=has_own)
    except _FileError as error:
        raise RuntimeUnavailableError(f"no TLS with Docker at {url}: {error}") from error
    own = (str(files.cert), str(files.key)) if has_own else None
    return TLSConfig(client_cert=own, ca_cert=str(files.ca), verify=True)


def _certificates(url: str) -> Certificates | None:
    return url.certificates if isinstance(url, EngineUrl) and url.startswith(_TCP) else None


class _FileError(Exception):
    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file} {why}")


def _check(files: Certificates, *, has_own: bool) -> None:
    for file in (files.ca, *((files.cert, files.key) if has_own else ())):
        try:
            file.read_bytes()
        except OSError as error:
            raise _FileError(file, f"cannot be read: {error.strerror}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(files.ca)
    except ssl.SSLError as error:
        raise _FileError(files.ca, "holds no certificate (PEM)") from error
    if not has_own:
        return
    try:
        # A password is for people to enter, and nobody is there.
        context.load_cert_chain(files.cert, files.key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _FileError(files.key, f"is not the key of {files.cert}") from error
        if b"-----BEGIN CERTIFICATE-----" not in files.cert.read_bytes():
            raise _FileError(files.cert, "holds no certificate (PEM)") from error
        raise _FileError(files.key, "holds no key (PEM) without a password") from error


def tls_trouble(url: str, text: str) -> str:
    """Say what an error of TLS with the engine at *url* means; empty: it is none of TLS."""
    files, lower = _certificates(url), text.lower()
    if files is None:
        found = _WANTED if "http request to an https server" in lower else ""
    else:
        found = next((said for sign, said in _troubles(url, files) if sign in lower), "")
    return found and f"no TLS with Docker at {url}: {found}"


def _troubles(url: str, files: Certificates) -> tuple[tuple[str, str], ...]:
    """Return the words of OpenSSL, and for people what they mean; the first that fits counts."""
    host = urlsplit(url).hostname
    refused = (
        f"it refuses {files.cert}, which has expired or is signed by another authority"
        if files.cert.exists()
        else f"it wants a client certificate: put cert.pem and key.pem into {files.folder}"
    )
    unsigned = f"its certificate is not signed by the authority in {files.ca}"
    return (
        ("wrong version number", _UNWANTED),
        ("record layer failure", _UNWANTED),
        ("certificate has expired", f"its certificate, or {files.ca}, has expired: renew it"),
        ("not yet valid", f"its certificate, or {files.ca}, is not valid yet: compare the clocks"),
        (
            "certificate is not valid for",
            f"its certificate, signed by {files.ca}, is not for {host}: use a name that it holds",
        ),
        ("certificate verify failed", f"{unsigned}: put the engine's own ca.pem there"),
        ("alert certificate expired", f"it refuses {files.cert}, which has expired: renew it"),
        ("alert unknown ca", f"it refuses {files.cert}, which another authority has signed"),
        ("alert certificate required", refused),
        ("alert bad certificate", refused),
        # Whether the alert comes through before the end of the connection is a matter of luck.
        ("eof occurred", f"it ended the connection, most likely because {refused}"),
        ("connection reset", f"it ended the connection, most likely because {refused}"),
    )
