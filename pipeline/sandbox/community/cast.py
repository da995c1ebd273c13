"""Who takes part, and since when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, count
from random import Random
from typing import Any

from pipeline.sandbox.community.steps import (
    HISTORY_DAYS,
    NIGHT_ONE,
    Ref,
    Step,
    chat_id,
    hours,
    texts,
)

_LEAVING = ("delete_user", "anonymise", "merge_users")
_QUIET = timedelta(days=14)  # before somebody leaves, so that no late reply comes after it


@dataclass(frozen=True, slots=True)
class Person:
    """A member: who they are and the time in which they take part by themselves."""

    username: str
    language: str
    joined: datetime
    quiet: datetime | None = None
    helper: bool = False
    chats: bool = True


@dataclass
class Cast:
    """Everybody there is so far. Newcomers are called one by one and stay as members."""

    people: list[Person] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @classmethod
    def assemble(cls) -> Cast:
        """The cast at the opening: all but the newcomers."""
        book, cast = texts("people"), cls()
        leaving = {
            act["who"]: hours(act["night"], act["h"]) - _QUIET
            for act in texts("planted")["people"]
            if act["do"] in _LEAVING
        }
        for role in ("staff", "helpers", "members", "bots", "chat_bots"):
            for number, entry in enumerate(book[role]):
                joined = NIGHT_ONE - timedelta(days=entry["joined"], minutes=-7 * number)
                cast._enrol(entry, joined, role)
                if role in ("staff", "helpers", "members"):
                    quiet = leaving.get(entry["username"])
                    helper = role != "members"
                    cast.people.append(
                        Person(entry["username"], entry["language"], joined, quiet, helper)
                    )
        return cast

    def present(
        self,
        at: datetime,
        language: str,
        *,
        helper: bool = False,
        chats: bool = False,
        stays: bool = False,
    ) -> list[str]:
        """User names of those who take part at this time, in this language. Where asked for:
        only helpers, only those who chat, only those who never leave."""
        return [
            person.username
            for person in self.people
            if person.language == language
            and person.joined <= at
            and (person.quiet is None or at < person.quiet)
            and (person.helper or not helper)
            and (person.chats or not chats)
            and (person.quiet is None or not stays)
        ]

    def call_newcomer(self, language: str, at: datetime, rng: Random) -> str:
        """The next newcomer of this language, who joins some minutes before `at`."""
        entry = self._next_newcomer(language)
        joined = at - timedelta(minutes=rng.randint(10, 60))
        chats = rng.random() < 0.3
        self._enrol(entry, joined, "members" if chats else "newcomers")
        since = at + timedelta(days=3)
        self.people.append(Person(entry["username"], language, since, chats=chats))
        return str(entry["username"])

    def expect(self, username: str, at: datetime) -> None:
        """A newcomer with a part in the planted cases joins an hour before it."""
        entry = next(e for e in texts("people")["newcomers"] if e["username"] == username)
        self._enrol(entry, at - timedelta(hours=1), "members")

    def _next_newcomer(self, language: str) -> dict[str, Any]:
        taken = {step.makes for step in self.steps}
        book: list[dict[str, Any]] = [
            e for e in texts("people")["newcomers"] if e["language"] == language
        ]
        return next(
            entry | {"username": entry["username"] + suffix}
            for suffix in chain([""], map(str, count(2)))
            for entry in book
            if entry["username"] + suffix not in taken
        )

    def _enrol(self, entry: dict[str, Any], joined: datetime, role: str) -> None:
        who = {"username": entry["username"], "name": entry["name"]}
        if role != "chat_bots":
            rights: dict[str, Any] = {"trust_level": entry.get("trust_level", 0)}
            rights |= {right: True for right in ("admin", "moderator") if entry.get(right)}
            self.steps.append(Step(joined, "forum", "add_user", who | rights, entry["username"]))
        if role not in ("bots", "newcomers"):
            self._enrol_in_chat(who, joined, role, bool(entry.get("admin")))

    def _enrol_in_chat(self, who: dict[str, Any], joined: datetime, role: str, admin: bool) -> None:
        username, bot = who["username"], role == "chat_bots"
        roles = ("bot",) if bot else ("user", "admin") if admin else ("user",)
        args = who | {"id": chat_id("user", username), "roles": roles}
        args |= {"type": "bot"} if bot else {}
        self.steps.append(Step(joined, "chat", "add_user", args, username))
        opening = NIGHT_ONE - timedelta(days=HISTORY_DAYS - 1)
        for minutes, room in enumerate(("general", "help", "lounge"), start=1):
            args = {"rid": Ref("room", room), "user_id": Ref("user", username)}
            when = max(joined, opening) + timedelta(minutes=minutes)
            self.steps.append(Step(when, "chat", "join", args))
