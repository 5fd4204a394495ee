"""The program's own colours, dark and light."""

from __future__ import annotations

from textual.theme import Theme

THEMES = {
    "dark": Theme(
        name="dark",
        primary="#5aa9e6",
        success="#7fc96b",
        warning="#f2b84b",
        error="#f26d6d",
        accent="#c79bf2",
        background="#101418",
        surface="#161c22",
        panel="#222b34",
    ),
    "light": Theme(
        name="light",
        primary="#1f6fb2",
        success="#3c8f2f",
        warning="#9a6700",
        error="#c62828",
        accent="#7b3fb5",
        background="#fafafa",
        surface="#f0f2f4",
        panel="#dfe4e9",
        dark=False,
    ),
}
