"""Commands for whoever runs Hearth, besides those of a night."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline import settings, steps
from pipeline.cli.console import Community, out, plain, reading, table
from pipeline.errors import FixSettings

if TYPE_CHECKING:
    from pipeline.sources import Finding

app = typer.Typer()
_STYLE = {"whole": "green", "stale": "yellow", "unfinished": "yellow", "failed": "red"}


@app.command()
def doctor(
    community: Community = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Also mail the operators a test notice.")
    ] = False,
) -> None:
    """Check settings, machine, sites, keys and channels, and say how to fix what is wrong.

    Exits with 0, or with the code a night would end with."""
    from pipeline import doctor as asking
    from pipeline import notice

    found: list[Finding] = []
    for heading, findings in asking.examine(community):
        out.print(plain(heading))
        for finding in findings:
            _show_finding(finding)
        found += findings
    if send_test:
        readers = notice.send_test(settings.load().community(community), datetime.now(UTC))
        out.print(f"Sent a test notice to {', '.join(readers)}")
    counts = Counter(finding.level for finding in found)
    out.print(f"{counts['fail']} to fix, {counts['warn']} to think about, {counts['ok']} fine")
    raise typer.Exit(asking.exit_code(found))


@app.command()
def status(
    community: Community = None,
    check: Annotated[
        float | None,
        typer.Option(help="Only check that a night was published in the last so many hours."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show how the last nights went, and how fresh each stream is."""
    from pipeline import status as state

    home = settings.load(secrets=False).community(community)
    now = datetime.now(UTC)
    if check is not None:
        out.print(state.check(home, now, check))
        return
    with reading(home):
        found = state.collect(home, now)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    published = found["published"]
    out.print(
        f"{found['title']}: night {published['run']}, published "
        f"{state.span(3600 * published['age_h'])} ago"
        if published
        else f"{found['title']}: nothing was published yet"
    )
    if found["runs"]:
        _show_runs(found["runs"])
        _show_streams(found["streams"])
    page = home.home / "ops" / "index.html"
    out.print(f"All of it: {page}" if page.exists() else "`hearth nightly` runs a night.")


@app.command()
def erase(
    source: Annotated[str, typer.Argument(help="The source of the account.")],
    account: Annotated[str, typer.Argument(help="Its id or its user name there.")],
    community: Community = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase a person from everything Hearth keeps, and publish anew. Cannot be undone.

    Delete or anonymise the account at the source first: what the source still has may be read
    again when it changes there."""
    if not yes:
        _say_if_unknown(settings.load().community(community), f"{source}/{account}")
        typer.confirm(
            f"Clear {account} of {source} everywhere, and remove all older published nights?",
            abort=True,
        )
    told = steps.erase(source, account, community)
    typer.echo(json.dumps(told, indent=2))
    if told["still_at_the_source"]:
        out.print("The source still has this account: delete or anonymise it there, or it returns.")
    if told["work"]["named_by_others"]:
        count = told["work"]["named_by_others"]
        out.print(f"Records of others that name them in plain prose, for you to look at: {count}.")


@app.command()
def migrate(
    community: Community = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Bring the work file of an older version up to date, as every night does by itself."""
    from pipeline import migrations, warehouse

    home = settings.load().community(community)
    with warehouse.read_only(home) as db:
        changes = migrations.pending(db)
    for change in changes:
        out.print(change.says)
    if not changes:
        out.print("Nothing to change.")
    elif not dry_run:
        with warehouse.opened(home):
            pass


def _say_if_unknown(home: settings.Community, account: str) -> None:
    """Say of an account that is not held, before somebody confirms, that it may be mistyped."""
    from pipeline import identities, warehouse

    try:
        with warehouse.read_only(home) as db:
            identities.find(db, home, account)
    except FixSettings as error:
        out.print(plain(f"{error}. Is it written right? What is left of it would be cleared."))


def _show_finding(finding: Finding) -> None:
    sign, style = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}[
        finding.level
    ]
    out.print(Text(f"  {sign} ", style).append(plain(finding.text)))
    if finding.fix:
        out.print(plain(f"       {finding.fix}"))


def _show_runs(runs: list[dict[str, Any]]) -> None:
    from pipeline.status import span

    rows = [
        (
            run["run"],
            Text(run["state"], style=_STYLE[run["state"]]),
            span(run["seconds"]),
            "\n".join(_what_happened(run)),
        )
        for run in runs
    ]
    out.print(table(("run", "how it ended", "took", "what happened"), rows, box=None))


def _what_happened(run: dict[str, Any]) -> Iterator[str]:
    yield from (f"{trouble['step']}: {trouble['text']}" for trouble in run["troubles"])
    if run["reached"]:
        yield f"came as far as {run['reached']['step']}: {run['reached']['text']}"


def _show_streams(streams: list[dict[str, Any]]) -> None:
    from pipeline.status import span

    rows: list[tuple[str, ...]] = []
    for stream in streams:
        name = f"{stream['source']}/{stream['stream']}"
        if stream["lag_h"] is None:
            rows.append((name, stream["unavailable"] or "never read to its end"))
        else:
            numbers = (f"{stream['records']:,}", f"{stream['requests']:,}")
            rows.append((name, stream["via"], f"{span(3600 * stream['lag_h'])} ago", *numbers))
    out.print(table(("stream", "way in", "read", "records", "requests"), rows, box=None))
