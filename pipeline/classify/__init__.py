"""Judgement: which threads need an answer, which need a moderator, and why.

`judge`, `questions`, `answers`, `heat`, `findings` and `helpers` are pure functions of messages and
shipped models: no database, no network, no clock. `night` feeds them from the warehouse. Importing
the package is quick; libraries and models load where they are used.

    judge = Judge(languages=("en", "zh"))
    for score in judge.score(messages): ...     one score per message and label
    unanswered(thread, as_of)                   how far a question has come: L0 to L3
    heat(thread)                                how heated a thread is, and since which turn
    reasons()                                   the words of every reason, by code and language
"""

from pipeline.classify.answers import Progress, ThreadView, unanswered
from pipeline.classify.heat import Heat, heat
from pipeline.classify.judge import Judge
from pipeline.classify.message import Label, Message, Reason, Score, reasons

__all__ = [
    "Heat",
    "Judge",
    "Label",
    "Message",
    "Progress",
    "Reason",
    "Score",
    "ThreadView",
    "heat",
    "reasons",
    "unanswered",
]
