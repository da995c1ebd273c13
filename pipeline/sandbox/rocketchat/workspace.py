"""A Rocket.Chat workspace in memory: rooms, people, messages, and what happens to them.

Documents have the server's own form. Times are aware datetimes cut to milliseconds, as MongoDB
keeps them. Every write stamps `_updatedAt`; a bulk write stamps many documents with one time.
"""

# ruff: noqa: A002 - `id` and `type` are the server's own words
from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.sandbox.rocketchat.rights import DEFAULT_ROLES, EXTRACTOR_ROLE
from pipeline.sandbox.rocketchat.switches import Switches

Doc = dict[str, Any]
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
_MENTION = re.compile(r"(?<![\w@])@([\w.-]*\w)")
_CHANNEL = re.compile(r"(?<![\w#])#([\w-]+)")
_LINK = re.compile(r"https?://[^\s<>()]+")


class Workspace:
    """Everything one server knows. Methods are what people, bots and administrators do."""

    def __init__(self, switches: Switches | None = None, seed: str = "sandbox") -> None:
        self.switches = switches or Switches()
        self.rooms: dict[str, Doc] = {}
        self.users: dict[str, Doc] = {}
        self.messages: dict[str, Doc] = {}
        self.by_room: dict[str, dict[str, Doc]] = {}
        self.trash: dict[str, list[Doc]] = {}
        self.removed_rooms: list[Doc] = []
        self.subscriptions: dict[tuple[str, str], datetime] = {}
        self.reports: dict[str, Doc] = {}
        self.tokens: dict[str, str] = {}
        self.roles: dict[str, set[str]] = {role: set(held) for role, held in DEFAULT_ROLES.items()}
        self._seed = seed
        self._made = 0

    # people

    def add_user(
        self,
        username: str,
        name: str,
        at: datetime,
        *,
        id: str | None = None,
        roles: Iterable[str] = ("user",),
        type: str = "user",
        active: bool = True,
    ) -> str:
        """A new account; returns its id."""
        user_id = id or self._new_id()
        self.users[user_id] = {
            "_id": user_id,
            "username": username,
            "name": name,
            "type": type,
            "active": active,
            "status": "offline",
            "roles": list(roles),
            "emails": [{"address": f"{username}@example.org", "verified": True}],
            "nameInsensitive": name.lower(),
            "createdAt": _ms(at),
        }
        return user_id

    def add_extractor(
        self, at: datetime, token: str, *, id: str | None = None, roles: Iterable[str] = ()
    ) -> str:
        """The account Hearth should have: a role of its own with just what reading needs."""
        user_id = self.add_user("hearth", "Hearth", at, id=id, roles=[EXTRACTOR_ROLE, *roles])
        self.tokens[token] = user_id
        return user_id

    def rename_user(self, user_id: str, username: str, at: datetime) -> None:
        """Rewrites the user's messages and mentions with one stamp, but no reactions."""
        old, when = self.users[user_id]["username"], _ms(at)
        self.users[user_id]["username"] = username
        mention = re.compile(f"@{re.escape(old)}")  # the server's own pattern hits longer names too
        for message in self.messages.values():
            touched = False
            for part in (message["u"], message.get("editedBy", {})):
                if part.get("_id") == user_id:
                    part["username"], touched = username, True
            for mentioned in message.get("mentions", ()):
                if mentioned["username"] == old:
                    mentioned["username"], touched = username, True
                    message["msg"] = mention.sub(f"@{username}", message["msg"])
            if touched:
                message["_updatedAt"] = when

    def delete_user(self, user_id: str, at: datetime) -> None:
        """The account goes; its messages go, stay or are unlinked, as the server is set."""
        del self.users[user_id]
        for key in [key for key in self.subscriptions if key[1] == user_id]:
            del self.subscriptions[key]
        for message in [m for m in self.messages.values() if m["u"]["_id"] == user_id]:
            if self.switches.erasure == "Delete":
                self._to_trash(message, _ms(at))
            elif self.switches.erasure == "Unlink":
                message["u"] = {"_id": "rocket.cat", "username": "rocket.cat", "name": "Rocket.Cat"}
                message |= {"alias": "Removed User", "_updatedAt": _ms(at)}

    # rooms

    def add_room(
        self,
        name: str,
        at: datetime,
        *,
        id: str | None = None,
        t: str = "c",
        prid: str | None = None,
        team_id: str | None = None,
        team_main: bool = False,
        members: Iterable[str] = (),
        encrypted: bool = False,
    ) -> str:
        """A channel (`c`), private group (`p`), direct message (`d`), discussion (`prid`) or a
        room of a team; returns its id."""
        members = list(members)
        rid = id or ("".join(sorted(members)) if t == "d" else self._new_id())
        room: Doc = {"_id": rid, "t": t, "msgs": 0, "usersCount": 0, "ts": _ms(at)}
        room |= {"_updatedAt": _ms(at), "archived": False, "ro": False}
        if t != "d":
            room |= {"name": name, "fname": name}
        if prid:
            room["prid"] = prid
        if team_id:
            room |= {"teamId": team_id} | ({"teamMain": True} if team_main else {})
        if encrypted:
            room["encrypted"] = True
        self.rooms[rid], self.by_room[rid], self.trash[rid] = room, {}, []
        for user_id in members:
            self._subscribe(rid, user_id, at)
        if prid and members:
            self.post(prid, members[0], name, at, t="discussion-created", drid=rid)
        return rid

    def join(self, rid: str, user_id: str, at: datetime) -> None:
        """The user becomes a member; the room says so."""
        if (rid, user_id) not in self.subscriptions:
            self._subscribe(rid, user_id, at)
            self.post(rid, user_id, self.users[user_id]["username"], at, t="uj")

    def leave(self, rid: str, user_id: str, at: datetime) -> None:
        """The user is no member any more; the room says so."""
        if self.subscriptions.pop((rid, user_id), None):
            self.rooms[rid]["usersCount"] -= 1
            self.post(rid, user_id, self.users[user_id]["username"], at, t="ul")

    def make_private(self, rid: str, at: datetime) -> None:
        """A channel becomes a private group; the room says so."""
        self.rooms[rid] |= {"t": "p", "_updatedAt": _ms(at)}
        by = next(user_id for of, user_id in self.subscriptions if of == rid)
        self.post(rid, by, "private", at, t="room_changed_privacy")

    def delete_room(self, rid: str, at: datetime) -> None:
        """The room goes with all its messages; only its id remains, in the list of the removed."""
        for mid in self.by_room.pop(rid):
            del self.messages[mid]
        del self.rooms[rid], self.trash[rid]
        for key in [key for key in self.subscriptions if key[0] == rid]:
            del self.subscriptions[key]
        self.removed_rooms.append({"_id": rid, "_deletedAt": _ms(at)})

    def prune(self, rid: str, before: datetime, at: datetime) -> int:
        """Deletes all messages older than `before` with one stamp; returns how many."""
        old = [m for m in self.by_room[rid].values() if m["ts"] < before]
        for message in old:
            self._to_trash(message, _ms(at))
        return len(old)

    # messages

    def post(
        self,
        rid: str,
        user_id: str,
        msg: str,
        at: datetime,
        *,
        tmid: str | None = None,
        id: str | None = None,
        t: str | None = None,
        **fields: Any,
    ) -> str:
        """A message, a thread's reply (`tmid`) or a system message (`t`); returns its id.

        An id that exists already changes nothing: that is what makes a retry safe."""
        if id in self.messages:
            return str(id)
        when, mid = _ms(at), id or self._new_id()
        message: Doc = {"_id": mid, "rid": rid, "msg": msg, "ts": when, "u": self._person(user_id)}
        message |= {"_updatedAt": when, "urls": [{"url": url} for url in _LINK.findall(msg)]}
        message |= {"t": t} if t else self._references(msg)
        if tmid:
            root = self.messages[tmid]
            message["tmid"] = root.get("tmid", tmid)  # threads are one level deep
            self._touch_thread(message["tmid"], 1, when, user_id)
        message |= fields
        self.messages[mid] = self.by_room[rid][mid] = message
        self._touch_room(rid, 1, when)
        return mid

    def edit(self, mid: str, msg: str, at: datetime, by: str | None = None) -> None:
        """A new text, by the author or `by`. With history kept, a hidden copy of the old stays."""
        message, when = self.messages[mid], _ms(at)
        if self.switches.keep_history:
            self._keep_copy(message, when)
        message |= {"msg": msg, **self._references(msg), "editedAt": when, "_updatedAt": when}
        message["editedBy"] = self._person(by or message["u"]["_id"])

    def react(self, mid: str, user_id: str, emoji: str, at: datetime) -> None:
        """Adds the reaction; once more changes nothing. Reactions keep names, not ids."""
        message, username = self.messages[mid], self.users[user_id]["username"]
        reaction = message.setdefault("reactions", {}).setdefault(emoji, {"usernames": []})
        if username not in reaction["usernames"]:
            reaction["usernames"].append(username)
            message["_updatedAt"] = _ms(at)

    def unreact(self, mid: str, user_id: str, emoji: str, at: datetime) -> None:
        """Takes the reaction back; without any left the message has no `reactions` at all."""
        message, username = self.messages[mid], self.users[user_id]["username"]
        reactions = message.get("reactions", {})
        if username not in reactions.get(emoji, {}).get("usernames", ()):
            return
        reactions[emoji]["usernames"].remove(username)
        if not reactions[emoji]["usernames"]:
            del reactions[emoji]
        if not reactions:
            del message["reactions"]
        message["_updatedAt"] = _ms(at)

    def pin(self, mid: str, at: datetime, by: str | None = None) -> None:
        """Pins the message and says so in the room."""
        message, when = self.messages[mid], _ms(at)
        user_id = by or message["u"]["_id"]
        message |= {"pinned": True, "pinnedAt": when, "pinnedBy": self._person(user_id)}
        message["_updatedAt"] = when
        self.post(message["rid"], user_id, "", at, t="message_pinned")

    def delete(self, mid: str, by: str, at: datetime) -> None:
        """Deletes in the way the server is set: to the trash, hidden in place, or a tombstone.

        A thread's root with replies always leaves a tombstone and a hidden copy."""
        message, when = self.messages[mid], _ms(at)
        parent = message.get("tcount", 0) > 0
        keep = self.switches.keep_history or parent
        show = self.switches.show_deleted or parent
        if keep and show:
            self._keep_copy(message, when)
        if show:
            self._to_tombstone(message, by, when)
        elif keep:
            message |= {"_hidden": True, "_updatedAt": when}
        else:
            self._to_trash(message, when)
        self._touch_room(message["rid"], -1, when)
        if "tmid" in message:
            self._touch_thread(message["tmid"], -1, when)

    def hide(self, mid: str, at: datetime) -> None:
        """Makes the message vanish without a trace in any feed."""
        self.messages[mid] |= {"_hidden": True, "_updatedAt": _ms(at)}

    def expire(self, mid: str) -> None:
        """The message ends by its own time limit: it does not pass through the trash."""
        message = self.messages.pop(mid)
        del self.by_room[message["rid"]][mid]

    # moderation

    def report(self, mid: str, user_id: str, description: str, at: datetime) -> str:
        """A member reports a message, which is kept as it stands; returns the report's id."""
        message, report_id = self.messages[mid], self._new_id(hexadecimal=True)
        self.reports[report_id] = {
            "_id": report_id,
            "message": {**message},
            "room": _room_in_report(self.rooms[message["rid"]]),
            "description": description,
            "ts": _ms(at),
            "reportedBy": self._person(user_id) | {"createdAt": self.users[user_id]["createdAt"]},
        }
        return report_id

    def dismiss(
        self,
        by: str,
        at: datetime,
        *,
        mid: str | None = None,
        user_id: str | None = None,
        action: str = "None",
        reason: str = "No reason provided",
    ) -> int:
        """A moderator closes the open reports of a message or an author; returns how many."""
        closed = 0
        for report in self.reports.values():
            about = report["message"]
            if not report.get("_hidden") and (about["_id"] == mid or about["u"]["_id"] == user_id):
                info = {"moderatedBy": by, "hiddenAt": _ms(at), "action": action, "reason": reason}
                report |= {"_hidden": True, "moderationInfo": info}
                closed += 1
        return closed

    # parts of the above

    def _new_id(self, hexadecimal: bool = False) -> str:
        self._made += 1
        digest = hashlib.sha256(f"{self._seed}{self._made}".encode())
        if hexadecimal:
            return digest.hexdigest()[:24]
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest.digest()[:17])

    def _person(self, user_id: str) -> Doc:
        user = self.users[user_id]
        return {"_id": user_id, "username": user["username"], "name": user["name"]}

    def _subscribe(self, rid: str, user_id: str, at: datetime) -> None:
        self.subscriptions[rid, user_id] = _ms(at)
        self.rooms[rid]["usersCount"] += 1

    def _references(self, msg: str) -> Doc:
        """The `mentions` and `channels` of a text."""
        names, mentions, channels = _MENTION.findall(msg), [], _CHANNEL.findall(msg)
        by_name = {user["username"]: user["_id"] for user in self.users.values()} if names else {}
        rooms = {r["name"]: r["_id"] for r in self.rooms.values() if "name" in r and channels}
        for name in dict.fromkeys(names):
            if name in ("all", "here"):
                mentions.append({"_id": name, "username": name, "type": "user"})
            elif name in by_name:
                mentions.append({**self._person(by_name[name]), "type": "user"})
        found = [{"_id": rooms[n], "name": n} for n in dict.fromkeys(channels) if n in rooms]
        return {"mentions": mentions, "channels": found}

    def _touch_room(self, rid: str, messages: int, when: datetime) -> None:
        room = self.rooms[rid]
        room |= {"msgs": room["msgs"] + messages, "_updatedAt": when}
        if messages > 0:
            room["lm"] = when

    def _touch_thread(
        self, root_id: str, replies: int, when: datetime, follower: str | None = None
    ) -> None:
        root = self.messages.get(root_id)
        if root is None:  # deleted, as the root of an orphan may be
            return
        root |= {"tcount": max(0, root.get("tcount", 0) + replies), "_updatedAt": when}
        if follower:
            root["tlm"] = when
            followers = root.setdefault("replies", [])
            followers += [
                person for person in (root["u"]["_id"], follower) if person not in followers
            ]

    def _keep_copy(self, message: Doc, when: datetime) -> None:
        copy = {**message, "_id": self._new_id(), "_hidden": True, "parent": message["_id"]}
        self.messages[copy["_id"]] = self.by_room[message["rid"]][copy["_id"]] = copy
        copy["_updatedAt"] = when

    def _to_tombstone(self, message: Doc, by: str, when: datetime) -> None:
        for field in ("md", "blocks", "tshow"):
            message.pop(field, None)
        message |= {"t": "rm", "msg": "", "urls": [], "mentions": [], "attachments": []}
        message |= {"reactions": {}, "editedAt": when, "editedBy": self._person(by)}
        message["_updatedAt"] = when

    def _to_trash(self, message: Doc, when: datetime) -> None:
        rid, mid = message["rid"], message["_id"]
        del self.messages[mid], self.by_room[rid][mid]
        kept = {"_id": mid, "rid": rid, "_updatedAt": message["_updatedAt"], "_deletedAt": when}
        self.trash[rid].append(kept)

    def empty_trash(self, now: datetime) -> None:
        """What the server does by itself: what lay in the trash too long is forgotten."""
        limit = now - timedelta(days=self.switches.trash_days)
        for rid, rows in self.trash.items():
            if rows and rows[0]["_deletedAt"] <= limit:
                self.trash[rid] = [row for row in rows if row["_deletedAt"] > limit]
        self.removed_rooms = [row for row in self.removed_rooms if row["_deletedAt"] > limit]


def _ms(at: datetime) -> datetime:
    """The time as MongoDB keeps it: UTC, whole milliseconds."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _room_in_report(room: Doc) -> Doc:
    names = ("_id", "name", "fname", "t", "federated", "prid")
    return {name: room[name] for name in names if name in room}
