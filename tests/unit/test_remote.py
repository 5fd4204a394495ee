"""Remote configurations: what they may ask for, how they are fetched, and what stays."""

from __future__ import annotations

import http.server
import os
import random
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.config_file import ConfigFile
from plancton.config.load import ConfigError, Loaded, layered, load_text
from plancton.config.restrictions import excesses, granting
from plancton.config.schema import Allow, Config, Remote
from plancton.config.write import differences, to_yaml, without_credentials
from plancton.config.yaml_source import parse
from plancton.service.process.clock import SystemClock
from plancton.service.remote_config.fetch import MAX_SIZE, Fetcher, FetchError
from plancton.service.remote_config.follow import RemoteConfigFollower
from tests.conftest import until

# --- guardrails -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pilot", "allow", "key"),
    [
        ({}, {}, ""),
        ({"privileged": True}, {}, "privileged"),
        ({"privileged": True}, {"privileged": True}, ""),
        ({"user": "0:0"}, {}, ""),
        ({"user": "0:0"}, {"root": False}, "user"),
        ({"user": "00"}, {"root": False}, "user"),
        ({"user": "root:x"}, {"root": False}, "user"),
        ({"user": ""}, {"root": False}, "user"),
        ({"cap_add": ["CHOWN"]}, {}, ""),
        ({"cap_add": ["SYS_ADMIN"]}, {}, "cap_add"),
        ({"cap_add": ["cap_sys_admin"]}, {"capabilities": ["SYS_ADMIN"]}, ""),
        ({"cap_add": ["ALL"]}, {"capabilities": ["SYS_ADMIN"]}, "cap_add"),
        ({"cap_add": ["SYS_PTRACE"]}, {"capabilities": ["ALL"]}, ""),
        ({"binds": ["/cvmfs:/cvmfs"]}, {}, "binds"),
        ({"binds": ["/cvmfs:/cvmfs"]}, {"binds": ["/cvmfs"]}, ""),
        ({"binds": ["/cvmfs/x:/x:ro"]}, {"binds": ["/cvmfs:ro"]}, ""),
        ({"binds": ["/cvmfs/x:/x:rw,shared"]}, {"binds": ["/cvmfs:ro"]}, "binds"),
        ({"binds": ["/cvmfs/../etc:/x"]}, {"binds": ["/cvmfs"]}, "binds"),
        ({"binds": ["/cvmfsx:/x"]}, {"binds": ["/cvmfs/"]}, "binds"),
        ({"binds": ["/etc:/x"]}, {"binds": ["/"]}, ""),
        ({"binds": ["cache:/x"]}, {}, ""),
        ({"devices": ["/dev/fuse"]}, {}, "devices"),
        ({"devices": ["/dev/fuse:/dev/fuse:rw"]}, {"devices": ["/dev/fuse"]}, ""),
        ({"image": "evil/x"}, {"images": ["lab.example/*"]}, "image"),
        ({"image": "lab.example/x:1"}, {"images": ["lab.example/*"]}, ""),
        ({"network": "host"}, {}, "network"),
        ({"security_opt": ["seccomp=unconfined"]}, {}, "security_opt"),
        ({"memory": "3GB"}, {"memory": "2GB"}, "memory"),
        ({"memory": "2GB", "swap": "1GB"}, {"memory": "2GB"}, "memory"),
    ],
)
def test_what_exceeds_is_refused_and_granting_allows_exactly_that(
    pilot: dict[str, Any], allow: dict[str, Any], key: str
) -> None:
    """With the key, and the words that would allow it."""
    config = Config.model_validate({"pilots": [pilot]})
    bounds = Allow.model_validate(allow)
    found = list(excesses(config, bounds))
    assert [str(place[-1]) for place, _ in found] == ([key] if key else [])
    assert all("the local file may say allow." in text for _, text in found)
    assert list(excesses(config, granting(config, bounds))) == []
    if not key:
        assert granting(config, bounds) == bounds


def over(local: str, remote: str) -> Loaded:
    """Put one text over the other."""
    mine = parse(local, "local.yaml")
    return layered(mine, parse(remote, "far.yaml"), load_text(local, "local.yaml").config.allow)


def test_the_local_file_wins_key_by_key() -> None:
    """Groups mix, lists do not."""
    config = over(
        "node: {interval: 7s}\nspawn: {maximum: 1}",
        "node: {interval: 9s, on_stop: drain}\nspawn: {ceiling: 0.5}\npilots: [{name: far}]",
    ).config
    assert (config.node.interval, config.node.on_stop) == (7, "drain")
    assert (config.spawn.maximum.text, config.spawn.ceiling) == ("1", 0.5)
    assert [each.name for each in config.pilots] == ["far"]


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("allow: {privileged: true}", "far.yaml:1: allow: only the local file may say this"),
        ("\nremote: {url: 'https://x'}", "far.yaml:2: remote: only the local file"),
        ("node: {instance: x}", "far.yaml:1: node.instance: only the local file"),
        ("node:\n  docker: tcp://x", "far.yaml:2: node.docker: only the local file"),
        ("protect: {oom_score_adj: -500}", "protect.oom_score_adj: a remote configuration may not"),
        ("docker_privileged: true", "far.yaml:1: docker_privileged: privileged is not allowed"),
        ("max_docks: 1\nbinds: ['/etc:/etc']", "far.yaml:2: binds: /etc:/etc:rw,shared,Z is not"),
        ("capabilities: [SYS_ADMIN]", "far.yaml:1: capabilities: SYS_ADMIN is not allowed"),
        ("spawn: {maximun: 1}", "did you mean maximum?"),
    ],
)
def test_a_remote_file_that_says_too_much_is_refused_with_its_line(remote: str, words: str) -> None:
    """Native or of 0.6.0."""
    with pytest.raises(ConfigError) as caught:
        over("", remote)
    assert words in str(caught.value)


def test_a_remote_file_of_0_6_0_is_translated() -> None:
    """With its own defaults, and the local file over it."""
    loaded = over("spawn: {per_tick: 9}", "max_docks: 3\ndocker_image: lab/worker")
    assert loaded.legacy
    assert loaded.config.spawn.maximum.text == "3"
    assert loaded.config.spawn.per_tick == 9
    assert loaded.config.pilots[0].image == "lab/worker"


def test_differences_name_keys_and_hide_secrets() -> None:
    """A changed secret is a change, though it is not shown."""
    old = Config.model_validate({"pilots": [{"env": {"A": "secret1"}}], "spawn": {"maximum": 1}})
    new = Config.model_validate({"pilots": [{"env": {"A": "secret2"}}], "spawn": {"maximum": 2}})
    changed = differences(old, new)
    assert ("spawn.maximum", "1", "2") in changed or ("spawn.maximum", '"1"', '"2"') in changed
    assert any(key == "pilots[default].env.A" for key, _, _ in changed)
    assert "secret" not in str(changed)
    assert differences(old, old) == []


def test_credentials_are_masked_in_urls() -> None:
    """In what is shown of the configuration, too."""
    url = "git+https://user:token@host/x.git"
    assert without_credentials(url) == "git+https://***@host/x.git"
    shown = to_yaml(Config.model_validate({"remote": {"url": url}}), mask=True)
    assert "token" not in shown


@pytest.mark.parametrize("url", ["ftp://x/y", "http://x/y", "git+http://x/y", "file:///x", "x"])
def test_unsafe_addresses_are_refused(url: str) -> None:
    """http:// only when it is allowed by name."""
    with pytest.raises(ConfigError):
        load_text(f"remote: {{url: '{url}'}}", "x")
    if "http://" in url:
        load_text(f"remote: {{url: '{url}', allow_http: true}}", "x")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_a_remote_text_holds_it_is_read_or_refused(raw: bytes) -> None:
    """Never anything but a configuration or a ConfigError."""
    with suppress(ConfigError):
        over("", raw.decode("utf-8", "replace"))


GOOD = """
node: {interval: 5s}
pilots:
  - {name: worker, image: "lab.example/worker:1", command: [run, "1"], memory: 2GB, ttl: 12h}
spawn: {maximum: "min(ncpus - 1, ram_bytes / max_dock_mem)", when: foreground_5m < 2}
protect: {calendar: {lend: ["18:00-08:00", "Sat,Sun"]}, memory: {stop_below: 5%}}
"""


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.characters(codec="utf-8")), max_size=8))
def test_a_damaged_file_is_read_or_refused(changes: list[tuple[int, str]]) -> None:
    """Single characters put in at any place."""
    text = GOOD
    for place, letter in changes:
        text = text[:place] + letter + text[place:]
    with suppress(ConfigError):
        load_text(text, "x")


# --- fetching ---------------------------------------------------------------------------


class Web:
    """A server on loopback whose answers tests choose."""

    def __init__(self) -> None:
        """Serve a good file at first."""
        self.status, self.body = 200, b"spawn: {maximum: 1}\n"
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.act: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(dict(self.headers))
                if web.act is not None:
                    web.act(self)
                    return
                tag = self.headers.get("If-None-Match")
                same = tag is not None and tag == web.headers.get("ETag")
                self.send_response(304 if same else web.status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                if not same:
                    self.send_header("Content-Length", str(len(web.body)))
                self.end_headers()
                if not same:
                    self.wfile.write(web.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_port}/config.yaml"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def remote(self, **fields: Any) -> Remote:
        """Return what names this server."""
        return Remote.model_validate({"url": self.url, "allow_http": True, "timeout": 2, **fields})


@pytest.fixture
def web() -> Iterator[Web]:
    """Return a server."""
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_etag_saves_the_transfer(web: Web) -> None:
    """Asked with the known version, an unchanged file is not sent."""
    web.headers = {"ETag": '"1"'}
    first = Fetcher().fetch(web.remote())
    assert first
    assert (first.text, first.version) == ("spawn: {maximum: 1}\n", '"1"')
    assert Fetcher().fetch(web.remote(), first.version) is None
    web.headers = {"ETag": '"2"'}
    assert Fetcher().fetch(web.remote(), first.version)


def drip(request: http.server.BaseHTTPRequestHandler) -> None:
    """Answer one byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
        request.wfile.write(bytes([byte]))
        time.sleep(0.05)


def truncated(request: http.server.BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"spawn: {max")


def endless(request: http.server.BaseHTTPRequestHandler) -> None:
    """Never stop."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 65536)


@pytest.mark.parametrize(
    ("status", "body", "act", "words"),
    [
        (404, b"", None, "the server answers 404"),
        (500, b"", None, "the server answers 500"),
        (302, b"", None, "the server redirects to https://"),
        (200, b"x" * (MAX_SIZE + 1), None, "larger than"),
        (200, b"\xff\xfe\x00binary", None, "not UTF-8"),
        (200, b"", drip, "no whole answer within 2 s"),
        (200, b"", truncated, ""),
        (200, b"", endless, "larger than"),
    ],
)
def test_bad_answers_get_one_clear_word(
    web: Web, status: int, body: bytes, act: Any, words: str
) -> None:
    """In time, whatever the server does."""
    web.status, web.body, web.act = status, body, act
    web.headers = {"Location": "https://user:pw@elsewhere/x"}
    began = time.monotonic()
    with pytest.raises(FetchError) as caught:
        Fetcher().fetch(web.remote())
    assert time.monotonic() - began < 5
    assert words in str(caught.value)
    assert "pw" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_hanging_look_is_not_followed_by_others(web: Web) -> None:
    """Threads do not pile up behind a server that drips."""
    web.act = drip
    fetcher = Fetcher()
    with pytest.raises(FetchError, match="no whole answer"):
        fetcher.fetch(web.remote(timeout=1))
    with pytest.raises(FetchError, match="still holds the last look up"):
        fetcher.fetch(web.remote(timeout=1))
    assert len(web.asked) == 1


def test_a_server_that_is_away_is_said() -> None:
    """A closed port, an unknown host."""
    for url in ("http://127.0.0.1:9/x", "http://nonexistent.invalid/x"):
        with pytest.raises(FetchError, match="the server cannot be reached"):
            Fetcher().fetch(Remote(url=url, allow_http=True))


def test_https_is_checked_against_the_chosen_authority(web: Web, tmp_path: Path) -> None:
    """Not trusted without it; the message says what to do."""
    key, certificate = tmp_path / "key", tmp_path / "ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    url = web.url.replace("http:", "https:")
    with pytest.raises(FetchError, match=r"certificate is not trusted \(remote.ca_file"):
        Fetcher().fetch(Remote(url=url))
    found = Fetcher().fetch(Remote(url=url, ca_file=str(certificate)))
    assert found
    assert "maximum" in found.text
    with pytest.raises(FetchError):
        Fetcher().fetch(Remote(url=url, ca_file=str(tmp_path / "none")))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a git repository with a configuration on two branches."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "spawn: {maximum: 1}\n")
    git(folder, "checkout", "-q", "-b", "night")
    commit(folder, "spawn: {maximum: 9}\n")
    git(folder, "checkout", "-q", "main")
    return folder


def git(folder: Path, *words: str) -> None:
    """Run git."""
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(folder: Path, text: str) -> None:
    """Commit a configuration."""
    (folder / "config.yaml").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")


def test_git_gives_the_file_of_a_branch_and_its_commit(repository: Path) -> None:
    """Only a new commit is fetched."""
    url = f"git+file://{repository}"
    main, night = (Fetcher().fetch(Remote(url=url + branch)) for branch in ("", "#night"))
    assert main
    assert night
    assert (main.text, night.text) == ("spawn: {maximum: 1}\n", "spawn: {maximum: 9}\n")
    assert Fetcher().fetch(Remote(url=url), main.version) is None
    commit(repository, "spawn: {maximum: 2}\n")
    again = Fetcher().fetch(Remote(url=url), main.version)
    assert again
    assert again.text == "spawn: {maximum: 2}\n"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "git+file:///nonexistent"}, "git: "),
        ({"path": "none.yaml"}, "git: "),
        ({"url": "git+file://{repo}#none"}, "git: "),
        ({"url": "git+https://user:secret@127.0.0.1:9/x"}, "git: "),
    ],
)
def test_git_failures_are_said_without_secrets(
    repository: Path, fields: dict[str, str], words: str
) -> None:
    """In one line."""
    url = fields.get("url", "git+file://{repo}").replace("{repo}", str(repository))
    with pytest.raises(FetchError) as caught:
        Fetcher().fetch(Remote.model_validate({**fields, "url": url}))
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_git_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """By its whole process group."""
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nsleep 1000 & echo $! > $PLANCTON_TEST_PID; wait\n")
    slow.chmod(0o755)
    pid = tmp_path / "pid"
    path = os.environ["PATH"]
    os.environ.update(PATH=f"{tmp_path}:{path}", PLANCTON_TEST_PID=str(pid))
    try:
        with pytest.raises(FetchError, match="within 1 s"):
            Fetcher().fetch(Remote(url="git+https://127.0.0.1/x", timeout=1))
    finally:
        os.environ["PATH"] = path
        del os.environ["PLANCTON_TEST_PID"]
    until(lambda: not Path("/proc", pid.read_text().strip(), "exe").exists())


# --- following --------------------------------------------------------------------------


class Followed:
    """A local file, and what it follows."""

    def __init__(self, folder: Path, web: Web, local: str = "") -> None:
        """Follow *web* from a file in *folder*."""
        self.path = folder / "config.yaml"
        self.web, self.local = web, local
        self.write()
        self.remote = RemoteConfigFollower(folder / "remote.json", SystemClock())
        self.source = ConfigFile(self.path, remote=self.remote)

    def write(self) -> None:
        """Write the local file."""
        far = f"remote: {{url: '{self.web.url}', allow_http: true, timeout: 2}}\n"
        self.path.write_text(far + self.local)

    def look(self) -> Any:
        """Look once, as the thread does, and return what is in force."""
        wanted = self.source.current().config.remote
        self.remote.fetch(wanted)
        return self.source.current()


def test_a_good_text_is_in_force_and_a_bad_one_changes_nothing(web: Web, tmp_path: Path) -> None:
    """Each failure has its word in the state, and the last good one stays."""
    far = Followed(tmp_path, web)
    waiting = far.source.first()
    assert waiting.config.spawn.when.text == "0"
    assert "no pilots are started before" in waiting.warnings[0]
    good = far.look()
    assert (good.config.spawn.maximum.text, good.error, good.warnings) == ("1", "", ())
    assert good.remote.fetched_wall
    web.body = b"spawn: {maximun: 2}"
    bad = far.look()
    assert "did you mean maximum?" in bad.error
    assert bad.config == good.config
    web.body = b"pilots: [{privileged: true}]"
    assert "privileged is not allowed here" in far.look().error
    for body in (b"<html>", b"a: &a [*a]", b"!!python/object/apply:os.system [id]", b"- x"):
        web.body = body
        assert far.look().error
        assert far.look().config == good.config
    web.status = 500
    away = far.look()
    assert away.remote.error == "the server answers 500 Internal Server Error"
    assert away.config == good.config
    web.status, web.body = 200, b"spawn: {maximum: 3}"
    new = far.look()
    assert (new.config.spawn.maximum.text, new.error, new.remote.error) == ("3", "", "")
    assert new.revision == good.revision + 1


def test_the_last_good_one_serves_a_start_without_network(web: Web, tmp_path: Path) -> None:
    """Not a bad one that came after it; and not what another address gave."""
    far = Followed(tmp_path, web)
    far.look()
    web.body = b"spawn: {maximun: 2}"
    far.look()
    web.server.shutdown()
    web.server.server_close()
    alone = Followed(tmp_path, web)
    state = alone.source.first()
    assert (state.config.spawn.maximum.text, state.error) == ("1", "")
    state = alone.look()
    assert "cannot be reached" in state.remote.error
    assert state.config.spawn.maximum.text == "1"
    web.url += "-elsewhere"
    alone.write()
    assert alone.source.current(reload=True).config.spawn.maximum.text == "1"  # until it is there
    assert Followed(tmp_path, web).source.first().config.spawn.when.text == "0"


def test_an_unreadable_copy_is_no_obstacle(web: Web, tmp_path: Path) -> None:
    """Truncated by a crash of the machine."""
    (tmp_path / "remote.json").write_text('{"url": "htt')
    assert Followed(tmp_path, web).look().config.spawn.maximum.text == "1"


def test_what_the_local_file_allows_is_in_force_at_once(web: Web, tmp_path: Path) -> None:
    """Widened, the refused text is accepted; a local change alone is applied over it."""
    web.body = b"pilots: [{network: host}]"
    far = Followed(tmp_path, web)
    assert "network: host is not allowed here" in far.look().error.replace("pilots[0].", "")
    far.local = "allow: {networks: [host, bridge]}\n"
    far.write()
    state = far.source.current(reload=True)
    assert (state.error, state.config.pilots[0].network) == ("", "host")
    far.local += "spawn: {per_tick: 7}\n"
    far.write()
    assert far.source.current(reload=True).config.spawn.per_tick == 7
    assert far.source.candidate("pilots: [{name: new}]", remote=True).pilots[0].name == "new"
    with pytest.raises(ConfigError, match="privileged is not allowed"):
        far.source.candidate("pilots: [{privileged: true}]", remote=True)


def test_the_thread_looks_at_once_on_demand_and_in_time(web: Web, tmp_path: Path) -> None:
    """Each look that was asked for is reported, also if nothing changed."""
    far = Followed(tmp_path, web)
    web.headers = {"ETag": '"1"'}
    told: list[int] = []
    far.remote.on_change = lambda: told.append(1)
    thread = threading.Thread(target=far.remote.run)
    thread.start()
    try:
        far.source.first()
        until(lambda: len(told) == 1)
        assert far.source.current().config.spawn.maximum.text == "1"
        far.remote.fetch_now()
        until(lambda: len(told) == 2)
        far.local = ""
        far.path.write_text(far.path.read_text().replace("timeout: 2", "timeout: 2, interval: 1s"))
        far.source.current(reload=True)
        until(lambda: len(web.asked) >= 5)
        assert web.asked[-1]["If-None-Match"] == '"1"'
        far.path.write_text("")
        assert far.source.current(reload=True).remote is None
        far.remote.fetch_now()
        until(lambda: len(told) >= 4)
    finally:
        far.remote.stop()
        thread.join(5)
    assert not thread.is_alive()


def test_nodes_that_start_together_do_not_look_together(web: Web, tmp_path: Path) -> None:
    """One that has a configuration looks within a minute, one that has none at once."""
    far = Followed(tmp_path, web)
    far.source.first()
    assert far.remote.first_fetch_delay is None
    far.look()
    starts = [Followed(tmp_path, web) for _ in range(20)]
    for each in starts:
        assert each.source.first().config.spawn.maximum.text == "1"
    waits = [each.remote.first_fetch_delay or 0.0 for each in starts]
    assert len(set(waits)) == 20
    assert 0 < min(waits) < max(waits) <= 60


def test_after_a_common_start_a_look_comes_when_it_is_due_or_asked(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before, and an order is not held up."""
    Followed(tmp_path, web).look()
    monkeypatch.setattr(random, "uniform", lambda _, high: high)
    far = Followed(tmp_path, web)
    thread = threading.Thread(target=far.remote.run)
    asked, began = len(web.asked), time.monotonic()
    far.local = ""
    far.path.write_text(far.path.read_text().replace("timeout: 2", "timeout: 2, interval: 2s"))
    far.source.first()
    thread.start()
    try:
        until(lambda: len(web.asked) > asked)
        assert time.monotonic() - began >= 2
        late = Followed(tmp_path, web)
        late.source.first()
        thread_of_late = threading.Thread(target=late.remote.run)
        thread_of_late.start()
        try:
            assert late.remote.first_fetch_delay == 60
            asked = len(web.asked)
            late.remote.fetch_now()
            until(lambda: len(web.asked) > asked, 30)
        finally:
            late.remote.stop()
            thread_of_late.join(5)
    finally:
        far.remote.stop()
        thread.join(5)


def test_failures_of_many_nodes_are_not_repeated_together(tmp_path: Path) -> None:
    """The longer it lasts, the wider they are apart."""
    remote = Remote(url="http://127.0.0.1:9/x", allow_http=True)
    follower = RemoteConfigFollower(tmp_path / "remote.json", SystemClock())
    follower.configure(remote)
    follower.fetch(remote)
    waits = [follower.next_fetch_delay(remote) for _ in range(200)]
    assert 2.5 <= min(waits) < 3
    assert 4.5 < max(waits) <= 5
