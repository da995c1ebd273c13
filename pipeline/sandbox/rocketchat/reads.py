"""The workspace's reading endpoints, as far as an extractor and its operator meet them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipeline.sandbox.rocketchat.protocol import EPOCH, Call, Refusal, Route, parse_date, to_ms
from pipeline.sandbox.rocketchat.rights import can_access, can_preview
from pipeline.sandbox.rocketchat.workspace import Doc


def info(call: Call) -> Doc:
    version = call.workspace.switches.version
    if not call.user_id or not call.may("view-statistics"):
        return {"version": ".".join(version.split(".")[:2])}
    return {"version": version, "info": {"version": version}}


def me(call: Call) -> Doc:
    return {**call.workspace.users[call.user_id], "settings": {"preferences": {}}}


def settings_public(call: Call) -> Doc:
    switches = call.workspace.switches
    shown = {
        "Message_KeepHistory": switches.keep_history,
        "Message_ShowDeletedStatus": switches.show_deleted,
        "Message_MaxAllowedSize": switches.max_message,
        "Threads_enabled": switches.threads,
        "UI_Use_Real_Name": switches.real_names,
        "API_Upper_Count_Limit": switches.upper_count,
    }
    return call.page("settings", [{"_id": name, "value": shown[name]} for name in sorted(shown)])


def permissions_all(call: Call) -> Doc:
    held = sorted({p for granted in call.workspace.roles.values() for p in granted})
    rows = [
        {"_id": p, "roles": [r for r, g in call.workspace.roles.items() if p in g]} for p in held
    ]
    return {"update": rows, "remove": []}


def statistics(call: Call) -> Doc:
    workspace = call.workspace
    return {"totalUsers": len(workspace.users), "totalMessages": len(workspace.messages)}


def admin_rooms(call: Call) -> Doc:
    if not call.may("view-room-administration"):
        raise Refusal("Not authorized", "error-not-authorized")
    types = set(call.values.get("types", ("c", "p", "d")))
    rows = [room for room in call.workspace.rooms.values() if _kind(room) & types]
    hidden = ("lm", "_updatedAt", "lastMessage", "encrypted")
    rows = [{k: v for k, v in room.items() if k not in hidden} for room in rows]
    return call.page("rooms", sorted(rows, key=lambda room: room.get("name", "")))


def _kind(room: Doc) -> set[str]:
    """What the room counts as in `types`: team rooms and discussions only by that name."""
    if room.get("teamMain"):
        return {"teams"}
    return {"discussions"} if room.get("prid") else {room["t"]}


def rooms_get(call: Call) -> Doc:
    since = call.date("updatedSince", EPOCH)
    workspace = call.workspace
    mine = [
        r for r in workspace.rooms.values() if (r["_id"], call.user_id) in workspace.subscriptions
    ]
    return {
        "update": [room for room in mine if room["_updatedAt"] > since],
        "remove": [row for row in workspace.removed_rooms if row["_deletedAt"] > since],
    }


def rooms_info(call: Call) -> Doc:
    rooms, name = call.workspace.rooms, call.values.get("roomName")
    room = rooms.get(call.values.get("roomId", "")) or next(
        (r for r in rooms.values() if name is not None and r.get("name") == name), None
    )
    if room is None:
        raise _unknown_room("channel")
    if not can_access(call.workspace, room, call.user_id):
        refusal = Refusal("not-allowed")
        refusal.body["errorType"] = "Not Allowed"
        raise refusal
    return {"room": room}


def channels_list(call: Call) -> Doc:
    rooms = call.workspace.rooms.values()
    rows = [r for r in rooms if r["t"] == "c" and (not r.get("teamId") or _is_member(call, r))]
    return call.page("channels", sorted(rows, key=lambda room: room["name"]))


def channels_info(call: Call) -> Doc:
    room = call.workspace.rooms.get(call.values["roomId"])
    if room is None or room["t"] != "c" or not can_access(call.workspace, room, call.user_id):
        raise _unknown_room("channel")
    return {"channel": room}


def groups_list(call: Call) -> Doc:
    rows = [r for r in call.workspace.rooms.values() if r["t"] == "p" and _is_member(call, r)]
    return call.page("groups", rows)


def groups_list_all(call: Call) -> Doc:
    return call.page("groups", [r for r in call.workspace.rooms.values() if r["t"] == "p"])


def room_messages(kind: str) -> Any:
    """`channels.messages` or `groups.messages`: all messages, thread replies and system ones too.
    Before 8.8 hidden copies of edited messages are among them."""

    def messages(call: Call) -> Doc:
        room = _readable(call, kind)
        rows = list(call.workspace.by_room[room["_id"]].values())
        if call.workspace.switches.at_least(8, 8):
            rows = [message for message in rows if not message.get("_hidden")]
        call.values.setdefault("sort", '{"ts":-1}')
        return call.page("messages", rows)

    return messages


def room_history(kind: str) -> Any:
    """`channels.history` or `groups.history`: by `ts` alone, newest first, no total."""

    def history(call: Call) -> Doc:
        room = _readable(call, kind)
        latest = call.date("latest", call.now)
        oldest = call.date("oldest", EPOCH)
        replies = call.values.get("showThreadMessages", "true" if kind == "p" else "false")
        edge = call.values.get("inclusive", "false") == "true"
        rows = [
            m
            for m in call.workspace.by_room[room["_id"]].values()
            if not m.get("_hidden")
            and (oldest < m["ts"] < latest or (edge and m["ts"] in (oldest, latest)))
            and (replies == "true" or "tmid" not in m or m.get("tshow"))
        ]
        call.values["sort"] = '{"ts":-1}'
        return {"messages": call.page("messages", rows)["messages"]}

    return history


def room_members(call: Call) -> Doc:
    room = _readable(call, "c")
    ids = [user for rid, user in call.workspace.subscriptions if rid == room["_id"]]
    names = ("_id", "username", "name", "status")
    rows = [{n: call.workspace.users[user][n] for n in names} for user in ids]
    return call.page("members", rows)


def dms_everyone(call: Call) -> Doc:
    return call.page("ims", [r for r in call.workspace.rooms.values() if r["t"] == "d"])


def dm_messages_others(call: Call) -> Doc:
    if not call.workspace.switches.read_others_dms:
        raise Refusal("This endpoint is disabled", "error-endpoint-disabled")
    if not call.may("view-room-administration"):
        raise Refusal("unauthorized", status=403)
    room = call.workspace.rooms.get(call.values["roomId"])
    if room is None or room["t"] != "d":
        raise _unknown_room("room")
    return call.page("messages", list(call.workspace.by_room[room["_id"]].values()))


def sync_messages(call: Call) -> Doc:
    """The change feed of one room. By `lastUpdate`: everything since, not paged. By cursor: pages
    in order of change, where rows that share a millisecond with a page's end are lost, and a
    deleted row that was changed before its page is too."""
    values, workspace = call.values, call.workspace
    if "lastUpdate" not in values and not workspace.switches.at_least(7, 1):
        raise Refusal(
            'The required "lastUpdate" query param is missing.',
            "error-lastUpdate-param-not-provided",
        )
    if "lastUpdate" not in values and "type" not in values:
        raise Refusal(
            'The "type" or "lastUpdate" parameters must be provided', "error-param-required"
        )
    since = _sync_date(values["lastUpdate"]) if "lastUpdate" in values else None
    rid = call.room()["_id"]
    cursors = [name for name in ("next", "previous") if name in values]
    if len(cursors) == 2:
        raise Refusal("You cannot provide both next and previous", "error-cursor-conflict")
    if cursors and since is not None:
        raise Refusal(
            "The attributes next, previous and lastUpdate cannot be used together",
            "error-cursor-and-lastUpdate-conflict",
        )
    visible = [m for m in workspace.by_room[rid].values() if not m.get("_hidden")]
    if since is not None:
        updated = [m for m in visible if m["_updatedAt"] > since]
        deleted = [t for t in workspace.trash[rid] if t["_deletedAt"] > since]
        updated.sort(key=lambda m: m["ts"], reverse=True)
        return {"result": {"updated": updated, "deleted": [_deletion(t) for t in deleted]}}
    if not cursors:
        return {"result": {"updated": [], "deleted": []}}
    updates = values["type"] == "UPDATED"
    rows, cursor = _sync_page(call, visible if updates else workspace.trash[rid], updates)
    return {
        "result": {
            "updated": rows if updates else [],
            "deleted": [] if updates else [_deletion(row) for row in rows],
            "cursor": cursor,
        }
    }


def _sync_page(call: Call, pool: list[Doc], updates: bool) -> tuple[list[Doc], Doc]:
    forward = "next" in call.values
    try:
        edge = int(call.values["next" if forward else "previous"])
    except ValueError:
        raise Refusal("Invalid Date") from None
    count = call.values.get("count") or 20  # not capped by the workspace's upper limit
    key = "_updatedAt" if updates else "_deletedAt"
    by_update = updates or call.workspace.switches.deletions_sorted_by_update
    order = "_updatedAt" if by_update else key
    rows = [r for r in pool if (to_ms(r[key]) > edge) == forward and to_ms(r[key]) != edge]
    rows.sort(key=lambda row: row[order], reverse=not forward)
    more, rows = len(rows) > count, rows[:count]
    if not rows:
        return [], {"next": None, "previous": None}
    first, last = str(to_ms(rows[0][key])), str(to_ms(rows[-1][key]))
    on = last if more else None
    return rows, {"next": on, "previous": first} if forward else {"next": first, "previous": on}


def _sync_date(text: str) -> datetime:
    try:
        return parse_date(text)
    except ValueError:
        raise Refusal(
            'The "lastUpdate" query parameter must be a valid date',
            "error-lastUpdate-param-invalid",
        ) from None


def _deletion(row: Doc) -> Doc:
    return {"_id": row["_id"], "_deletedAt": row["_deletedAt"]}


def get_message(call: Call) -> Doc:
    message = call.workspace.messages.get(call.values["msgId"])
    if message is None or message.get("_hidden"):
        raise Refusal(None)
    room = call.workspace.rooms[message["rid"]]
    if not can_access(call.workspace, room, call.user_id):
        raise Refusal("Not allowed", "error-not-allowed")
    return {"message": message}


def deleted_messages(call: Call) -> Doc:
    since = parse_date(call.values["since"])
    rows = call.workspace.trash.get(call.values["roomId"], [])
    return call.page("messages", [{"_id": r["_id"]} for r in rows if r["_deletedAt"] > since])


def threads_list(call: Call) -> Doc:
    _threads_are_on(call)
    room = call.room("rid")
    rows = [m for m in call.workspace.by_room[room["_id"]].values() if "tcount" in m]
    call.values.setdefault("sort", '{"tlm":-1}')
    return call.page("threads", rows)


def thread_messages(call: Call) -> Doc:
    _threads_are_on(call)
    root = call.workspace.messages.get(call.values["tmid"])
    if root is None or not can_access(
        call.workspace, call.workspace.rooms[root["rid"]], call.user_id
    ):
        raise Refusal("Not Allowed", "error-not-allowed")
    rows = [
        m
        for m in call.workspace.by_room[root["rid"]].values()
        if m.get("tmid") == root["_id"]
        and not (m.get("_hidden") and call.workspace.switches.at_least(8, 8))
    ]
    call.values.setdefault("sort", '{"ts":1}')
    return call.page("messages", rows)


def _threads_are_on(call: Call) -> None:
    if not call.workspace.switches.threads:
        raise Refusal("Threads Disabled", "error-not-allowed")


def users_list(call: Call) -> Doc:
    hidden = {"createdAt"} | (
        set() if call.may("view-full-other-user-info") else {"emails", "roles"}
    )
    users = call.workspace.users.values()
    return call.page("users", [{k: v for k, v in u.items() if k not in hidden} for u in users])


def users_info(call: Call) -> Doc:
    user = call.workspace.users.get(call.values["userId"])
    if user is None:
        raise Refusal("User not found.")
    return {"user": user}


def users_presence(call: Call) -> Doc:
    names = ("_id", "username", "name", "status")
    users = call.workspace.users.values()
    return {"users": [{n: user[n] for n in names} for user in users], "full": True}


def roles_list(call: Call) -> Doc:
    names = sorted(call.workspace.roles)
    return {"roles": [{"_id": n, "name": n, "scope": "Users", "_updatedAt": EPOCH} for n in names]}


def teams_all(call: Call) -> Doc:
    mains = [r for r in call.workspace.rooms.values() if r.get("teamMain")]
    rows = [
        {"_id": r["teamId"], "name": r["name"], "roomId": r["_id"], "type": int(r["t"] == "p")}
        for r in mains
    ]
    return call.page("teams", rows)


def subscriptions_get(call: Call) -> Doc:
    mine = [
        (rid, at)
        for (rid, user), at in call.workspace.subscriptions.items()
        if user == call.user_id
    ]
    return {"update": [{"rid": rid, "ls": at, "unread": 0} for rid, at in mine], "remove": []}


def _is_member(call: Call, room: Doc) -> bool:
    return (room["_id"], call.user_id) in call.workspace.subscriptions


def _readable(call: Call, kind: str) -> Doc:
    """The room of a list or history. A group is there for its members only; a channel is refused
    to a bot that has not joined it."""
    room = call.workspace.rooms.get(call.values["roomId"])
    if room is None or room["t"] != kind or (kind == "p" and not _is_member(call, room)):
        raise _unknown_room("channel" if kind == "c" else "group")
    joined_only = call.may("view-joined-room") and not _is_member(call, room)
    if kind == "c" and (joined_only or not can_preview(call.workspace, room, call.user_id)):
        raise Refusal("unauthorized", status=403)
    return room


def _unknown_room(kind: str) -> Refusal:
    text = f'The required "roomId" or "roomName" param provided does not match any {kind}'
    return Refusal(text, "error-room-not-found")


PAGE = "count:num offset:num sort query"
WINDOW = "latest oldest inclusive unreads showThreadMessages count:num offset:num sort"
ADMINISTRATION = "view-room-administration"
READS: dict[str, Route] = {
    "me": Route(me),
    "settings.public": Route(settings_public, f"_id {PAGE}"),
    "permissions.listAll": Route(permissions_all, "updatedSince"),
    "statistics": Route(statistics, "refresh", "view-statistics"),
    "rooms.adminRooms": Route(admin_rooms, f"filter types:list {PAGE}"),
    "rooms.get": Route(rooms_get, "updatedSince"),
    "rooms.info": Route(rooms_info, "roomId roomName"),
    "channels.list": Route(channels_list, f"_id {PAGE} fields", "view-c-room"),
    "channels.info": Route(channels_info, "roomId*"),
    "channels.messages": Route(
        room_messages("c"), f"roomId* mentionIds starredIds pinned {PAGE}", "view-c-room"
    ),
    "channels.history": Route(room_history("c"), f"roomId* {WINDOW}"),
    "channels.members": Route(room_members, "roomId* filter status:list count:num offset:num sort"),
    "groups.list": Route(groups_list, PAGE),
    "groups.listAll": Route(groups_list_all, PAGE, ADMINISTRATION),
    "groups.messages": Route(room_messages("p"), f"roomId* mentionIds starredIds pinned {PAGE}"),
    "groups.history": Route(room_history("p"), f"roomId* {WINDOW}"),
    "im.list.everyone": Route(dms_everyone, PAGE, ADMINISTRATION),
    "im.messages.others": Route(dm_messages_others, f"roomId* {PAGE}"),
    "chat.syncMessages": Route(
        sync_messages, "roomId* lastUpdate fromTs:date count:num next previous type:UPDATED|DELETED"
    ),
    "chat.getMessage": Route(get_message, "msgId*"),
    "chat.getDeletedMessages": Route(
        deleted_messages, "roomId* since*:date count:num offset:num sort"
    ),
    "chat.getThreadsList": Route(threads_list, f"rid* type:following|unread text {PAGE} fields"),
    "chat.getThreadMessages": Route(thread_messages, "tmid* count:num offset:num sort"),
    "users.list": Route(users_list, f"fields {PAGE} email", "view-d-room"),
    "users.info": Route(users_info, "userId* includeUserRooms fields"),
    "users.presence": Route(users_presence, "from ids:list"),
    "roles.list": Route(roles_list),
    "teams.listAll": Route(teams_all, PAGE, "view-all-teams"),
    "subscriptions.get": Route(subscriptions_get, "updatedSince"),
}
