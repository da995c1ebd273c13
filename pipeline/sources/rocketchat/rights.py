"""What the account may do, and what it should and should not be allowed to."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.sources.rocketchat.client import Client, Doc, Refused, rows_of

NEEDED = {
    "view-c-room": "read public channels",
    "view-d-room": "list users",
    "view-room-administration": "list channels of teams and discussions nobody has invited it to",
    "view-full-other-user-info": "see users' roles",
    "view-moderation-console": "read reports and what became of them",
    "view-statistics": "see the exact version",
}
VITAL = ("view-c-room", "view-d-room")  # without these there is no chat and there are no people
PACE = "api-bypass-rate-limit"
FOR_GROUPS = "view-p-room"
HARMFUL = {
    "view-joined-room": "it closes channels the account has not joined; a bot role brings it",
    "force-delete-message": "reading needs no power to delete",
    "manage-moderation-actions": "reading needs no power to dismiss reports",
    "access-permissions": "reading needs no power over permissions",
    "view-privileged-setting": "reading needs no view of the server's secrets",
}
_STREAMS = {"messages": "view-c-room", "users": "view-d-room", "reports": "view-moderation-console"}
_SHOWS = {
    "view-c-room": "channels.list",
    "view-d-room": "users.list",
    "view-moderation-console": "moderation.reportsByUsers",
}


@dataclass(frozen=True, slots=True)
class Rights:
    """Permissions of our account, from its roles; `me` is its own user document.

    `told`: whether the server says what a role grants. If not, only what a try shows is known.
    """

    me: Doc
    held: frozenset[str]
    told: bool = True

    @staticmethod
    def ask(client: Client) -> Rights:
        """Two requests: who we are, and which roles grant what. Where the server does not say,
        one try for each permission we cannot do without."""
        me = client.get("me").value
        roles = set(me.get("roles") or ())
        try:
            granted = rows_of(client.get("permissions.listAll"), "update", "_id") if roles else []
        except Refused:
            granted = []
        if not granted:
            return Rights(me, frozenset(p for p in _SHOWS if _shown(client, p)), told=False)
        return Rights(me, frozenset(p["_id"] for p in granted if roles & set(p.get("roles", ()))))

    def lack(self, stream: str) -> str | None:
        """Null, or why a stream cannot be read, in an operator's words."""
        reason = self._lack(_STREAMS[stream])
        return reason and f"{stream}, because {reason}"

    def lack_rooms(self) -> str | None:
        """Null, or why public rooms that are there cannot be read."""
        return self._lack(_STREAMS["messages"])

    def lack_groups(self) -> str | None:
        """Null, or why private groups cannot be read that the account belongs to."""
        if not self.told or self.held & {FOR_GROUPS, "view-joined-room"}:
            return None
        return self._lack(FOR_GROUPS)

    def _lack(self, permission: str) -> str | None:
        if permission in self.held:
            return None
        return f"the account's roles do not grant {permission}; add it to the account's role"


def _shown(client: Client, permission: str) -> bool:
    """Whether what needs this permission answers us."""
    try:
        client.get(_SHOWS[permission], count=1)
    except Refused:
        return False
    return True
