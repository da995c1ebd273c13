"""What reading costs. Requests and bytes are exact; seconds are of this machine.

A forum of 36,990 invented posts is read by both ways in, and a workspace of 53,000 messages in twelve
rooms: the first fill, a night in which nothing happened, and one with three hundred changes.
"""

import os
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import steps
from pipeline.classify import Judge, Message
from pipeline.sandbox import community, server
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import Forum, Limits, Switches, app, big_forum
from pipeline.sandbox.rocketchat.app import chat_app
from pipeline.sandbox.rocketchat.workspace import Workspace
from tests.conftest import ONE_SOURCE, environment

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
POSTS, EACH, MESSAGES, ROOMS = 36_990, 7, 53_000, 12


def main():
    print(f"{'':44}{'requests':>10}{'MB':>8}{'fetch s':>9}{'load+build s':>14}")
    for way_in, who_liked in (("data_explorer", True), ("rest", False), ("rest", True)):
        bench_forum(way_in, who_liked)
    print(f"{'forum, one request a topic and a further post':44}{POSTS:>10,}")
    bench_chat()
    bench_judge()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process, servers included: {peak:,.0f} MB")


def bench_forum(way_in, who_liked):
    forum = big_forum(
        POSTS, until=NOW, posts_per_topic=EACH, switches=Switches(limits=Limits.off())
    )
    clock = Clock(NOW)
    site = app(forum, clock=clock)
    liked = str(who_liked).lower()
    extra = f'requests_per_minute = 60000\nexplorer_runs_per_10_s = 1000\nway_in = "{way_in}"\nwho_liked = {liked}'
    name = f"forum, {way_in}{', who liked' if way_in == 'rest' and who_liked else ''}"
    with server.running(site) as (url, _), tempfile.TemporaryDirectory() as folder:
        write_settings(folder, "forum", "discourse", url, extra)
        night(f"{name}, first fill", site.log, 0)
        night(f"{name}, quiet night", site.log, 1)
        change_forum(forum, NOW + timedelta(hours=30))
        clock.set(NOW + timedelta(days=2))
        night(f"{name}, 300 changes", site.log, 2)


def change_forum(forum, at):
    for n in range(300):
        post, moment = 1 + n * 123, at + timedelta(seconds=n)
        if n % 2 == 0:
            forum.reply(1 + n * 17, 1 + n, "This is what changed in the night, a reply.", moment)
        elif n % 4 == 1:
            forum.edit(post, f"This is what changed in the night, edit {n}.", moment)
        else:
            forum.like(post, 1 + n, moment)


def bench_chat():
    chat = Workspace()
    chat.switches.limiter = False
    people = [chat.add_user(f"user{n}", f"User {n}", NOW - timedelta(days=400)) for n in range(50)]
    rooms = [chat.add_room(f"room{n}", NOW - timedelta(days=400)) for n in range(ROOMS)]
    messages = [
        chat.post(
            rooms[n % ROOMS],
            people[n % 50],
            f"message number {n}",
            NOW - timedelta(minutes=10 * (MESSAGES - n)),
        )
        for n in range(MESSAGES)
    ]
    clock = Clock(NOW)
    served = chat_app(chat, clock)
    with server.running(None, served) as (_, url), tempfile.TemporaryDirectory() as folder:
        write_settings(folder, "chat", "rocketchat", url, "")
        night("chat, first fill", served.state.log, 0)
        night("chat, quiet night", served.state.log, 1)
        for n in range(300):
            at = NOW + timedelta(hours=30, seconds=n)
            chat.post(rooms[n % ROOMS], people[n % 50], "new", at) if n % 2 else chat.edit(
                messages[n * 100], "edited", at
            )
        clock.set(NOW + timedelta(days=2))
        night("chat, 300 changes", served.state.log, 2)


def bench_judge():
    """Posts judged a second of one core, text cleaning included, over the sandbox's own forum."""
    forum = Forum()
    community.play(forum, Workspace(), through=2)
    posts = [
        Message("forum", str(n), str(n), "ann", NOW, row["cooked"], "html", is_first=n % EACH == 0)
        for n, row in enumerate(forum.read("SELECT cooked FROM posts"))
    ] * 10
    judge = Judge(("en", "zh"))
    list(judge.score(posts[:500]))
    began = time.process_time()
    list(judge.score(posts))
    rate = len(posts) / (time.process_time() - began)
    size = sum(len(post.body) for post in posts) / len(posts)
    print(f"\nposts judged a second of one core (of {size:,.0f} characters): {rate:,.0f}")


def write_settings(folder, name, platform, url, extra):
    file = Path(folder) / "hearth.toml"
    file.write_text(
        ONE_SOURCE.format(home=folder, name=name, platform=platform, url=url, extra=extra)
    )
    os.environ |= environment(file)


def night(name, log, day):
    before, began = len(log), time.perf_counter()
    planned = steps.plan(as_of=(NOW + timedelta(days=day)).isoformat())
    size = 0
    for unit in planned["units"]:
        size += steps.extract(planned["night"], unit)["bytes"]
    fetched = time.perf_counter()
    steps.load(planned["night"])
    steps.build(planned["night"])
    built = time.perf_counter()
    print(
        f"{name:44}{len(log) - before:>10,}{size / 1e6:>8.1f}{fetched - began:>9.1f}{built - fetched:>14.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
