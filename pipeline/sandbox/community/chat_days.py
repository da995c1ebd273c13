"""Ordinary days of the chat: scenes, lines that stand alone, and a bot that reports builds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from pipeline.sandbox.community.cast import Cast
from pipeline.sandbox.community.steps import NIGHT_ONE, Ref, Step, fill, texts

_SCENES_A_DAY = {"general": 1.2, "help": 1.0, "dev": 0.7, "zhongwen": 0.6}
_ALONE_A_DAY = {"general": 2.4, "help": 0.5, "dev": 0.9, "zhongwen": 0.8}
_EMOJI = (":thumbsup:", ":joy:", ":tada:", ":heart:", ":eyes:")


class ChatDays:
    """Makes one ordinary day after the other."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._messages = 0
        self._builds = 4100
        self._used: dict[str, int] = {}

    def day(self, number: int, rng: Random) -> list[Step]:
        """The steps of this day; day 0 ends with the first night's run.

        Scenes of one room never overlap: each has half an hour to itself."""
        steps: list[Step] = []
        begin = NIGHT_ONE + timedelta(days=number - 1, hours=3)
        for room in _SCENES_A_DAY:
            language = "zh" if room == "zhongwen" else "en"
            scenes, alone = (_about(a_day[room], rng) for a_day in (_SCENES_A_DAY, _ALONE_A_DAY))
            for k, slot in enumerate(rng.sample(range(38), scenes + alone)):
                at = begin + timedelta(minutes=30 * slot + rng.randint(0, 9))
                people = self._cast.present(at, language, chats=True, stays=k < scenes)
                if k < scenes:
                    steps += self._scene(room, at, people, rng)
                else:
                    steps += self._alone(room, at, people, rng)
        for minutes in sorted(rng.sample(range(1100), rng.randint(1, 4))):
            at = begin + timedelta(minutes=minutes)
            self._builds += 1
            words = {"serial": str(self._builds), "count": str(rng.randint(2, 59))}
            text = fill(rng.choice(texts("chat")["bot"]), words)
            steps.append(self._said("dev", "ci.bot", text, at, bot={"i": "ember-ci"}))
        return steps

    def _scene(self, room: str, at: datetime, people: list[str], rng: Random) -> Iterator[Step]:
        scene = self._next(room, texts("chat")[room])
        speakers = dict(zip("abc", rng.sample(people, 3), strict=True))
        words = _words(rng) | speakers
        root, answered = "", scene.get("question")
        for number, line in enumerate(scene["scene"].splitlines()):
            who, text = line.split(": ", 1)
            in_thread = {"tmid": Ref("message", root)} if who.endswith(">") else {}
            first_answer = number == 1 and answered == "thread"
            pause = rng.randint(600, 1200) if first_answer else rng.randint(15, 200)
            at += timedelta(seconds=pause if number else 0)
            marks = (f"question:{answered}",) if answered and number == 0 else ()
            step = self._said(room, speakers[who[0]], fill(text, words), at, marks, **in_thread)
            root = root or step.makes
            yield step
            if not marks:
                yield from self._reactions(step, people, rng)

    def _alone(self, room: str, at: datetime, people: list[str], rng: Random) -> Iterator[Step]:
        text = fill(self._next(room + " alone", texts("chat")["alone"][room]), _words(rng))
        step = self._said(room, rng.choice(people), text, at)
        yield step
        message = {"mid": Ref("message", step.makes)}
        if rng.random() < 0.03:
            later = at + timedelta(hours=5 * rng.random() + 0.1)
            yield Step(later, "chat", "delete", message | {"by": step.args["user_id"]})
            return
        if rng.random() < 0.06:
            yield Step(at + timedelta(seconds=40), "chat", "edit", message | {"msg": text + " :)"})
        yield from self._reactions(step, people, rng)

    def _reactions(self, step: Step, people: list[str], rng: Random) -> Iterator[Step]:
        if rng.random() > 0.2:
            return
        for fan in rng.sample(people, rng.randint(1, 2)):
            at = step.at + timedelta(seconds=rng.randint(20, 4000))
            args = {"mid": Ref("message", step.makes), "user_id": Ref("user", fan)}
            yield Step(at, "chat", "react", args | {"emoji": rng.choice(_EMOJI)})

    def _said(
        self, room: str, by: str, text: str, at: datetime, marks: tuple[str, ...] = (), **more: Any
    ) -> Step:
        self._messages += 1
        args = {"rid": Ref("room", room), "user_id": Ref("user", by), "msg": text}
        return Step(at, "chat", "post", args | more, f"c{self._messages}", marks)

    def _next(self, name: str, pool: list[Any]) -> Any:
        """The next of a pool, in an order shuffled anew for each round."""
        used = self._used[name] = self._used.get(name, -1) + 1
        order = list(range(len(pool)))
        Random(f"{name} {used // len(pool)}").shuffle(order)
        return pool[order[used % len(pool)]]


def _about(mean: float, rng: Random) -> int:
    """A whole number near the mean, right on average."""
    return int(mean * 2 * rng.random() + 0.5)


def _words(rng: Random) -> dict[str, str]:
    return {word: rng.choice(choices) for word, choices in texts("talk")["words"].items()}
