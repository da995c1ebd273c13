"""What holds at a night, known from the script alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.community.planted import PRIVATE_WORDS
from pipeline.sandbox.community.script import script
from pipeline.sandbox.community.steps import Step, chat_id, texts


@dataclass(frozen=True)
class Truth:
    """Forum ids are numbers, chat ids texts. Topics deleted or private are in no set but
    `deleted_topics` and `private_topics`.

    Every public question of the forum is in exactly one of `unanswered`, `me_too`,
    `self_answered`, `asked_back`, `stale` and `answered`. Every question of the chat's channels
    is in `chat_unanswered` or `chat_answered`.
    """

    unanswered: frozenset[int]  # no post of a human but the asker, not solved by the asker
    bot_only: frozenset[int]  # of these: a bot has replied
    newcomers_waiting: frozenset[int]  # of these: the asker's first public post
    me_too: frozenset[int]  # nobody has replied but people with the same problem
    self_answered: frozenset[int]
    asked_back: frozenset[int]  # a helper wants to know more and the asker has not come back
    stale: frozenset[int]  # helped, but the asker spoke last and is still stuck
    answered: frozenset[int]
    solved: frozenset[int]  # of these: an answer is accepted
    thanked: frozenset[int]  # of these: the asker says that it is solved
    no_question: frozenset[int]  # talk that asks nobody for help
    sour: Mapping[int, int]  # topic -> the post where the tone changed
    toxic: frozenset[int]  # posts, hidden ones too
    innocent: frozenset[int]  # posts with bad words that are quoted or technical
    hostile: frozenset[int]  # posts whose text attacks those who show it
    hidden: frozenset[int]  # posts hidden after reports
    deleted_topics: frozenset[int]
    deleted_posts: frozenset[int]  # in topics that stand; taken back by their authors too
    private_topics: frozenset[int]  # private messages, and topics of restricted categories
    chat_unanswered: frozenset[str]
    chat_answered: Mapping[str, str]  # question -> thread, mention or next
    chat_sour: Mapping[str, str]  # thread's first message -> where the tone changed
    chat_toxic: frozenset[str]
    chat_deleted: frozenset[str]  # deleted or hidden messages, pruned ones apart
    asked_twice: Mapping[int, str]  # topic -> the same question in the chat
    private_words: Mapping[str, str]  # planted word -> the only place where it may occur
    bots: frozenset[str]  # user names


@dataclass
class _Post:
    id: int
    by: int
    marks: tuple[str, ...]
    deleted: bool = False


@dataclass
class _Topic:
    kind: str
    asker: int
    category: int
    posts: list[_Post]
    first_ever: bool
    deleted: bool = False
    accepted: set[int] = field(default_factory=set)

    def state(self, bots: set[int]) -> str:
        """Which of the sets of questions this one belongs to."""
        said = [p for p in self.posts if not p.deleted and "whisper" not in p.marks]
        others = [p for p in said if p.by != self.asker and p.by not in bots]
        if any("self_answer" in post.marks for post in said):
            return "self_answered"
        if not others:
            return "unanswered"
        if all("me_too" in post.marks for post in others):
            return "me_too"
        human = [post for post in said if post.by not in bots]
        if not self.accepted and "ask_back" in human[-1].marks:
            return "asked_back"
        if not self.accepted and "still_stuck" in human[-1].marks:
            return "stale"
        return "answered"


def truth(n: int) -> Truth:
    """What holds when night n runs."""
    forum = _Forum()
    for step in script(n):
        if step.site == "forum":
            forum.see(step)
    known: dict[str, Any] = forum.questions() | forum.rest()
    known |= _chat_truth([step for step in script(n) if step.site == "chat"])
    return Truth(
        **known,
        asked_twice=_asked_twice(forum),
        private_words=PRIVATE_WORDS,
        bots=frozenset(e["username"] for r in ("bots", "chat_bots") for e in texts("people")[r]),
    )


class _Forum:
    """The forum as the script leaves it."""

    def __init__(self) -> None:
        self.topics: dict[int, _Topic] = {}
        self.posts: dict[int, tuple[_Topic, _Post]] = {}
        self.names: dict[str, int] = {}
        self.bots: set[int] = set()
        self.staff = 0
        self.hidden: set[int] = set()
        self.messages: set[int] = set()
        self._spoke: set[int] = set()

    def see(self, step: Step) -> None:
        """Take in what one step changes."""
        args, marks = step.args, step.marks
        match step.do:
            case "add_user" if any(e["username"] == step.makes for e in texts("people")["bots"]):
                self.bots.add(args["id"])
            case "add_category" if args["read_restricted"]:
                self.staff = args["id"]
            case "create_topic":
                post = _Post(args["post_id"], args["user_id"], marks)
                first = post.by not in self._spoke
                topic = _Topic(marks[0], post.by, args["category_id"], [post], first)
                self.topics[args["id"]], self.posts[post.id] = topic, (topic, post)
                self.names[step.makes] = args["id"]
                self._spoke.add(post.by)
            case "reply":
                post, topic = (
                    _Post(args["id"], args["user_id"], marks),
                    self.topics[args["topic_id"]],
                )
                topic.posts.append(post)
                self.posts[post.id] = (topic, post)
                self._spoke.add(post.by)
            case "private_message":
                self.messages.add(args["id"])
            case "destroy_topic":
                del self.topics[args["topic_id"]]
            case "move_posts":
                self._move(args["post_ids"], self.topics[args["to_topic_id"]])
            case _:
                self._change(step.do, args, marks)

    def _change(self, do: str, args: Mapping[str, Any], marks: tuple[str, ...]) -> None:
        topic, post = self.posts.get(args.get("post_id", 0), (None, None))
        if do in ("delete_topic", "recover_topic"):
            self.topics[args["topic_id"]].deleted = do == "delete_topic"
        elif do == "recategorise":
            self.topics[args["topic_id"]].category = args["category_id"]
        elif post and topic:
            if do in ("delete_post", "recover_post"):
                post.deleted = do == "delete_post"
            elif do == "accept":
                topic.accepted.add(post.id)
            elif do == "unaccept":
                topic.accepted.discard(post.id)
            elif do == "hide_post":
                self.hidden.add(post.id)
            elif do == "edit":
                post.marks += marks

    def _move(self, ids: list[int], target: _Topic) -> None:
        for post_id in ids:
            topic, post = self.posts[post_id]
            topic.posts.remove(post)
            target.posts.append(post)
            self.posts[post_id] = (target, post)

    def questions(self) -> dict[str, Any]:
        """The sets of topics that partition the questions, and their subsets."""
        states = {id_: topic.state(self.bots) for id_, topic in self._public("question")}
        sets = {
            state: frozenset(id_ for id_, its in states.items() if its == state)
            for state in (
                "unanswered",
                "me_too",
                "self_answered",
                "asked_back",
                "stale",
                "answered",
            )
        }

        def among(state: str, holds: Any) -> frozenset[int]:
            return frozenset(id_ for id_ in sets[state] if holds(self.topics[id_]))

        sets["bot_only"] = among("unanswered", lambda t: any(p.by in self.bots for p in t.posts))
        sets["newcomers_waiting"] = among("unanswered", lambda t: t.first_ever)
        sets["solved"] = among("answered", lambda t: t.accepted)
        sets["thanked"] = among("answered", lambda t: any("thanks" in p.marks for p in t.posts))
        return sets

    def rest(self) -> dict[str, Any]:
        """Everything else the script knows of the forum."""
        public = [topic for _, topic in self._public("question", "talk")]

        def marked(mark: str) -> frozenset[int]:
            posts = (post for topic in public for post in topic.posts if not post.deleted)
            return frozenset(post.id for post in posts if mark in post.marks)

        standing = {id_: topic for id_, topic in self.topics.items() if not topic.deleted}
        turns = {
            id_: post.id
            for id_, topic in standing.items()
            for post in topic.posts
            if "turn" in post.marks
        }
        return {
            "no_question": frozenset(id_ for id_, _ in self._public("talk")),
            "sour": turns,
            "toxic": marked("toxic"),
            "innocent": marked("innocent"),
            "hostile": marked("hostile"),
            "hidden": frozenset(self.hidden),
            "deleted_topics": frozenset(self.topics.keys() - standing.keys()),
            "deleted_posts": frozenset(
                post.id for topic in standing.values() for post in topic.posts if post.deleted
            ),
            "private_topics": self.messages
            | {id_ for id_, topic in standing.items() if topic.category == self.staff},
        }

    def _public(self, *kinds: str) -> Iterable[tuple[int, _Topic]]:
        for id_, topic in self.topics.items():
            if topic.kind in kinds and not topic.deleted and topic.category != self.staff:
                yield id_, topic


def _chat_truth(steps: list[Step]) -> dict[str, Any]:
    """What the script knows of the chat's channels."""
    private = {chat_id("room", r["name"]) for r in texts("chat")["rooms"] if r.get("t", "c") != "c"}
    # A deleted account takes its messages along, as this server is set.
    left = {step.args["user_id"] for step in steps if step.do == "delete_user"}
    posts = [
        step
        for step in steps
        if step.do == "post"
        and step.args["rid"] not in private
        and step.args["user_id"] not in left
    ]
    gone = {step.args["mid"] for step in steps if step.do in ("delete", "hide")}
    questions = {
        str(step.args["id"]): mark.removeprefix("question:")
        for step in posts
        for mark in step.marks
        if mark.startswith("question:") and step.args["id"] not in gone
    }
    answers = {step.args.get("tmid") for step in posts}
    waiting = {
        id_
        for id_, how in questions.items()
        if how == "none" or (how == "thread" and id_ not in answers)
    }
    return {
        "chat_unanswered": frozenset(waiting),
        "chat_answered": {id_: how for id_, how in questions.items() if id_ not in waiting},
        "chat_sour": {s.args["tmid"]: s.args["id"] for s in posts if "turn" in s.marks},
        "chat_toxic": frozenset(s.args["id"] for s in posts if "toxic" in s.marks),
        "chat_deleted": frozenset(gone),
    }


def _asked_twice(forum: _Forum) -> dict[int, str]:
    topic = forum.names.get("both_places")
    return {topic: chat_id("message", "same_question#1")} if topic else {}
