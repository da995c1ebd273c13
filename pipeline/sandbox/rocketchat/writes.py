"""The workspace's writing endpoints: what a digest, a moderator and a test do over HTTP."""

from __future__ import annotations

import hashlib

from pipeline.sandbox.rocketchat.protocol import Call, Refusal, Route, to_ms
from pipeline.sandbox.rocketchat.rights import can_access
from pipeline.sandbox.rocketchat.workspace import Doc

_IMPERSONATION = ("alias", "avatar", "emoji")
_MESSAGE_FIELDS = {"rid", "msg", "_id", "tmid", "tshow", "attachments", "blocks", "customFields"}


def post_message(call: Call) -> Doc:
    """Posts to a room by id, `#name` or `@user`. A second call posts a second message."""
    values = call.values
    target = str(values.get("roomId") or values.get("channel"))
    room = _room_by_name(call, target)
    _may_write(call, room, values.get("text", ""), values)
    mid = call.workspace.post(
        room["_id"],
        call.user_id,
        values.get("text", ""),
        call.now,
        tmid=values.get("tmid"),
        groupable=False,
        **{name: values[name] for name in ("attachments", *_IMPERSONATION) if name in values},
    )
    message = call.workspace.messages[mid]
    return {"ts": to_ms(call.now), "channel": target, "message": message}


def send_message(call: Call) -> Doc:
    """Posts with an id of the client's making. An id that exists inserts nothing, and the server
    trips over its own empty result."""
    message = call.values["message"]
    if not isinstance(message, dict) or message.keys() - _MESSAGE_FIELDS - set(_IMPERSONATION):
        raise Refusal("Match error: Unknown key in message", "invalid-params")
    room = call.workspace.rooms.get(message.get("rid", ""))
    if room is None or not can_access(call.workspace, room, call.user_id):
        raise Refusal("Not allowed", "error-not-allowed")
    _may_write(call, room, message.get("msg", ""), message)
    if message.get("_id") in call.workspace.messages:
        raise Refusal("Cannot read properties of undefined (reading '_id')")
    extra = ("tshow", "attachments", "customFields", *_IMPERSONATION)
    mid = call.workspace.post(
        room["_id"],
        call.user_id,
        message.get("msg", ""),
        call.now,
        tmid=message.get("tmid"),
        id=message.get("_id"),
        **{name: message[name] for name in extra if name in message},
    )
    return {"message": call.workspace.messages[mid]}


def update(call: Call) -> Doc:
    message = _own_message(call)
    call.workspace.edit(message["_id"], call.values["text"], call.now, call.user_id)
    return {"message": message}


def delete(call: Call) -> Doc:
    message = _own_message(call)
    call.workspace.delete(message["_id"], call.user_id, call.now)
    about = {"_id": message["_id"], "rid": message["rid"], "u": message["u"]}
    return {"_id": message["_id"], "ts": str(to_ms(call.now)), "message": about}


def react(call: Call) -> Doc:
    """Toggles, unless `shouldReact` says which state is wanted."""
    message = call.message("messageId")
    emoji = f":{str(call.values.get('emoji') or call.values.get('reaction')).strip(':')}:"
    username = call.workspace.users[call.user_id]["username"]
    held = username in message.get("reactions", {}).get(emoji, {}).get("usernames", ())
    wanted = call.values.get("shouldReact", not held)
    change = call.workspace.react if wanted else call.workspace.unreact
    change(message["_id"], call.user_id, emoji, call.now)
    return {}


def login(call: Call) -> Doc:
    """A session for a user: the sandbox's password is the user's name."""
    name = str(call.values.get("user", ""))
    user = next((u for u in call.workspace.users.values() if u["username"] == name), None)
    if user is None or call.values.get("password") != name:
        refusal = Refusal("Unauthorized", status=401)
        refusal.body |= {"status": "error", "message": "Unauthorized"}
        raise refusal
    token = hashlib.sha256(f"session {user['_id']}".encode()).hexdigest()[:43]
    call.workspace.tokens[token] = user["_id"]
    return {"status": "success", "data": {"userId": user["_id"], "authToken": token, "me": user}}


def _room_by_name(call: Call, target: str) -> Doc:
    workspace = call.workspace
    room = workspace.rooms.get(target) or next(
        (r for r in workspace.rooms.values() if r.get("name") == target.removeprefix("#")), None
    )
    if room is None or not can_access(workspace, room, call.user_id):
        raise Refusal("The channel provided is not valid", "invalid-channel")
    return room


def _may_write(call: Call, room: Doc, text: str, values: Doc) -> None:
    if len(text) > call.workspace.switches.max_message:
        raise Refusal("Message size exceeds Message_MaxAllowedSize", "error-message-size-exceeded")
    if set(values) & set(_IMPERSONATION) and not call.may("message-impersonate"):
        raise Refusal("Not enough permission")
    if (room["ro"] or room["archived"]) and not call.may("post-readonly"):
        raise Refusal("You can't send messages because the room is readonly.")


def _own_message(call: Call) -> Doc:
    message = call.workspace.messages.get(call.values["msgId"])
    if message is None:
        raise Refusal(f'No message found with the id of "{call.values["msgId"]}".')
    if message["rid"] != call.values["roomId"]:
        raise Refusal("The room id provided does not match where the message is from.")
    own = message["u"]["_id"] == call.user_id
    if not own and not call.may("force-delete-message"):
        raise Refusal("Not authorized", "error-action-not-allowed")
    return message


WRITES: dict[str, Route] = {
    "login": Route(login, "user password resume code", anonymous=True),
    "chat.postMessage": Route(
        post_message,
        "roomId channel text alias emoji avatar attachments:any tmid customFields:any"
        " parseUrls:any",
    ),
    "chat.sendMessage": Route(send_message, "message*:any previewUrls:any", limit=(5, 1_000)),
    "chat.update": Route(update, "roomId* msgId* text* previewUrls:any customFields:any"),
    "chat.delete": Route(delete, "msgId* roomId* fileId asUser:any"),
    "chat.react": Route(react, "messageId* emoji reaction shouldReact:any"),
}
