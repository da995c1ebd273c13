"""Commands about who is who across sources: what is suggested, and what you decide."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pipeline import identities, settings, warehouse
from pipeline.cli.console import Community, out, plain, table
from pipeline.identities import Account, Decisions

app = typer.Typer()
people = typer.Typer(
    no_args_is_help=True, help="Say which accounts of several sources are one person."
)
app.add_typer(people, name="people")

One = Annotated[str, typer.Argument(help="An account, as source/user name or source/id.")]
Other = Annotated[str, typer.Argument(help="Another, written the same way.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
_NEXT = "It counts from the next build on: tonight, or `hearth rebuild` now."


@people.command()
def suggestions(community: Community = None, as_json: AsJson = False) -> None:
    """List accounts of two sources that may be one person, with the evidence; you decide."""
    home = settings.load(secrets=False).community(community)
    with warehouse.read_only(home) as db:
        found = db.execute(
            "SELECT first_source, coalesce(first_username, first_account_id), first_name,"
            " second_source, coalesce(second_username, second_account_id), second_name, evidence"
            " FROM marts.identity_suggestions ORDER BY len(evidence) DESC, 1, 2, 4, 5"
        ).fetchall()
    rows = [
        {
            "first": f"{a}/{b}",
            "second": f"{d}/{e}",
            "names": list(dict.fromkeys(name for name in (c, f) if name)),
            "evidence": g,
        }
        for a, b, c, d, e, f, g in found
    ]
    _show(rows, as_json, "Nothing to suggest.")
    if rows and not as_json:
        out.print("One person: `hearth people link FIRST SECOND`. Two: `hearth people unlink …`.")


@people.command()
def link(one: One, other: Other, community: Community = None) -> None:
    """Say that two accounts are one person."""
    accounts, decisions = _both(one, other, community)
    decisions.link(*accounts, datetime.now(UTC))
    out.print(plain(f"{one} and {other} are one person. {_NEXT}"))


@people.command()
def unlink(one: One, other: Other, community: Community = None) -> None:
    """Say that two accounts are two people, whatever address they share."""
    accounts, decisions = _both(one, other, community)
    decisions.unlink(*accounts, datetime.now(UTC))
    out.print(plain(f"{one} and {other} are two people. {_NEXT}"))


@people.command()
def links(community: Community = None, as_json: AsJson = False) -> None:
    """List what was decided so far."""
    home = settings.load(secrets=False).community(community)
    rows = [
        {
            "first": str(decision.first),
            "second": str(decision.second),
            "decided": "one person" if decision.is_link else "two people",
            "at": decision.at,
        }
        for decision in Decisions(home).read()
    ]
    _show(rows, as_json, "Nothing was decided yet.")


def _both(one: str, other: str, community: str | None) -> tuple[tuple[Account, Account], Decisions]:
    home = settings.load(secrets=False).community(community)
    with warehouse.read_only(home) as db:
        accounts = identities.find(db, home, one), identities.find(db, home, other)
    return accounts, Decisions(home)


def _show(rows: list[dict[str, Any]], as_json: bool, empty: str) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        out.print(empty)
        return
    cells = ((", ".join(v) if isinstance(v, list) else v for v in row.values()) for row in rows)
    out.print(table(rows[0], cells, box=None))
