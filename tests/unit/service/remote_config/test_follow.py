"""A remote configuration is followed, and its last good text kept."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from plancton.config.config_file import ConfigFile
from plancton.config.load import ConfigError
from plancton.config.schema import Remote
from plancton.service.process.clock import SystemClock
from plancton.service.remote_config.follow import RemoteConfigFollower
from tests.conftest import until
from tests.unit.service.remote_config.web import Web


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
        self.source.current()
        return self.source.confirm()


def test_a_text_is_good_only_once_it_worked(web: Web, tmp_path: Path) -> None:
    """One under which a tick fails makes way for the one before, now and at the next start."""
    far = Followed(tmp_path, web)
    far.source.first()
    assert far.look().config.spawn.maximum.text == "1"
    web.body = b"spawn: {maximum: 7}\n"
    far.remote.fetch(far.source.current().config.remote)
    assert far.source.current().config.spawn.maximum.text == "7"
    far.source.reject("a tick failed under it: no")
    kept = far.source.current(reload=True)
    assert kept.config.spawn.maximum.text == "1"
    assert kept.error.endswith("a tick failed under it: no")
    assert Followed(tmp_path, web).source.first().config.spawn.maximum.text == "1"
    web.body = b"spawn: {maximum: 2}\n"
    mended = far.look()
    assert (mended.config.spawn.maximum.text, mended.error) == ("2", "")


def test_a_first_text_that_fails_starts_nothing(web: Web, tmp_path: Path) -> None:
    """There is none before it to fall back on."""
    far = Followed(tmp_path, web)
    far.source.first()
    far.remote.fetch(far.source.current().config.remote)
    assert far.source.current().config.spawn.maximum.text == "1"
    far.source.reject("no")
    waiting = far.source.current()
    assert waiting.config.spawn.when.text == "0"
    assert waiting.error


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
    far.path.write_text(far.path.read_text().replace("timeout: 2", "timeout: 2, interval: 1s"))
    far.source.first()
    thread.start()
    try:
        until(lambda: len(web.asked) > asked)
        assert time.monotonic() - began >= 1
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
