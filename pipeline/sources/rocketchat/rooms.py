"""Which rooms there are, and which of them may be read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

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
    public     ids of rooms that are public through and through, whatever the settings name
    adrift     ids of the withheld that are public themselves, below a room that cannot be seen
    unclear    names of the settings that several private rooms bear: none of them is opened by it
    removed    ids the server says were deleted
    listed_by  the endpoint that listed the rooms
    active_ms  id -> time of its last message, where the server tells
    skew_ms    ms that the server's clock is ahead of ours
    limited    whether the rate limit counts our calls
    """

    rooms: dict[str, Doc]
    withheld: set[str]
    public: set[str]
    adrift: set[str]
    unclear: list[str]
    removed: set[str]
    listed_by: str
    active_ms: dict[str, int]
    asked_at: int
    server_ms: int
    skew_ms: int
    limited: bool

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is not read though it may be public or is named, one sentence each."""
        adrift = len(self.adrift)
        below = (
            f"Public rooms below a channel or team that was deleted or cannot be seen: {adrift} "
            "tonight. Name them by their id in `private` to read them."
        )
        several = (
            f"The private rooms called {name!r}: several bear this name. Name the one that is "
            "meant by its id in `private`."
            for name in self.unclear
        )
        return (*((below,) if adrift else ()), *several)


def inventory(
    client: Client,
    private: Collection[str],
    *,
    listed_all: bool = False,
    once_public: Mapping[str, bool] = MappingProxyType({}),
) -> Inventory:
    """All rooms the account can learn of; `private` names the groups to read all the same, and
    `once_public` the rooms last known as public, true for those that were deleted since.

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
    removed = {row["_id"] for row in rows_of(joined, "remove", "_id")}
    ended = {rid for rid, gone in once_public.items() if gone or rid in removed} - rooms.keys()
    public = {rid for rid in rooms if _may_be_read(rid, rooms, set(), ended)}
    closed = [room for rid, room in rooms.items() if rid not in public]
    meant = {name: _called(name, closed) for name in private}
    named = {ids[0] for ids in meant.values() if len(ids) == 1}
    open_rooms = {rid for rid in rooms if _may_be_read(rid, rooms, named, ended)}
    return Inventory(
        rooms={rid: room for rid, room in rooms.items() if rid in open_rooms},
        withheld=rooms.keys() - open_rooms,
        public=public,
        adrift={rid for rid in rooms.keys() - open_rooms if _is_adrift(rid, rooms)},
        unclear=[name for name, ids in meant.items() if len(ids) > 1],
        removed=removed,
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


def _called(name: str, rooms: list[Doc]) -> list[str]:
    """Ids of the rooms that a name of the settings may mean.

    A discussion's display name is free text that anybody may choose, so it is called by its id or
    by the name the server made for it; other rooms by their display name too, where no id and no
    name is the same.
    """
    by_display = [room for room in rooms if not room.get("prid")]
    for field, candidates in (("_id", rooms), ("name", rooms), ("fname", by_display)):
        if found := [str(room["_id"]) for room in candidates if room.get(field) == name]:
            return found
    return []


def _may_be_read(
    rid: str, rooms: dict[str, Doc], named: set[str], ended: set[str], depth: int = 0
) -> bool:
    """Public through and through, or named in the settings.

    A channel of a private team and a discussion below a private room are as private as these. A
    room whose team or parent we cannot see counts as private, unless the parent was public when it
    was deleted.
    """
    room = rooms.get(rid)
    if room is None or depth > _DEEPEST:
        return rid in ended
    if rid in named:
        return True
    public = bool(room["t"] == "c")
    above = _above(room, rooms)
    if room.get("prid") and not public:
        if above in ended or rooms.get(str(above), {}).get("t") == "c":
            return False  # people of their own within a public channel
    elif above is None:
        return public
    return _may_be_read(str(above), rooms, named, ended, depth + 1)


def _above(room: Doc, rooms: dict[str, Doc]) -> str | None:
    """Id of the room this one is as private as; empty if we cannot see it; null if there is none.
    A team's groups are as private as they say themselves."""
    if room.get("prid"):
        return str(room["prid"])
    if room["t"] == "c" and room.get("teamId") and not room.get("teamMain"):
        return _team_room(room["teamId"], rooms.values())
    return None


def _is_adrift(rid: str, rooms: dict[str, Doc]) -> bool:
    """Whether a room and all we see above it are public, and something above cannot be seen."""
    above: str | None = rid
    for _ in range(_DEEPEST + 1):
        room = rooms.get(str(above))
        if room is None:
            return True
        if room["t"] != "c":
            return False
        above = _above(room, rooms)
        if above is None:
            return False
    return True


def _team_room(team_id: str, rooms: Iterable[Doc]) -> str:
    """Id of the room that is the team itself; empty if we cannot see it."""
    return next(
        (str(r["_id"]) for r in rooms if r.get("teamMain") and r.get("teamId") == team_id), ""
    )
