"""Writing to a workspace: messages that a retry cannot double, and the reactions they got.

The texts of members must be made harmless before they get here: `pipeline.digest.safe.for_chat`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pipeline.errors import BadAnswer, FixSettings, TryLater
from pipeline.sources.rocketchat.client import Client, Refused

LONGEST = 4_900  # UTF-16 units; Message_MaxAllowedSize is 5,000 unless a workspace changed it
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"  # as the server's own ids
_TONE = re.compile(r"_tone[1-5](-[1-5])?$")
_SAME = {"thumbsup": "+1", "thumbup": "+1", "thumbsdown": "-1", "thumbdown": "-1"}


class Poster:
    """Writes as the account of this client, whose role needs no more than to post in the room."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rooms: dict[str, str] = {}
        self._own_name = ""

    def post(self, room: str, text: str, *, key: str, thread: str | None = None) -> list[str]:
        """Post a text, in several messages where it is too long; returns their ids.

        room    name or id
        key     what this text is, such as night and item: posting the same key again posts nothing
        thread  id of the message to answer

        Raises FixSettings where the room does not take it, TryLater where it is not certain that
        the message is there: the same call may then be made again.
        """
        rid = self._room_id(room)
        parts = split(text)
        ids = [message_id(f"{rid}\n{key}\n{number}") for number in range(len(parts))]
        for mid, part in zip(ids, parts, strict=True):
            self._send(room, {"_id": mid, "rid": rid, "msg": part, "tmid": thread})
        return ids

    def check(self, room: str) -> None:
        """Raise FixSettings where the account sees no such room."""
        self._room_id(room)

    def reactions(self, message: str) -> dict[str, list[str]]:
        """Folded emoji -> names of those who chose it, in order; the message must be there."""
        reply = self._client.get("chat.getMessage", msgId=message)
        found: dict[str, list[str]] = {}
        for emoji, reaction in (reply.value["message"].get("reactions") or {}).items():
            names = found.setdefault(fold(emoji), [])
            names += [name for name in reaction["usernames"] if name not in names]
        return found

    def said_of(self, message: str) -> list[tuple[str, str]]:
        """(emoji, name) of each reaction that stands under a message, our own left out; none where
        the message is not to be seen any more."""
        try:
            found = self.reactions(message)
            if found and not self._own_name:
                self._own_name = str(self._client.get("me").value["username"])
        except Refused:
            return []
        others = (
            (emoji, name)
            for emoji, names in found.items()
            for name in names
            if name != self._own_name
        )
        return list(others)

    def _room_id(self, room: str) -> str:
        name = room.removeprefix("#")
        questions: list[dict[str, Any]] = [{"roomName": name}, {"roomId": name}]
        for question in questions:
            if name not in self._rooms:
                try:
                    reply = self._client.get("rooms.info", **question)
                except Refused:
                    continue
                self._rooms[name] = str(reply.value["room"]["_id"])
        if name not in self._rooms:
            raise FixSettings(
                f"{self._client.transport.source}: the account sees no room {name!r}; "
                "invite it there, or change the name in hearth.toml"
            )
        return self._rooms[name]

    def _send(self, room: str, message: dict[str, str | None]) -> None:
        """Send one message. After any error, look: the server may have taken it all the same."""
        content = {name: value for name, value in message.items() if value is not None}
        try:
            self._client.post("chat.sendMessage", {"message": content}, repeatable=True)
        except (TryLater, BadAnswer) as error:
            if self._is_there(str(message["_id"])):
                return
            if isinstance(error, Refused):
                raise FixSettings(
                    f"{error}; the account must be allowed to write in {room!r}"
                ) from error
            raise

    def _is_there(self, message: str) -> bool:
        try:
            self._client.get("chat.getMessage", msgId=message)
        except Refused:
            return False
        return True


def message_id(text: str) -> str:
    """A message id in the server's form, always the same for the same text."""
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:17])


def fold(emoji: str) -> str:
    """One name for an emoji whatever its alias or skin tone: `:thumbsup_tone3:` is `:+1:`."""
    name = _TONE.sub("", emoji.strip(":").lower())
    return f":{_SAME.get(name, name)}:"


def split(text: str, most: int = LONGEST) -> list[str]:
    """The text in pieces of at most `most` UTF-16 units, cut at a paragraph, a line, a blank, or
    where it must be."""
    pieces: list[str] = []
    while _units(text) > most:
        head = _fitting(text, most)
        cut = max(head.rfind("\n\n"), 0) or max(head.rfind("\n"), head.rfind(" "), 0) or len(head)
        pieces.append(head[:cut].rstrip())
        text = text[cut:].lstrip("\n ")
    return [piece for piece in [*pieces, text] if piece.strip()]


def _fitting(text: str, most: int) -> str:
    """The longest beginning that fits, no character halved."""
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
