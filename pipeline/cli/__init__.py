"""`hearth`: the steps of a night, and the commands around them."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline import __version__, redact, settings
from pipeline.cli import data, judgement, lab, night, operator, people
from pipeline.cli.console import out, plain
from pipeline.errors import FixSettings, HearthError

app = typer.Typer(
    help="Nightly community analytics over Discourse and Rocket.Chat.\n\n"
    "`hearth demo` shows it at work; `hearth init` begins with your own community.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 65 a contract is broken; 69 published but something is stale; "
    "75 try again later; 76 a source gave an answer that cannot be trusted; "
    "77 access is missing; 78 settings must be changed.",
)
for part, heading in (
    (night.app, "A night and its steps"),
    (operator.app, "For those who run it"),
    (data.app, "For the data team"),
    (judgement.app, "Judges and their lab"),
    (lab.app, "Judges and their lab"),
):
    for command in part.registered_commands:
        command.rich_help_panel = heading
    app.add_typer(part)
app.add_typer(people.app)


def main() -> None:
    """Run the command line. Errors of ours become one line and an exit code."""
    redact.install()
    try:
        typer.main.get_command(app)()  # not `app()`, which puts a hook in place of ours
    except HearthError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            plain(redact.clean(f"hearth: {error}")), style="red"
        )
        sys.exit(error.exit_code)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="Settings file. Default: ./hearth.toml.")
    ] = None,
) -> None:
    if settings_file:
        os.environ["HEARTH_SETTINGS"] = str(settings_file)
    live = sys.stderr.isatty()
    line = f"{_CLEAR if live else ''}%(asctime)s %(message)s"
    logging.basicConfig(level=logging.WARNING, format=line, datefmt="%H:%M:%S")
    logging.getLogger("hearth").setLevel(logging.INFO)
    progress = logging.getLogger("hearth.progress")
    progress.propagate = False
    progress.addHandler(_LiveLine() if live else logging.NullHandler())


_CLEAR = "\r\x1b[2K"


class _LiveLine(logging.Handler):
    """Progress on the terminal's last line, each over the one before."""

    def emit(self, record: logging.LogRecord) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"{_CLEAR}{record.getMessage()[:width]}")
        sys.stderr.flush()


@app.command()
def init(
    community: Annotated[str | None, typer.Option(help="Its short name (a-z).")] = None,
    discourse: Annotated[str | None, typer.Option(help="Address of its Discourse forum.")] = None,
    rocketchat: Annotated[
        str | None, typer.Option(help="Address of its Rocket.Chat workspace.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
) -> None:
    """Write a commented hearth.toml and say which secrets it needs.

    At a terminal it asks for what is not given."""
    file = settings.file_in_use()
    if file.exists():
        raise FixSettings(f"{file} exists already; edit it, or move it away first")
    text = settings.template(
        _answer(community, "Short name of the community (a-z)"),
        _answer(discourse, "Address of the Discourse forum, or empty"),
        _answer(rocketchat, "Address of the Rocket.Chat workspace, or empty"),
        _answer(time_zone, "Its time zone", "UTC"),
    )
    try:
        variables = settings.variables(text)
        settings.parse(text, dict.fromkeys(variables, "x"), file)
    except FixSettings as error:
        raise FixSettings(f"nothing was written: {error}") from None
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FixSettings(
            f"cannot write {file}: {error.strerror}; go to a folder in which you may write"
        ) from None
    out.print(f"Wrote {file}. Set these variables, then run `hearth doctor`:\n")
    for variable in variables:
        value = secrets.token_hex(32) if variable.endswith("PSEUDONYM_KEY") else "..."
        out.print(f"  export {variable}={value}")
    out.print("\nKeep the pseudonym key: with another one nobody has the same pseudonym again.")


def _answer(given: str | None, question: str, default: str = "") -> str:
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return default
    return str(typer.prompt(question, default=default, show_default=bool(default)))


@app.command()
def sandbox(
    forum_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the Discourse sandbox.")
    ] = 8765,
    chat_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the Rocket.Chat sandbox.")
    ] = 8766,
    night: Annotated[int, typer.Option(help="Night of the made-up community.")] = 1,
    topics: Annotated[
        Path | None,
        typer.Option(exists=True, help="Recorded topics (JSON lines) instead of made-up ones."),
    ] = None,
    chat: Annotated[
        Path | None,
        typer.Option(exists=True, help="Recorded chat messages (Parquet) instead of made-up ones."),
    ] = None,
) -> None:
    """Serve a community in a box: both servers' APIs on this machine, until interrupted."""
    from pipeline.sandbox import demo

    try:
        demo.serve(out, (forum_port, chat_port), night, topics, chat)
    except OSError as error:
        raise FixSettings(
            f"cannot serve: {error.strerror}; name other ports (--forum-port, --chat-port)"
        ) from None


@app.command()
def demo() -> None:
    """Run a night of the sandbox community through Airflow; each call is the next night."""
    from pipeline.sandbox import demo as showing

    raise typer.Exit(showing.run(Console(highlight=False, soft_wrap=True)))
