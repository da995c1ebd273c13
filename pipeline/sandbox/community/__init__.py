"""Emberfield: a small bilingual community of people who build weather stations, night by night.

A seeded script, the same on every machine: about ninety days of history before the first night,
then each night what a day brings. All of its text was written for Hearth. The script knows the
truth about itself (`truth`), so a pipeline that has read it can be judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.sandbox.community.script import script
from pipeline.sandbox.community.steps import NIGHT_ONE, night
from pipeline.sandbox.community.truth import Truth, truth

if TYPE_CHECKING:
    from pipeline.sandbox.discourse import Forum
    from pipeline.sandbox.rocketchat import Workspace

__all__ = ["NIGHT_ONE", "Truth", "night", "play", "truth"]


def play(forum: Forum, chat: Workspace, through: int, start: int = 0) -> None:
    """Let happen what happens after night `start` up to night `through`, in time order.

    `start` 0 includes the history. Playing night by night ends where playing at once ends. Both
    must be new, or as an earlier `play` left them."""
    steps = script(through)
    for n in range(start + 1, through + 1):
        for step in steps:
            if (n == 1 or step.at > night(n - 1)) and step.at <= night(n):
                getattr(forum if step.site == "forum" else chat, step.do)(**step.args)
        forum.run_jobs(night(n))
        chat.empty_trash(night(n))
