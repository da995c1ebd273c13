"""Who is to be cleared from a payload, and how: pure, and the same for every platform.

A payload is the platform's own JSON. An object is a person's own where it says that they wrote it;
of such an object only structure stays: ids, times, numbers, kinds.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_ABOUT = re.compile(r"(^|_)(user|by|author|owner|poster|actor|creator|u)(_|s?$)|user_?ids?$", re.I)
_WRITTEN_BY = ("user_id", "userId", "username", "author_name")
_ACCOUNT = ("u", "user", "author", "created_by", "reportedBy")
_STRUCTURE = ("t", "type", "archetype", "subtype", "rid", "tmid", "_id", "id")
# Scripts that put no space between words: a name in them begins and ends anywhere
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_AS_A_WORD = rf"(?<![^\W{_UNSPACED}])(?<!-)(?:{{}})(?![^\W{_UNSPACED}]|-)"
_TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ][\d:.]+(Z| UTC|[+-]\d\d:?\d\d)?$|^-?\d+$")


@dataclass(frozen=True)
class Person:
    """An account of a source, the names it logs in by, and the names it shows."""

    source: str
    account_id: str
    usernames: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()

    @property
    def needles(self) -> frozenset[str]:
        """What to look for in files: all names, and the id where it is no mere number."""
        unique = frozenset() if self.account_id.isdigit() else {self.account_id}
        return self.usernames | self.shown | unique

    @cached_property
    def _folded(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in self.usernames | self.shown)

    @cached_property
    def _word(self) -> re.Pattern[str] | None:
        return _any(self.usernames | self.shown, _AS_A_WORD)

    @cached_property
    def _written(self) -> re.Pattern[str] | None:
        """What to look for in files, as JSON and HTML write it too."""
        forms = {
            form
            for name in self.needles
            for form in (name, html.escape(name), json.dumps(name)[1:-1])
        }
        return _any(forms, _AS_A_WORD)

    @cached_property
    def _quoted(self) -> re.Pattern[str] | None:
        """Their words inside another's: BBCode and the HTML made of it."""
        return _any(
            self.usernames | self.shown,
            r'\[quote="?(?:{})[",\]].*?\[/quote\]'
            r'|<aside\b[^>]*data-username="(?:{})".*?</aside>',
        )

    @cached_property
    def _mentioned(self) -> re.Pattern[str] | None:
        return _any(self.usernames, r"(?<=@)(?:{})(?![\w-])|(?<=/u/)(?:{})(?![\w-])")

    def is_name(self, text: str) -> bool:
        """Whether the whole text is one of their names."""
        return text.strip().lstrip("@").casefold() in self._folded

    def is_id(self, value: object) -> bool:
        """Whether a value is their id, as text or number."""
        return not isinstance(value, bool) and str(value) == self.account_id

    def is_named_in(self, payload: object) -> bool:
        """Whether prose in a payload still has one of their names as a word."""
        return bool(self._word and self._word.search(str(payload)))

    def is_told_in(self, text: str) -> bool:
        """Whether the text of a file has one of their names, or their unmistakable id, as a word:
        "ann" is not told in "planned"."""
        return bool(self._written and self._written.search(text))

    def without(self, text: str) -> str:
        """Another's text without mentions and quotations of them."""
        for pattern, instead in ((self._quoted, "[...]"), (self._mentioned, "erased")):
            if pattern:
                text = pattern.sub(instead, text)
        return text


@dataclass(frozen=True, slots=True)
class Standing:
    """Streams whose records stay, because records of others stand on them.

    places   channels: they are everybody's, whoever made them
    written  messages and threads: what the person wrote stays as an empty place
    """

    places: frozenset[str]
    written: frozenset[str]


def clear(
    stream: str, key: str, payload: dict[str, Any], person: Person, standing: Standing
) -> dict[str, Any] | None:
    """A record's payload without the person; null where the record is nothing but about them."""
    if stream == "users" and key == person.account_id:
        return None
    own = _wrote(payload, person)
    if stream in standing.places:
        own = False
    elif stream not in standing.written and (own or _is_about(payload, person)):
        return None
    return _inside(payload, person, is_theirs=own)


def _is_about(payload: dict[str, Any], person: Person) -> bool:
    """Whether a record without anything standing on it has them as its subject."""
    for name, value in payload.items():
        if _ABOUT.search(name) and (person.is_id(value) or _is_account(value, person)):
            return True
        if name == "username" and isinstance(value, str) and person.is_name(value):
            return True
    return False


def _walk(value: Any, name: str, person: Person, *, is_theirs: bool) -> Any:
    if _is_them(value, person, name):
        return {} if isinstance(value, dict) else None
    if isinstance(value, dict):
        return _inside(value, person, is_theirs=is_theirs or _wrote(value, person))
    if isinstance(value, list):
        kept = [inner for inner in value if not _is_them(inner, person, name)]
        return [_walk(inner, name, person, is_theirs=is_theirs) for inner in kept]
    if not isinstance(value, str):
        return value
    if is_theirs and name not in _STRUCTURE and not _TIME.match(value):
        return ""
    return person.without(value)


def _inside(value: dict[str, Any], person: Person, *, is_theirs: bool) -> dict[str, Any]:
    return {
        key: _walk(inner, key, person, is_theirs=is_theirs)
        for key, inner in value.items()
        if not person.is_name(key)
    }


def _is_them(value: Any, person: Person, name: str) -> bool:
    """Whether a value stands for the person: a name, an unmistakable id, or any id where a person
    is meant."""
    if isinstance(value, dict):
        return _is_account(value, person)
    if isinstance(value, str) and (person.is_name(value) or value in person.needles):
        return True
    return person.is_id(value) and bool(_ABOUT.search(name))


def _is_account(value: Any, person: Person) -> bool:
    """Whether an object is the account itself, such as the `u` of a chat message."""
    if not isinstance(value, dict):
        return False
    has_name = "username" in value and not {"msg", "raw", "cooked"} & value.keys()
    return has_name and (
        person.is_id(value.get("_id", value.get("id")))
        or (isinstance(value["username"], str) and person.is_name(value["username"]))
    )


def _wrote(value: dict[str, Any], person: Person) -> bool:
    """Whether an object says that they wrote it."""
    for name in _WRITTEN_BY:
        said = value.get(name)
        if said is not None and (person.is_id(said) or person.is_name(str(said))):
            return True
    return any(_is_account(value.get(name), person) for name in _ACCOUNT)


def _any(names: Collection[str], pattern: str) -> re.Pattern[str] | None:
    """The pattern over any of the names; null without names."""
    choice = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    flags = re.IGNORECASE | re.DOTALL
    return re.compile(pattern.replace("{}", choice), flags) if names else None
