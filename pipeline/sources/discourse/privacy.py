"""What of a forum's database stays private: SQL conditions, and the joins they need."""

from __future__ import annotations

from pipeline.errors import FixSettings
from pipeline.statements import literal


def topic_of(row: str) -> str:
    """SQL that joins the topic of a row (its alias) as `t`, and the topic's category as `c`."""
    return f"JOIN topics t ON t.id = {row}.topic_id LEFT JOIN categories c ON c.id = t.category_id"


POST_OF_X = "JOIN posts p ON p.id = x.post_id " + topic_of("p")


class Private:
    """SQL conditions that keep out what nobody named in `private`."""

    def __init__(self, named: tuple[str, ...]) -> None:
        self._names = ", ".join(_name(name.lower()) for name in named) or "''"
        self._messages = "private_messages" in named
        self._whispers = "whispers" in named

    def category(self, c: str = "c") -> str:
        """True for a category (its alias) that may be read."""
        named = f"lower({c}.slug) IN ({self._names}) OR lower({c}.name) IN ({self._names})"
        return f"(NOT {c}.read_restricted OR {named})"

    def topic(self, t: str = "t") -> str:
        """True for a topic (its alias) that may be read; its category is `c`."""
        kind = "TRUE" if self._messages else f"{t}.archetype <> 'private_message'"
        return f"({kind} AND ({t}.category_id IS NULL OR {self.category()}))"

    def post(self, p: str = "p") -> str:
        """True for a post (its alias) that may be read; its topic is `t`."""
        kind = "TRUE" if self._whispers else f"{p}.post_type <> 4"
        return f"({kind} AND {self.topic()})"


def _name(name: str) -> str:
    if any(sign in name for sign in ";:\\\n"):
        raise FixSettings(
            f"private: {name!r} holds a sign that Data Explorer forbids; name the "
            "category by its slug"
        )
    return literal(name)
