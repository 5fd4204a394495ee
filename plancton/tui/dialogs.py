"""Questions over the screen, answered by a key, a button or a typed word."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label


class Question(ModalScreen[str]):
    """A question with its answers as buttons and keys; esc is no answer."""

    def __init__(self, text: str, answers: dict[str, str]) -> None:
        """Ask *text*; the answers by their keys, the harmless one last."""
        super().__init__()
        self.text, self.answers = text, answers

    def compose(self) -> ComposeResult:
        """Yield the question and its answers."""
        with Vertical(classes="dialog"):
            yield Label(self.text, markup=False)
            with Horizontal(classes="answers"):
                for key, text in self.answers.items():
                    yield Button(f"{text} ({key})", id=f"answer-{key}")

    def on_mount(self) -> None:
        """Begin with the harmless answer."""
        self.query(Button).last().focus()

    def on_key(self, event: Key) -> None:
        """Take an answer by its key."""
        if event.key in self.answers or event.key == "escape":
            event.stop()
            self.dismiss("" if event.key == "escape" else event.key)

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        """Take an answer by its button."""
        self.dismiss(str(event.button.id).removeprefix("answer-"))


class TypedQuestion(ModalScreen[bool]):
    """A question that is answered by typing a word."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(False)", "no")]

    def __init__(self, text: str, word: str) -> None:
        """Ask *text*, to be confirmed by *word*."""
        super().__init__()
        self.text, self.word = text, word

    def compose(self) -> ComposeResult:
        """Yield the question and a place for the word."""
        with Vertical(classes="dialog"):
            yield Label(self.text, markup=False)
            yield Input(placeholder=f"type {self.word} and press enter; esc: no")

    def on_mount(self) -> None:
        """Keep still."""
        self.query_one(Input).cursor_blink = False

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        """Take the word, if it is the right one."""
        if event.value.strip().lower() == self.word:
            self.dismiss(True)
        else:
            event.input.value = ""
