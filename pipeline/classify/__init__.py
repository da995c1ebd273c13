"""Judgement: which threads need an answer, which need a moderator, and why.

Everything here is a pure function of messages and shipped models: no database, no network, no
clock. Importing the package is quick; libraries and models load where they are used.
"""

from pipeline.classify.message import Label, Message, Reason, Score, reasons

__all__ = ["Label", "Message", "Reason", "Score", "reasons"]
