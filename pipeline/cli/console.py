"""What all commands share: the terminal, and options that mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from pipeline.journal import printable

out = Console(highlight=False, soft_wrap=True)

Community = Annotated[
    str | None, typer.Option(help="Which community of hearth.toml; needed where it has several.")
]
Run = Annotated[str | None, typer.Option(help="Which planned night; the newest if not given.")]


def plain(text: str) -> Text:
    """Forum text for a terminal: no markup, no control or direction marks."""
    return Text(printable(text))
