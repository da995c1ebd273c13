"""Which rooms there are, and which of them may be read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pipeline.errors import BadAnswer
from pipeline.sources.rocketchat.client import Client, Doc, Refused, iso, rows_of, to_ms

_KINDS = ["c", "p", "discussions", "teams"]  # never d (direct messages) nor l (visitors)
_DEEPEST = 5  # discussions below discussions
ALL_ROOMS, OPEN_ROOMS = "rooms.adminRooms", "channels.list"  # what lists rooms


@dataclass(frozen=True, slots=True)
class Inventory:
    """The workspace's rooms tonight.

    rooms      id -> the room, for those that may be read
    withheld   ids of private rooms the settings do not name: never asked, never written down
    removed    ids the server says were deleted
    listed_by  the endpoint that listed the rooms
    active_ms  id -> time of its last message, where the server tells
    skew_ms    ms that the server's clock is ahead of ours
    limited    whether the rate limit counts our calls
    """

    rooms: dict[str, Doc]
    withheld: set[str]
    removed: set[str]
    listed_by: str
    active_ms: dict[str, int]
    asked_at: int
    server_ms: int
    skew_ms: int
    limited: bool


def inventory(client: Client, private: Collection[str], *, listed_all: bool = False) -> Inventory:
    """All rooms the account can learn of; `private` names the groups to read all the same.

    Two requests. Without `view-room-administration` channels of teams the account has not joined
    are missing. Raises BadAnswer where the endpoint that `listed_all` rooms before is not there.
    """
    listed_by = ALL_ROOMS
    try:
        rows, first = client.listed(ALL_ROOMS, "rooms", **{"types[]": _KINDS, "sort": '{"_id":1}'})
    except Refused as refusal:
        if refusal.status == 404 and listed_all:
            raise BadAnswer(
                f"{client.transport.source}: {ALL_ROOMS} listed the rooms before and is not there "
                "now (404); see what stands in front of the server"
            ) from refusal
        if not refusal.denied and refusal.status != 404:  # 404: no such route
            raise
        listed_by = OPEN_ROOMS
        rows, first = client.listed(OPEN_ROOMS, "channels", sort='{"_id":1}')
    joined = client.get("rooms.get", updatedSince=iso(0))
    mine = rows_of(joined, "update", "_id")
    known = {row["_id"] for row in rows}
    rows += [row for row in mine if row["_id"] not in known and row.get("t") in ("c", "p")]
    rooms = {row["_id"]: _without_message(row) for row in rows if row.get("t") in ("c", "p")}
    open_rooms = {rid for rid in rooms if _may_be_read(rid, rooms, frozenset(private))}
    return Inventory(
        rooms={rid: room for rid, room in rooms.items() if rid in open_rooms},
        withheld=rooms.keys() - open_rooms,
        removed={row["_id"] for row in rows_of(joined, "remove", "_id")},
        listed_by=listed_by,
        active_ms={row["_id"]: to_ms(row["lm"]) for row in mine if row.get("lm")},
        asked_at=first.asked_at,
        server_ms=first.server_ms,
        skew_ms=first.skew_ms,
        limited=first.limited,
    )


def _without_message(room: Doc) -> Doc:
    """A message has one home, where its deletion is noticed; not the room's `lastMessage`."""
    return {name: value for name, value in room.items() if name != "lastMessage"}


def _may_be_read(rid: str, rooms: dict[str, Doc], private: frozenset[str], depth: int = 0) -> bool:
    """Public through and through, or named in the settings.

    A channel of a private team and a discussion below a private room are as private as these. A
    room whose team or parent we cannot see counts as private.
    """
    room = rooms.get(rid)
    if room is None or depth > _DEEPEST:
        return False
    if private & {str(room.get(name)) for name in ("_id", "name", "fname")}:
        return True
    public = bool(room["t"] == "c")
    if room.get("prid"):
        parent = room["prid"]
        secret = not public and rooms.get(parent, {}).get("t") == "c"
        return not secret and _may_be_read(parent, rooms, private, depth + 1)
    if public and room.get("teamId") and not room.get("teamMain"):
        return _may_be_read(_team_room(room["teamId"], rooms.values()), rooms, private, depth + 1)
    return public


def _team_room(team_id: str, rooms: Iterable[Doc]) -> str:
    """Id of the room that is the team itself; empty if we cannot see it."""
    return next(
        (str(r["_id"]) for r in rooms if r.get("teamMain") and r.get("teamId") == team_id), ""
    )
