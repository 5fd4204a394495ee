"""``plancton bootstrap`` as a user, from each kind of source. For root's part see tests/vm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.service import PLANCTON

OLD = """{"updateconfig": 120, "docker_image": "busybox", "docker_cmd": "/bin/sleep 60",
"max_docks": 1, "capabilities": ["SYS_ADMIN"], "devices": ["/dev/fuse"]}"""


class Home:
    """A user's home, and the command in it."""

    def __init__(self, folder: Path) -> None:
        """Begin empty."""
        self.folder = folder
        self.config = folder / ".config/plancton/config.yaml"
        folder.chmod(0o777)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a user."""
        who = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        who += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        home = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        environment = {**os.environ, **home}
        return subprocess.run(
            [*who, PLANCTON, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env=environment,
            cwd=self.folder,
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home that its user may enter."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o777)
    return Home(tmp_path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a configuration repository as 0.6.0 had them."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "config.yaml").write_text(OLD)
    commit(folder, "init", "-q", "-b", "main")
    commit(folder, "add", "-A")
    commit(folder, "commit", "-q", "-m", "x")
    subprocess.run(["chown", "-R", "65534:65534", str(folder)], check=True)  # git insists on it
    return folder


def commit(folder: Path, *words: str) -> None:
    """Run git."""
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_a_harmless_configuration_and_again(home: Home) -> None:
    """Repeatable; what it replaces is kept; it works."""
    done = home.run("bootstrap", "--dryrun")
    assert done.returncode == 0, done.stderr
    assert f"wrote {home.config}" in done.stdout
    assert "next: plancton start" in done.stdout
    assert home.config.stat().st_mode & 0o777 == 0o640
    assert "is up to date" in home.run("bootstrap", "--dryrun").stdout
    assert "OK, native form" in home.run("config", "check").stdout
    home.config.write_text("# mine\n")
    assert "kept the former configuration" in home.run("bootstrap", "--dryrun").stdout
    (kept,) = home.config.parent.glob("config.yaml.2*")
    assert kept.read_text() == "# mine\n"
    assert "stays as it is" in home.run("bootstrap").stdout


def test_a_folder_is_copied_once_it_is_good(home: Home) -> None:
    """A bad file changes nothing."""
    home.run("bootstrap", "--dryrun")
    before = home.config.read_text()
    source = home.folder / "source"
    source.mkdir()
    (source / "config.yaml").write_text("spawn: {maximun: 1}")
    done = home.run("bootstrap", str(source))
    assert done.returncode == 1
    assert "did you mean maximum?" in done.stderr
    assert home.config.read_text() == before
    (source / "config.yaml").write_text("spawn: {maximum: 1}")
    assert home.run("bootstrap", str(source)).returncode == 0
    assert home.config.read_text() == "spawn: {maximum: 1}"


def test_a_0_6_0_repository_is_followed_within_what_is_allowed(
    home: Home, repository: Path
) -> None:
    """Refused with the words that would allow it, unless it is trusted or copied."""
    url = f"git+file://{repository}"
    refused = home.run("bootstrap", url)
    assert refused.returncode == 1
    assert "devices: /dev/fuse is not allowed here" in refused.stderr
    assert "--trust allows what it asks for today" in refused.stderr
    assert not home.config.exists()
    done = home.run("bootstrap", url, "--trust")
    assert done.returncode == 0, done.stderr
    local = home.config.read_text()
    for line in (f"url: {url}", "interval: 120.0", "- SYS_ADMIN", "- /dev/fuse"):
        assert line in local
    assert "OK, native form" in home.run("config", "check").stdout
    assert home.run("bootstrap", url, "--once").returncode == 0
    assert home.config.read_text() == OLD


def test_the_name_of_0_6_0_works(home: Home) -> None:
    """plancton-bootstrap."""
    program = Path(PLANCTON).with_name("plancton-bootstrap")
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    assert "Set this node up" in done.stdout


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nonsense", "is no file or folder here"),
        ("/nonexistent/folder", "is no file or folder here"),
        ("http://127.0.0.1:9/x", "http:// is not safe"),
        ("https://127.0.0.1:9/x", "the server cannot be reached"),
        ("git+file:///nonexistent", "git: "),
    ],
)
def test_a_source_that_cannot_be_had_is_said_in_one_line(
    home: Home, source: str, words: str
) -> None:
    """And nothing is written."""
    done = home.run("bootstrap", source)
    assert done.returncode == 1, done.stdout
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not home.config.exists()
