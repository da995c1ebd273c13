"""Who may do what in the sandbox's workspace: roles, their permissions, access to rooms.

The grants are Rocket.Chat's defaults, as far as an extractor or a digest meets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.sandbox.rocketchat.workspace import Workspace

EXTRACTOR_ROLE = "extractor"  # not the server's: what Hearth asks an administrator to make
_COMMON = {"view-c-room", "view-d-room"}
DEFAULT_ROLES: dict[str, set[str]] = {
    "admin": _COMMON
    | {
        "api-bypass-rate-limit",
        "preview-c-room",
        "view-p-room",
        "view-outside-room",
        "view-room-administration",
        "view-full-other-user-info",
        "view-statistics",
        "view-user-administration",
        "access-permissions",
        "view-privileged-setting",
        "view-all-teams",
        "view-all-team-channels",
        "view-moderation-console",
        "manage-moderation-actions",
        "create-personal-access-tokens",
        "send-many-messages",
        "post-readonly",
        "force-delete-message",
    },
    "user": _COMMON
    | {"preview-c-room", "view-p-room", "view-outside-room", "create-personal-access-tokens"},
    "bot": _COMMON
    | {
        "api-bypass-rate-limit",
        "view-joined-room",
        "message-impersonate",
        "send-many-messages",
        "bypass-time-limit-edit-and-delete",
    },
    "guest": {"view-joined-room", "view-p-room", "view-d-room"},
    EXTRACTOR_ROLE: _COMMON
    | {
        "api-bypass-rate-limit",
        "preview-c-room",
        "view-p-room",
        "view-outside-room",
        "view-room-administration",
        "view-full-other-user-info",
        "view-moderation-console",
        "view-statistics",
        "view-all-teams",
        "create-personal-access-tokens",
    },
}


def permissions(workspace: Workspace, user_id: str) -> set[str]:
    """Everything the user's roles grant together."""
    found: set[str] = set()
    for role in workspace.users[user_id]["roles"]:
        found |= workspace.roles.get(role, set())
    return found


def can_access(workspace: Workspace, room: dict[str, Any], user_id: str) -> bool:
    """Whether the server lets this user see into the room (its `canAccessRoom`).

    Nobody but a member sees into a private group; being an administrator does not help.
    """
    held = permissions(workspace, user_id)
    member = (room["_id"], user_id) in workspace.subscriptions
    if room["t"] == "c" and "view-c-room" in held and _in_team(workspace, room, user_id):
        return True
    if member and ("view-joined-room" in held or f"view-{room['t']}-room" in held):
        return True
    parent = workspace.rooms.get(room.get("prid", ""))
    return parent is not None and can_access(workspace, parent, user_id)


def can_preview(workspace: Workspace, room: dict[str, Any], user_id: str) -> bool:
    """Whether lists and histories of the room are open too (its `canReadRoom`)."""
    if not can_access(workspace, room, user_id):
        return False
    member = (room["_id"], user_id) in workspace.subscriptions
    return member or room["t"] != "c" or "preview-c-room" in permissions(workspace, user_id)


def _in_team(workspace: Workspace, room: dict[str, Any], user_id: str) -> bool:
    """True outside teams, in public teams, and for members of a private team."""
    if not room.get("teamId"):
        return True
    main = next(
        (
            r
            for r in workspace.rooms.values()
            if r.get("teamMain") and r["teamId"] == room["teamId"]
        ),
        None,
    )
    return main is None or main["t"] == "c" or (main["_id"], user_id) in workspace.subscriptions
