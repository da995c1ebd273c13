"""Which accounts are one person: on explicit evidence only, and never against an operator's word.

Evidence is, strongest first: a link an operator made, and the same confirmed e-mail address at two
sources. An address joins accounts only where no source has two with it, and never two that an
operator told apart, not even by way of a third; everything else is a suggestion
(`marts.identity_suggestions`). All accounts of a person get the pseudonym of the first of them, by
source and id.

    identities.json   what operators decided, the last word on each pair; survives a new work file
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import FixSettings
from pipeline.files import write_whole
from pipeline.settings import Community
from pipeline.statements import value
from pipeline.warehouse import insert

if TYPE_CHECKING:
    import duckdb


class Account(NamedTuple):
    """An account of a source."""

    source: str
    account_id: str

    def __str__(self) -> str:
        return f"{self.source}/{self.account_id}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator said of two accounts, the lesser first: one person, or two for good."""

    first: Account
    second: Account
    is_link: bool
    at: str

    @property
    def pair(self) -> frozenset[Account]:
        """Both, in no order."""
        return frozenset((self.first, self.second))


class Decisions:
    """What operators of a community decided."""

    def __init__(self, community: Community) -> None:
        self._file = community.home / "identities.json"

    def read(self) -> list[Decision]:
        """All decisions, in the order of their accounts."""
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [
            Decision(Account(*e["first"]), Account(*e["second"]), e["is_link"], e["at"])
            for e in entries
        ]

    def link(self, one: Account, other: Account, now: datetime) -> None:
        """Say that two accounts are one person. Raises FixSettings where that would join two that
        were told apart."""
        self._decide(one, other, is_link=True, now=now)

    def unlink(self, one: Account, other: Account, now: datetime) -> None:
        """Say that two accounts are two people, which is never suggested again. Raises FixSettings
        where links with others still join them."""
        self._decide(one, other, is_link=False, now=now)

    def forget(self, account: Account) -> int:
        """Remove all that was decided of an account; returns how many decisions."""
        held = self.read()
        kept = [decision for decision in held if account not in decision.pair]
        if len(kept) < len(held):
            self._write(kept)
        return len(held) - len(kept)

    def _decide(self, one: Account, other: Account, *, is_link: bool, now: datetime) -> None:
        if one == other:
            raise FixSettings(f"{one} is one account; name two")
        first, second = sorted((one, other))
        at = now.astimezone(UTC).isoformat(timespec="seconds")
        decision = Decision(first, second, is_link, at)
        decisions = [d for d in self.read() if d.pair != decision.pair] + [decision]
        people = _People(decisions)
        if people.contradiction:
            a, b = people.contradiction
            via = ", ".join(str(x) for x in sorted(people.of(a) - {a, b}))
            raise FixSettings(
                f"{a} and {b} are told apart, and links with {via} join them; "
                "`hearth people unlink` one of those first"
            )
        self._write(sorted(decisions, key=lambda d: (d.first, d.second)))

    def _write(self, decisions: list[Decision]) -> None:
        text = json.dumps([asdict(decision) for decision in decisions], indent=1)
        write_whole(self._file, text.encode())


def settle(db: duckdb.DuckDBPyConnection, community: Community) -> None:
    """`raw.account_links` and `raw.identities` anew, from what operators decided and from
    `staging.accounts`."""
    decisions = Decisions(community).read()
    people = _People(decisions)
    for one, other in _of_one_address(db):
        people.join_if_nothing_speaks_against(one, other)
    db.execute("DELETE FROM raw.account_links")
    db.execute("DELETE FROM raw.identities")
    insert(
        db,
        "raw.account_links",
        [
            {
                "first_source": d.first.source,
                "first_account_id": d.first.account_id,
                "second_source": d.second.source,
                "second_account_id": d.second.account_id,
                "is_link": d.is_link,
                "decided_at": d.at,
            }
            for d in decisions
        ],
    )
    insert(
        db,
        "raw.identities",
        [
            {**account._asdict(), "head": str(min(person))}
            for person in people.several()
            for account in sorted(person)
        ],
    )


def find(db: duckdb.DuckDBPyConnection, community: Community, written: str) -> Account:
    """The account written source/id or source/user name. Raises FixSettings where none is held."""
    source, _, name = written.partition("/")
    if source not in community.sources:
        raise FixSettings(
            f"{written!r}: write it source/name; the sources are {', '.join(community.sources)}"
        )
    held = value(
        db,
        "SELECT account_id FROM staging.accounts WHERE source = $1 AND gone_at IS NULL"
        " AND (account_id = $2 OR lower(username) = lower($2))"
        " ORDER BY account_id = $2 DESC LIMIT 1",
        source,
        name,
    )
    if held is None:
        raise FixSettings(f"no account {name!r} of {source} is held; see marts.accounts for names")
    return Account(source, held)


def _of_one_address(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[Account, Account]]:
    """Neighbours among the accounts of a confirmed address that has one at each source."""
    rows = db.execute(
        "SELECT list((source, account_id) ORDER BY source, account_id) FROM staging.accounts"
        " WHERE email_hash IS NOT NULL AND gone_at IS NULL"
        " AND is_human(is_bot, is_staged, username) GROUP BY email_hash"
        " HAVING count(*) > 1 AND count(DISTINCT source) = count(*) ORDER BY ALL"
    ).fetchall()
    for (accounts,) in rows:
        yield from pairwise(Account(*account) for account in accounts)


class _People:
    """Accounts by the person they are, from what operators decided."""

    def __init__(self, decisions: list[Decision]) -> None:
        self._apart = {d.pair for d in decisions if not d.is_link}
        self._person: dict[Account, frozenset[Account]] = {}
        for decision in decisions:
            if decision.is_link:
                self._join(self.of(decision.first) | self.of(decision.second))

    @property
    def contradiction(self) -> tuple[Account, Account] | None:
        """Two accounts that were told apart and are one by way of others, if there are any."""
        for first, second in sorted(tuple(sorted(pair)) for pair in self._apart):
            if second in self.of(first):
                return first, second
        return None

    def of(self, account: Account) -> frozenset[Account]:
        """All accounts of the person."""
        return self._person.get(account, frozenset((account,)))

    def several(self) -> list[frozenset[Account]]:
        """People with more than one account, in order."""
        return sorted(set(self._person.values()), key=min)

    def join_if_nothing_speaks_against(self, one: Account, other: Account) -> None:
        """Make two people one, unless two of their accounts are of one source or told apart."""
        mine, theirs = self.of(one), self.of(other)
        shared = {a.source for a in mine} & {a.source for a in theirs}
        both = mine | theirs
        if not shared and not any(frozenset(p) in self._apart for p in combinations(both, 2)):
            self._join(both)

    def _join(self, accounts: frozenset[Account]) -> None:
        self._person |= dict.fromkeys(accounts, accounts)
