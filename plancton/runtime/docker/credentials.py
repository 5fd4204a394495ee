"""Credentials for a registry, from Docker's own configuration and its credential helpers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.auth
from docker.auth import INDEX_NAME, INDEX_URL, TOKEN_USERNAME, AuthConfig
from docker.errors import DockerException
from docker.utils.config import find_config_file

from plancton.runtime.atomic_file import read_regular

DEADLINE = 10.0
"""Seconds for a helper. Those that ask somebody (a keyring, a browser) would wait for ever."""
_PAUSE = 0.05
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, DockerException)
"""What reading a file raises that is no configuration of Docker."""
_LARGEST_FILE, _LARGEST_ANSWER = 1_000_000, 65536


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in to a registry."""

    auth: dict[str, Any]
    """As docker-py has it; empty: anonymously."""
    trouble: str = ""
    """Why there are none although the configuration speaks of some; for people."""


class HelperError(Exception):
    """A credential helper gave no credentials. Says why."""


def credentials_for(
    repository: str, docker_config: str | None, stopping: Callable[[], bool] = lambda: False
) -> Credentials:
    """Return the credentials for the registry of *repository*, from *docker_config* if given.

    What is read wrongly, missing or hanging costs the credentials, never the pull: most images
    are public. Takes ``DEADLINE`` at most, and less once *stopping* holds.
    """
    file = _config_file(docker_config)
    if file is None:
        return Credentials({})
    try:
        config = _read(file)
        registry = docker.auth.resolve_repository_name(repository)[0]
        server = INDEX_URL if registry == INDEX_NAME else registry
        helper = config.get_credential_store(registry)
        logins = AuthConfig({"auths": config.auths})
        auth = dict(logins.resolve_authconfig(registry) or {})
    except OSError as error:
        return Credentials({}, f"{file} cannot be read: {error.strerror}")
    except UNREADABLE as error:
        return Credentials({}, f"{file} cannot be read as a configuration of Docker: {_why(error)}")
    if not helper:
        return Credentials(auth)
    try:
        return Credentials(_ask(f"docker-credential-{helper}", server, stopping) or auth)
    except HelperError as error:
        trouble = f"the credential helper docker-credential-{helper}, which {file} names, {error}"
        return Credentials(auth, trouble)


def _why(error: Exception) -> str:
    told = isinstance(error, json.JSONDecodeError | DockerException)
    return str(error)[:200] if told else "its logins are none"


def _config_file(docker_config: str | None) -> Path | None:
    """Return Docker's config.json; *docker_config* names its folder, or itself."""
    if docker_config:
        named = Path(docker_config).expanduser()
        # Unlike Path's, this look says no where it has no right to.
        return named / "config.json" if os.path.isdir(named) else named  # noqa: PTH112
    found = find_config_file()
    return Path(str(found)) if found else None


def _read(file: Path) -> AuthConfig:
    try:
        text = read_regular(file, _LARGEST_FILE)
    except FileNotFoundError:
        return AuthConfig({})
    values = json.loads(text)
    if not isinstance(values, dict):
        raise DockerException("it is no JSON object")
    return docker.auth.load_config(config_dict=values) if values else AuthConfig({})


def _ask(program: str, server: str, stopping: Callable[[], bool]) -> dict[str, str]:
    """Ask a helper for what it has of *server*; HelperError says why it cannot tell."""
    code, output = _run(program, server, stopping)
    if code:
        first = "".join(c if c.isprintable() else " " for c in output.partition("\n")[0])[:200]
        if "credentials not found" in first:
            return {}
        # What looks like an answer may hold a secret.
        said = "" if "{" in first or not first else f": {first}"
        raise HelperError(f"failed with exit code {code}{said}")
    try:
        answer = json.loads(output)
        name, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HelperError("gave an answer that is none") from error
    if not name and not secret:
        return {}
    if name == TOKEN_USERNAME:
        return {"ServerAddress": server, "IdentityToken": secret}
    return {"ServerAddress": server, "Username": name, "Password": secret}


def _run(program: str, server: str, stopping: Callable[[], bool]) -> tuple[int, str]:
    """Run a helper in a session of its own, so that it ends with all that it started."""
    question, asking = os.pipe()
    answer, answering = os.pipe()
    try:
        os.write(asking, server.encode())
        os.close(asking)
        try:
            process = subprocess.Popen(
                [program, "get"],
                stdin=question,
                stdout=answering,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise HelperError("is not installed") from error
        except (OSError, ValueError) as error:
            raise HelperError(f"cannot be run: {error}") from error
        finally:
            os.close(question)
            os.close(answering)
        code = _wait(process, stopping)
        # What it left behind may hold the pipe open: only what is there is read.
        os.set_blocking(answer, False)
        with suppress(BlockingIOError):
            return code, os.read(answer, _LARGEST_ANSWER).decode("utf-8", "replace")
        return code, ""
    finally:
        os.close(answer)


def _wait(process: subprocess.Popen[bytes], stopping: Callable[[], bool]) -> int:
    """Wait for a helper, and leave nothing of it; returns its exit code."""
    end = time.monotonic() + DEADLINE
    try:
        while process.poll() is None:
            if stopping():
                raise HelperError("was not waited for")
            if time.monotonic() > end:
                raise HelperError(f"did not answer within {DEADLINE:g} s")
            time.sleep(_PAUSE)
        return int(process.returncode)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
