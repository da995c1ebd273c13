"""What is private at the source leaves no trace: in no byte of any file of a night."""

import gzip

import pytest

from pipeline import steps
from pipeline.sandbox import community, server
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import Forum, Limits, Switches, app
from pipeline.sandbox.rocketchat.app import chat_app
from pipeline.sandbox.rocketchat.workspace import Workspace
from tests.conftest import TOML, environment


@pytest.mark.parametrize("way_in", ["data_explorer", "rest"])
def test_private_words_are_in_no_file(way_in, tmp_path, unchecked, monkeypatch):
    forum, chat = Forum(Switches(limits=Limits.off())), Workspace()
    community.play(forum, chat, through=2)
    clock = Clock(community.night(2))
    home = tmp_path / "home"
    with server.running(app(forum, clock=clock), chat_app(chat, clock)) as addresses:
        text = TOML.format(home=home, forum=addresses.forum, chat=addresses.chat)
        text = text.replace("explorer_runs", f'way_in = "{way_in}"\nexplorer_runs')
        (tmp_path / "hearth.toml").write_text(text)
        for name, value in environment(tmp_path / "hearth.toml").items():
            monkeypatch.setenv(name, value)
        steps.run_night(as_of=community.night(2).isoformat())
    words = community.truth(2).private_words
    assert words
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} >= {".gz", ".duckdb", ".html", ".json", ".jsonl"}
    found = [
        (word, file.name)
        for file in files
        for word in words
        if word.encode()
        in (gzip.decompress(b) if (b := file.read_bytes())[:2] == b"\x1f\x8b" else b)
    ]
    assert found == []


def test_the_words_are_there_to_be_found():
    forum, chat = Forum(Switches(limits=Limits.off())), Workspace()
    community.play(forum, chat, through=2)
    written = " ".join(row["raw"] for row in forum.read("SELECT raw FROM posts"))
    written += " ".join(m["message"] for m in forum.read("SELECT message FROM chat_messages"))
    written += " ".join(m["msg"] for m in chat.messages.values())
    assert all(word in written for word in community.truth(2).private_words)
