"""Fetch one remote text, by HTTPS or git, within a time and a size."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import requests

from plancton import __version__
from plancton.config.schema import Remote
from plancton.config.write import without_credentials

MAX_SIZE = 1_000_000
"""Bytes of the largest configuration."""
T = TypeVar("T")


class FetchError(Exception):
    """A remote text could not be fetched. Says why, without credentials."""


@dataclass(frozen=True, slots=True)
class FetchedText:
    """What was fetched."""

    text: str
    version: str
    """Tells this text from others: an ETag or a commit."""


class Fetcher:
    """Fetches by one call at a time; one that hangs does not hold the next caller up for ever."""

    def __init__(self) -> None:
        """Start idle."""
        self._abandoned: threading.Thread | None = None

    def fetch(self, remote: Remote, known_version: str = "") -> FetchedText | None:
        """Return the text at ``remote.url``; None only if it is still the *known_version*.

        Raises FetchError.
        """
        work = _fetch_git if remote.url.startswith("git+") else _fetch_https
        try:
            found = self._run_with_timeout(remote.timeout, lambda: work(remote, known_version))
        except FetchError as error:
            raise FetchError(_without_secrets(str(error), remote.url)) from None
        if found is None:
            return None
        raw, version = found
        if len(raw) > MAX_SIZE:
            raise FetchError(f"it is larger than {MAX_SIZE} bytes")
        try:
            return FetchedText(raw.decode("utf-8-sig"), version)
        except UnicodeDecodeError:
            raise FetchError("it is not UTF-8 text") from None

    def _run_with_timeout(self, seconds: float, work: Callable[[], T]) -> T:
        """Do *work* on a thread that is abandoned after so many seconds.

        A server may send its answer byte by byte, and no time-out of a socket ends that.
        """
        if self._abandoned is not None and self._abandoned.is_alive():
            raise FetchError("the server still holds the last look up, byte by byte")
        results: list[T] = []
        errors: list[Exception] = []

        def body() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001 (passed on to who waits)
                errors.append(error)

        self._abandoned = threading.Thread(target=body, name="fetch", daemon=True)
        self._abandoned.start()
        self._abandoned.join(seconds)
        if errors:
            error = errors[0]
            raise error if isinstance(error, FetchError) else FetchError(_error_text(error))
        if not results:
            raise FetchError(f"there is no whole answer within {seconds:g} s")
        return results[0]


def _fetch_https(remote: Remote, known_version: str) -> tuple[bytes, str] | None:
    end = time.monotonic() + remote.timeout
    headers = {"User-Agent": f"plancton/{__version__}", "Accept": "*/*"}
    headers |= {"If-None-Match": known_version} if known_version else {}
    credentials = requests.utils.get_auth_from_url(remote.url)
    with requests.Session() as session:
        answer = session.get(
            remote.url,
            headers=headers,
            # Else requests puts what ~/.netrc has for the host before them.
            auth=credentials if any(credentials) else None,
            timeout=min(10.0, remote.timeout),
            verify=remote.ca_file or True,
            allow_redirects=False,
            stream=True,
        )
        with answer:
            if answer.status_code == requests.codes.not_modified and known_version:
                return None
            if answer.is_redirect:
                target = without_credentials(answer.headers["Location"])[:200]
                raise FetchError(f"the server redirects to {target}; put that into remote.url")
            if answer.status_code != requests.codes.ok:
                raise FetchError(f"the server answers {answer.status_code} {answer.reason}")
            raw = b""
            for chunk in answer.iter_content(65536):
                raw += chunk
                if len(raw) > MAX_SIZE or time.monotonic() > end:
                    break
            return raw, answer.headers.get("ETag", "")


def _fetch_git(remote: Remote, known_version: str) -> tuple[bytes, str] | None:
    address, _, branch = remote.url.removeprefix("git+").partition("#")
    ref = f"refs/heads/{branch}" if branch else "HEAD"
    end = time.monotonic() + remote.timeout

    def git(*words: str, largest: int = 10_000_000) -> bytes:
        return _run_git(remote, words, end - time.monotonic(), largest)

    line = git("ls-remote", "--exit-code", "--", address, ref)
    commit = line.split()[0].decode("ascii", "replace")
    if commit == known_version:
        return None
    with tempfile.TemporaryDirectory(prefix="plancton-git-") as folder:
        git("init", "--quiet", "--bare", folder)
        git("-C", folder, "fetch", "--quiet", "--depth=1", "--no-tags", "--", address, ref)
        return git("-C", folder, "show", f"FETCH_HEAD:{remote.path}", largest=MAX_SIZE), commit


def _run_git(remote: Remote, words: tuple[str, ...], seconds: float, largest: int) -> bytes:
    """Run git, which may ask nothing, use no helper of its own accord, and is killed in time."""
    schemes = ["https", "ssh", "file", *(["http"] if remote.allow_http else [])]
    safe = ["-c", "protocol.allow=never", "-c", "core.hooksPath=/dev/null"]
    safe += [word for name in schemes for word in ("-c", f"protocol.{name}.allow=always")]
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
        "LC_ALL": "C",
    }
    if remote.ca_file:
        environment["GIT_SSL_CAINFO"] = remote.ca_file
    try:
        process = subprocess.Popen(
            ["git", *safe, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise FetchError("git is not installed") from None
    try:
        out, stderr = process.communicate(timeout=max(0.1, seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise FetchError(f"git did not finish within {remote.timeout:g} s") from None
    if process.returncode:
        lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["it says nothing"]
        errors = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))]
        raise FetchError(f"git: {(errors or lines)[0][:300]}")
    return out[: largest + 1]


def _error_text(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"its certificate is not trusted (remote.ca_file names others): {_clearest_part(text)}"
        )
    if isinstance(error, requests.exceptions.Timeout):
        return "the server does not answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"the server cannot be reached: {_clearest_part(text)}"
    if isinstance(error, OSError) and "CA certificate" in text:
        return "remote.ca_file cannot be read"
    return text[:200] or type(error).__name__


def _clearest_part(text: str) -> str:
    """Return the last, and clearest, part of what the libraries say."""
    found = re.findall(r"(?:\[Errno -?\d+\]|certificate verify failed:) ?([^()']+)", text)
    return (found[-1] if found else text)[:150].strip()


def _without_secrets(text: str, url: str) -> str:
    """Remove the credentials of *url* from *text*, however a program wrote them."""
    found = re.search(r"://([^/@\s]+)@", url)
    secret = found[1].partition(":")[2] or found[1] if found else ""
    return without_credentials(text.replace(secret, "***") if secret else text)
