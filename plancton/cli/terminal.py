"""Colours on a terminal, plain text elsewhere; and a word now and then while people wait."""

from __future__ import annotations

import codecs
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_QUIET = 1.0
_STYLES = {"key": "cyan", "head": "bold", "good": "green", "warn": "yellow", "bad": "bold red"}
_WORDS = (
    r"(?P<head>^[A-Z][A-Z0-9 -]+$)",
    r"(?P<key>^(node|mode|docker|protection|cpu|host|pilots|so far|today|config|remote|signal|"
    r"signals off|why)(?=  ))",
    r"(?P<bad>^(CONFIG|REMOTE|stale)(?=  )|\b(UNAVAILABLE|FAIL|FAILED|refused|silent)\b)",
    r"(?P<warn>^warning(?=  )|\b(draining|stopping|ending|forced|frozen|terminating|WARN)\b)",
    r"(?P<good>\b(active|available|running|idle class|OK)\b)",
)


def say(text: str) -> None:
    """Print *text*, unable to steer a terminal, in colours on one (unless NO_COLOR is set)."""
    from plancton.engine.views.text import printable

    text = printable(text)
    if not sys.stdout.isatty():
        typer.echo(text)
        return
    console = _console(stderr=False)
    for line in text.split("\n"):
        console.print(line, markup=False, emoji=False, soft_wrap=True)


def say_error(text: str) -> None:
    """Print *text* on stderr, unable to steer a terminal."""
    from plancton.engine.views.text import printable

    typer.echo(printable(text), err=True)


def write_output(chunks: Iterable[bytes]) -> None:
    """Write a pilot's output as it comes; to a terminal nothing that would steer it."""
    from plancton.engine.views.text import without_steering

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        if sys.stdout.isatty():
            sys.stdout.write(without_steering(decoder.decode(chunk)))
        else:
            sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[0m")  # a colour that was left on would be that of the prompt


def _console(*, stderr: bool) -> Console:
    from rich.console import Console
    from rich.highlighter import RegexHighlighter
    from rich.theme import Theme

    class Words(RegexHighlighter):
        highlights = list(_WORDS)  # noqa: RUF012 (as the library declares it)

    return Console(stderr=stderr, highlighter=Words(), theme=Theme(_STYLES))


def show_live(text_now: Callable[[], str], pause: float, *, plain: bool = False) -> NoReturn:
    """Show what *text_now* returns each *pause* seconds, on a terminal in place, until Ctrl-C."""
    from plancton.engine.api import NotRunningError, RefusedError
    from plancton.engine.views.text import printable

    def text() -> str:
        try:
            return printable(text_now())
        except (NotRunningError, RefusedError) as error:  # it may come back
            return printable(f"plancton: {error}")

    if plain or not sys.stdout.isatty():
        while True:
            print(text(), flush=True)
            time.sleep(pause)
    from rich.live import Live
    from rich.text import Text

    console = _console(stderr=False)
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            lines = [console.highlighter(Text(line)) for line in text().split("\n")]
            live.update(Text("\n").join(lines), refresh=True)
            time.sleep(pause)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is waited for, if that takes more than a second."""
    begin = time.monotonic()
    # Of several nodes that are waited for at once none has the terminal.
    alone = threading.current_thread() is threading.main_thread()
    shown_here = alone and sys.stderr.isatty()
    shown: list[Status] = []

    def tell(text: str) -> None:
        if time.monotonic() - begin < _QUIET or not shown_here:
            return
        from rich.text import Text

        from plancton.engine.views.text import printable

        plain = Text(printable(text))  # a str would be markup
        if not shown:
            shown.append(_console(stderr=True).status(plain))
            shown[0].start()
        shown[0].update(plain)

    try:
        yield tell
    finally:
        for status in shown:
            status.stop()
