"""Ordinary days of the forum: questions with their fate, and talk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from pipeline.sandbox.community.cast import Cast
from pipeline.sandbox.community.steps import NIGHT_ONE, Line, Ref, Step, fill, texts, thread

_FATES = {  # what becomes of a question, and how many in a hundred
    "accepted": 38,
    "thanked": 20,
    "answered": 14,
    "unanswered": 9,
    "self_answered": 5,
    "bot_only": 4,
    "stale": 5,
    "asked_back": 3,
    "me_too": 2,
}
_ASKER = {"open", "detail", "thanks", "bump", "self_answer", "still_stuck"}
_HELPER = {"ask_back", "answer", "glad"}
_FIRST_H = (0.3, 0.6, 1, 2, 3, 4, 6, 9, 15, 26, 50)  # hours to a first reply
_LINE_OF = {"thanks": "thanks_solved"}
_PLACES = {"showcase": 10, "development": 11, "feedback": 6, "chinese": 4}
_GENERIC = {
    "showcase": ("praise",),
    "development": ("agree", "disagree"),
    "feedback": ("agree",),
    "chinese": ("praise", "agree"),
}


class ForumDays:
    """Makes one ordinary day after the other. Texts are used up in a shuffled order, then again
    with a suffix in the title."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._threads = 0
        pools = {"support": texts("support"), "chinese/questions": texts("chinese")}
        pools |= texts("discussions")
        self._pools = {name: _again_and_again(name, pool) for name, pool in pools.items()}

    def day(self, number: int, rng: Random) -> list[Step]:
        """The steps that begin on this day; day 0 ends with the first night's run. Replies may
        come days later."""
        steps: list[Step] = []
        begin = NIGHT_ONE + timedelta(days=number - 1)
        threads = 1 + (rng.random() < 0.85) + (number > 0)
        for _ in range(threads):
            self._threads += 1
            name = f"t{self._threads}"
            at = begin + timedelta(hours=4 + 18 * rng.random())
            if rng.random() < 0.72:
                steps += self._question(name, at, number, rng)
            else:
                steps += self._talk(name, at, rng)
        return steps

    def _question(self, name: str, at: datetime, day: int, rng: Random) -> list[Step]:
        chinese = rng.random() < 0.2
        language, place = ("zh", "chinese") if chinese else ("en", "support")
        item = next(self._pools["chinese/questions" if chinese else "support"])
        words = _words(rng)
        newcomer = rng.random() < (0.1 if day <= 0 else 0.35)
        members = self._cast.present(at, language, stays=True)
        asker = self._cast.call_newcomer(language, at, rng) if newcomer else rng.choice(members)
        fate = rng.choices(list(_FATES), list(_FATES.values()))[0]
        lines = [Line(asker, at, fill(_opening(item, language, rng), words))]
        for role in _course(fate, "ask_back" in item, rng):
            at = _after(at, role, len(lines) == 1, rng)
            spoken = [line.by for line in lines]
            by = asker if role in _ASKER else self._other(role, language, at, spoken, rng)
            lines.append(
                Line(by, at, fill(_text(role, item, language, lines, rng), words), (role,))
            )
        title = fill(item["title"], words)
        steps = thread(name, place, title, "question", lines)
        return [*steps, *self._aftermath(name, lines, fate, rng)]

    def _talk(self, name: str, at: datetime, rng: Random) -> list[Step]:
        place = rng.choices(list(_PLACES), list(_PLACES.values()))[0]
        language = "zh" if place == "chinese" else "en"
        item, words, talk = next(self._pools[place]), _words(rng), texts("talk")[language]
        people = self._cast.present(at, language)
        host, *guests = rng.sample(people, min(6, len(people)))
        said = list(item["comments"])
        for role in _GENERIC[place]:
            said += rng.sample(talk[role], min(len(talk[role]), rng.randint(2, 4)))
        thanks = rng.sample(talk["asker_comment"], len(talk["asker_comment"]))
        lines = [Line(host, at, fill(item["body"], words))]
        for text in said:
            at += timedelta(hours=rng.choice((0.4, 1, 2, 5, 9, 20)) * (0.6 + 0.8 * rng.random()))
            by = rng.choice([guest for guest in guests if guest != lines[-1].by])
            lines.append(Line(by, at, fill(text, words), ("comment",)))
            if thanks and rng.random() < 0.3:
                at += timedelta(hours=0.5 + 3 * rng.random())
                lines.append(Line(host, at, thanks.pop(), ("comment",), to=len(lines)))
        title = fill(item["title"], words)
        steps = thread(name, place, title, "talk", lines)
        return [*steps, *self._aftermath(name, lines, "", rng)]

    def _other(self, role: str, language: str, at: datetime, spoken: list[str], rng: Random) -> str:
        """Somebody but the asker who can play this role, and has not spoken yet if possible."""
        if role == "bot":
            return "ember_helper"
        helper = role in _HELPER and rng.random() < 0.75
        people = self._cast.present(at, language, helper=helper)
        fresh = [person for person in people if person not in spoken]
        return rng.choice(fresh or [person for person in people if person != spoken[0]])

    def _aftermath(self, name: str, lines: list[Line], fate: str, rng: Random) -> Iterator[Step]:
        """Acceptance, likes, edits and a rare deletion."""
        asker, accepted = lines[0].by, False
        for number, line in enumerate(lines, start=1):
            post = {"post_id": Ref("post", f"{name}#{number}")}
            soon = line.at + timedelta(hours=0.3 + 3 * rng.random())
            if "answer" in line.marks and fate == "accepted" and not accepted:
                done = next(one.at for one in lines if "thanks" in one.marks)
                args = post | {"by": Ref("user", asker)}
                yield Step(done + timedelta(minutes=1), "forum", "accept", args)
                accepted = True
            for fan in self._fans(line, rng):
                yield Step(soon, "forum", "like", post | {"user_id": Ref("user", fan)})
                soon += timedelta(minutes=rng.randint(3, 300))
            if rng.random() < 0.05:
                text = line.text + (
                    "\n\n编辑：改了一处笔误。" if _is_chinese(line.text) else "\n\nEdit: wording."
                )
                yield Step(soon, "forum", "edit", post | {"raw": text})
            elif rng.random() < 0.03:
                grace = line.at + timedelta(seconds=100)
                yield Step(grace, "forum", "edit", post | {"raw": line.text + " :)"})
            if "later" in line.marks and rng.random() < 0.15:
                args = post | {"by": Ref("user", line.by)}
                yield Step(soon, "forum", "delete_post", args)

    def _fans(self, line: Line, rng: Random) -> list[str]:
        chance = {"answer": 0.5, "comment": 0.25, "": 0.3}.get(
            line.marks[0] if line.marks else "", 0.08
        )
        language = "zh" if _is_chinese(line.text) else "en"
        others = [p for p in self._cast.present(line.at, language) if p != line.by]
        return rng.sample(others, sum(rng.random() < chance for _ in range(3)))


def _again_and_again(name: str, pool: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    order = list(range(len(pool)))
    Random(name).shuffle(order)
    for k in order:
        yield pool[k] | {"again": False}
    for cycle in count(2):
        details = "$board, $version, " if "answers" in pool[0] else ""
        for k in order:
            yield pool[k] | {"title": f"{pool[k]['title']} ({details}{cycle})", "again": True}


def _words(rng: Random) -> dict[str, str]:
    return {word: rng.choice(choices) for word, choices in texts("talk")["words"].items()}


def _opening(item: dict[str, Any], language: str, rng: Random) -> str:
    excuse = rng.choice(texts("talk")[language]["again"]) + "\n\n" if item["again"] else ""
    return excuse + str(item["body"])


def _course(fate: str, asks_back: bool, rng: Random) -> list[str]:
    """The roles of the replies, in order, that lead to this fate."""

    def perhaps(chance: float, *roles: str) -> list[str]:
        return list(roles) if rng.random() < chance else []

    clarified = perhaps(0.9, "ask_back", "detail") if asks_back else []
    happy = [
        *clarified,
        "answer",
        "thanks",
        *perhaps(0.75, "answer"),
        *perhaps(0.5, "glad"),
        *perhaps(0.5, "later"),
    ]
    course = {
        "accepted": happy,
        "thanked": happy,
        "answered": [*clarified, "answer", *perhaps(0.6, "answer"), *perhaps(0.3, "me_too")],
        "unanswered": perhaps(0.3, "bump"),
        "self_answered": ["self_answer"],
        "bot_only": ["bot"],
        "stale": [*clarified, "answer", "still_stuck"],
        "asked_back": ["ask_back"],
        "me_too": ["me_too"],
    }[fate]
    greets = fate in ("accepted", "thanked", "answered", "stale") and rng.random() < 0.12
    return ["bot", *course] if greets else course


def _after(at: datetime, role: str, first: bool, rng: Random) -> datetime:
    """When the next reply of this role comes."""
    if role == "bot":
        return at + timedelta(minutes=1 + rng.randint(0, 4))
    choices: tuple[float, ...] = _FIRST_H if first else (0.2, 0.5, 1, 3, 8, 16)
    if role in ("later", "bump", "self_answer"):
        choices = (26, 49, 75, 120)
    return at + timedelta(seconds=int(3600 * rng.choice(choices) * (0.7 + 0.6 * rng.random())))


def _text(role: str, item: dict[str, Any], language: str, lines: list[Line], rng: Random) -> str:
    if role == "answer":
        given = sum("answer" in line.marks for line in lines)
        return str(item["answers"][given])
    if role in item:
        return str(item[role])
    return str(rng.choice(texts("talk")[language][_LINE_OF.get(role, role)]))


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)
