"""The planted cases of `texts/planted.yaml` as steps, and the places everything happens in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pipeline.sandbox.community.steps import (
    HISTORY_DAYS,
    NIGHT_ONE,
    Line,
    Ref,
    Step,
    chat_id,
    hours,
    texts,
    thread,
)

CATEGORIES = {
    "support": "Support",
    "showcase": "Showcase",
    "development": "Development",
    "feedback": "Feedback",
    "chinese": "中文",
    "staff": "Staff",
}
FORUM_CHANNELS = {  # of the forum's chat: its category, and whether it has threads
    "porch": ("showcase", False),
    "bench": ("development", True),
    "counter": ("staff", False),
}
PRIVATE_WORDS = {
    "saffronwick": "a private message of the forum",
    "tamarackvale": "the staff's category",
    "osprelith": "a whisper",
    "quillhaven": "a channel of the staff's category",
    "velloquay": "a private group of the chat",
    "brindlemoor": "a direct message of the chat",
}
_OPENING = NIGHT_ONE - timedelta(days=HISTORY_DAYS, minutes=5)


def places() -> Iterator[Step]:
    """Categories, the channels of the forum's chat, and rooms."""
    for number, (slug, name) in enumerate(CATEGORIES.items()):
        args = {"name": name, "slug": slug, "read_restricted": slug == "staff"}
        at = _OPENING + timedelta(seconds=number)
        yield Step(at, "forum", "add_category", args, slug)
    for number, (name, (slug, threads)) in enumerate(FORUM_CHANNELS.items()):
        args = {"name": name, "category_id": Ref("category", slug), "threads": threads}
        at = _OPENING + timedelta(seconds=20 + number)
        yield Step(at, "forum", "chat_channel", args, name)
    for number, room in enumerate(texts("chat")["rooms"]):
        args = {"name": room["name"], "t": room.get("t", "c"), "id": chat_id("room", room["name"])}
        members = [Ref("user", name) for name in room.get("members", ())]
        args |= {"members": members} if members else {}
        if "parent" in room:
            args["prid"] = Ref("room", room["parent"])
        if "team" in room:
            args |= {"team_id": chat_id("team", room["team"])}
            args |= {"team_main": True} if room.get("team_main") else {}
        args |= {"encrypted": True} if room.get("encrypted") else {}
        # Rooms with members open when these have joined.
        opened = _OPENING + timedelta(days=7 if members else 0, seconds=30 + number)
        yield Step(opened, "chat", "add_room", args, room["name"])


def planted_steps() -> Iterator[Step]:
    """All planted cases of all nights."""
    book = texts("planted")
    for case in book["forum"]:
        yield from _forum_case(case)
    for case in book["private"]:
        args = {"user_id": Ref("user", case["by"]), "title": case["title"], "raw": case["text"]}
        args["to_user_ids"] = [Ref("user", name) for name in case["to"]]
        yield Step(hours(case["night"], case["h"]), "forum", "private_message", args, case["name"])
    for act in book["people"]:
        yield from _people_act(act)
    for case in book["chat"]:
        yield from _chat_case(case)
    for case in book["forum_chat"]:
        yield from _forum_chat_case(case)


def _forum_case(case: dict[str, Any]) -> Iterator[Step]:
    name, n = case["name"], case["night"]
    lines = [
        Line(post["by"], hours(n, post["h"]), post["text"].strip("\n"), marks, post.get("to"))
        for post, marks in zip(case["posts"], _marks(case), strict=True)
    ]
    yield from thread(name, case["place"], case["title"], case["kind"], lines)
    for act in case.get("acts", ()):
        subject = f"{name}#{act['post']}" if act["do"] == "flag" else ""
        do, args = _forum_act(name, act)
        yield Step(hours(n, act["h"]), "forum", do, args, subject, tuple(act.get("marks", ())))


def _marks(case: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The marks of each post; a reply by another human is an answer or a comment besides."""
    role, asker = "comment" if case["kind"] == "talk" else "answer", case["posts"][0]["by"]
    for post in case["posts"]:
        marks = tuple(post.get("marks", ()))
        yield marks if post["by"] == asker or "bot" in marks else (*marks, role)


def _forum_act(name: str, act: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Method and arguments of an act on the thread `name`."""
    do, args = act["do"], dict[str, Any]()
    if "posts" in act:
        args["post_ids"] = [Ref("post", f"{name}#{number}") for number in act["posts"]]
        args["to_topic_id"] = Ref("topic", act["to"])
    elif "post" in act:
        kind = "reviewable" if do == "review" else "post"
        args[f"{kind}_id"] = Ref(kind, f"{name}#{act['post']}")
    else:
        args["topic_id"] = Ref("topic", name)
    if "by" in act:
        args["user_id" if do in ("like", "unlike", "flag") else "by"] = Ref("user", act["by"])
    if do == "recategorise":
        args["category_id"] = Ref("category", act["to"])
    return do, args | {
        word: act[word] for word in ("kind", "raw", "status", "title") if word in act
    }


def _people_act(act: dict[str, Any]) -> Iterator[Step]:
    at, who, do = hours(act["night"], act["h"]), Ref("user", act["who"]), act["do"]
    if do == "merge_users":
        args: dict[str, Any] = {"from_id": who, "into_id": Ref("user", act["into"])}
    else:
        args = {"user_id": who} | ({"username": act["username"]} if "username" in act else {})
    yield Step(at, "forum", do, args)
    if do in ("rename_user", "delete_user"):
        yield Step(at + timedelta(minutes=9), "chat", do, args)


def _chat_case(case: dict[str, Any]) -> Iterator[Step]:
    name, n = case["name"], case["night"]
    for number, message in enumerate(case["messages"], start=1):
        args = {"rid": Ref("room", case["room"]), "user_id": Ref("user", message["by"])}
        args |= {"msg": message["text"]} | ({"t": message["t"]} if "t" in message else {})
        args |= {"tmid": Ref("message", f"{name}#1")} if message.get("thread") else {}
        question = (f"question:{message['question']}",) if "question" in message else ()
        at = hours(n, message["h"])
        yield Step(
            at, "chat", "post", args, f"{name}#{number}", (*question, *message.get("marks", ()))
        )
        for k, emoji in enumerate(message.get("reactions", ()), start=1):
            fan = {"mid": Ref("message", f"{name}#{number}"), "user_id": Ref("user", "anouk")}
            yield Step(at + timedelta(minutes=k), "chat", "react", fan | {"emoji": f":{emoji}:"})
    for act in case.get("acts", ()):
        yield _chat_act(case, act)


def _chat_act(case: dict[str, Any], act: dict[str, Any]) -> Step:
    at = hours(case["night"], act["h"])
    if act["do"] == "prune":
        args = {"rid": Ref("room", case["room"]), "before": at - timedelta(days=act["days"])}
        return Step(at, "chat", "prune", args)
    args = {"mid": Ref("message", f"{case['name']}#{act['message']}")}
    match act["do"]:
        case "edit":
            args |= {"msg": act["text"]}
        case "delete":
            args |= {"by": Ref("user", act["by"])}
        case "report":
            args |= {"user_id": Ref("user", act["by"]), "description": act["description"]}
        case "unreact":
            args |= {"user_id": Ref("user", "anouk"), "emoji": f":{act['emoji']}:"}
    return Step(at, "chat", act["do"], args)


def _forum_chat_case(case: dict[str, Any]) -> Iterator[Step]:
    name, n = case["name"], case["night"]
    for number, message in enumerate(case["messages"], start=1):
        args = {"channel_id": Ref("chat_channel", case["channel"]), "message": message["text"]}
        args |= {"user_id": Ref("user", message["by"])}
        if "to" in message:
            args["reply_to"] = Ref("chat_message", f"{name}#{message['to']}")
        yield Step(hours(n, message["h"]), "forum", "chat", args, f"{name}#{number}")
    for act in case.get("acts", ()):
        args = {"message_id": Ref("chat_message", f"{name}#{act['message']}")}
        if "by" in act:
            args["user_id" if act["do"] == "react" else "by"] = Ref("user", act["by"])
        args |= {"emoji": act["emoji"]} if "emoji" in act else {}
        args |= {"message": act["text"]} if "text" in act else {}
        yield Step(hours(n, act["h"]), "forum", f"chat_{act['do']}", args)
