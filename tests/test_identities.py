"""Who is one person: by an operator's word or a confirmed address, and never by a name."""

import json
from contextlib import suppress
from datetime import timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline import build, cli, identities, steps, warehouse
from pipeline.errors import FixSettings
from pipeline.identities import Account, Decisions
from tests.conftest import make_community
from tests.ops.searching import holders
from tests.test_night import NOW, World, ago

A, B, C = Account("chat", "u1"), Account("forum", "7"), Account("forum", "9")


@pytest.fixture
def decisions(tmp_path):
    return Decisions(make_community(tmp_path))


def decided(decisions):
    return [(d.first, d.second, d.is_link) for d in decisions.read()]


def test_the_last_word_on_a_pair_counts(decisions):
    decisions.link(B, A, NOW)
    decisions.unlink(A, B, NOW)
    decisions.link(A, C, NOW)
    assert decided(decisions) == [(A, B, False), (A, C, True)]
    assert decisions.forget(B) == 1
    assert decided(decisions) == [(A, C, True)]


def test_what_was_told_apart_is_not_joined_by_way_of_a_third(decisions):
    decisions.unlink(B, C, NOW)
    decisions.link(A, B, NOW)
    with pytest.raises(FixSettings, match="forum/7 and forum/9 are told apart, .* chat/u1"):
        decisions.link(A, C, NOW)
    assert decided(decisions) == [(A, B, True), (B, C, False)]


def test_two_that_links_join_are_not_told_apart_without_those(decisions):
    decisions.link(A, B, NOW)
    decisions.link(A, C, NOW)
    with pytest.raises(FixSettings, match="unlink"):
        decisions.unlink(B, C, NOW)
    decisions.unlink(A, C, NOW)
    decisions.unlink(B, C, NOW)
    assert decided(decisions) == [(A, B, True), (A, C, False), (B, C, False)]


def test_an_account_is_not_linked_with_itself(decisions):
    with pytest.raises(FixSettings, match="one account"):
        decisions.link(A, A, NOW)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An empty work file, and its community."""
    home = make_community(tmp_path_factory.mktemp("home"))
    with duckdb.connect() as db:
        warehouse.prepare(db)
        build.set_scene(db, home, NOW)
        yield db, home


def settled(place, accounts, said=()):
    """Person of each account, over accounts as (source, id, address); and what was decided."""
    db, home = place
    (home.home / "identities.json").unlink(missing_ok=True)
    db.execute("DELETE FROM staging.accounts")
    for source, account, address in accounts:
        db.execute(
            "INSERT INTO staging.accounts (source, account_id, username, is_bot, is_staged, email_hash)"
            " VALUES (?, ?, '', false, false, ?)",
            [source, account, address],
        )
    for one, other, is_link in said:
        with suppress(FixSettings):  # contradicts what was said before
            (Decisions(home).link if is_link else Decisions(home).unlink)(one, other, NOW)
    identities.settle(db, home)
    heads = {Account(*a): head for *a, head in db.execute("FROM raw.identities").fetchall()}
    people = {Account(s, a): heads.get(Account(s, a), f"{s}/{a}") for s, a, _ in accounts}
    return people, Decisions(home).read()


def test_one_address_with_one_account_at_each_source_is_one_person(place):
    people, _ = settled(place, [(*A, "x"), (*B, "x"), (*C, "y")])
    assert people == {A: "chat/u1", B: "chat/u1", C: "forum/9"}


def test_an_address_that_two_accounts_of_a_source_have_joins_nobody(place):
    people, _ = settled(place, [(*A, "x"), (*B, "x"), (*C, "x")])
    assert people == {A: "chat/u1", B: "forum/7", C: "forum/9"}


def test_an_address_gives_way_to_an_operator(place):
    accounts = [(*A, "x"), (*B, "x"), (*C, None)]
    people, _ = settled(place, accounts, [(A, C, True)])
    assert people == {A: "chat/u1", B: "forum/7", C: "chat/u1"}  # else two of the forum were one
    people, _ = settled(place, accounts, [(A, C, False), (A, B, True), (B, C, True)])
    assert people == {A: "chat/u1", B: "chat/u1", C: "forum/9"}


ACCOUNTS = [Account(s, n) for s in ("blog", "chat", "forum") for n in "12"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.sampled_from([None, "x", "y", "z"]), min_size=6, max_size=6),
    st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), st.booleans())),
)
def test_nobody_told_apart_is_one_and_addresses_join_across_sources_only(place, addresses, said):
    accounts = [(*a, address) for a, address in zip(ACCOUNTS, addresses, strict=True)]
    people, decided = settled(place, accounts, said)
    for d in decided:
        assert (people[d.first] == people[d.second]) == d.is_link
    linked, _ = settled(place, [(*a, None) for a in ACCOUNTS], said)
    for one in ACCOUNTS:
        for other in ACCOUNTS:
            if linked[one] == linked[other]:
                assert people[one] == people[other]
            elif one.source == other.source and people[one] == people[other]:
                pytest.fail(f"an address joined {one} and {other}")


@pytest.fixture
def world(tmp_path, unchecked, monkeypatch):
    """Anna with one address at both sources, and Ben, who has a namesake in the chat."""
    world = World(tmp_path, monkeypatch)
    room = next(iter(world.chat.rooms))
    world.forum.reply(world.topics[0][0], world.anna, "One more word of it.", ago(10))
    world.forum.reply(world.topics[0][0], world.ben, "One more word of mine.", ago(10))
    for name in ("anna", "ben"):
        account = world.chat.add_user(name, f"{name.title()} Berg", ago(900))
        world.chat.post(room, account, f"{name} here too", ago(9))
    for user in world.chat.users.values():
        if user["username"] == "ben":
            user["emails"] = [{"address": "other@example.org", "verified": True}]
        if user["username"] == "anna":
            user["emails"] = [{"address": "Anna@example.invalid", "verified": True}]
    return world


def people_of_the_day(world):
    sql = "SELECT daily_people FROM marts.active_people WHERE source = 'all' AND day = '2026-03-01'"
    return world.published(sql)[0][0]


def hearth(*words):
    told = CliRunner().invoke(cli.app, ["people", *words])
    assert told.exit_code == 0, told.exception
    return told.output


def test_one_human_in_two_sources_counts_once_and_a_namesake_is_only_suggested(world):
    with world.serve() as addresses:
        world.settings(addresses, forum="emails = true", chat="emails = true")
        night = world.night()
    assert people_of_the_day(world) == 3  # anna, ben, his namesake
    (suggested,) = json.loads(hearth("suggestions", "--json"))
    assert suggested == {
        "first": "chat/ben",
        "second": "forum/ben",
        "names": ["Ben Berg", "Ben"],
        "evidence": ["same_username"],
    }
    assert "same_username" in hearth("suggestions")

    hearth("link", "forum/ben", "chat/ben")
    steps.rebuild(night)
    steps.publish(night)
    assert people_of_the_day(world) == 2
    assert hearth("suggestions").startswith("Nothing")

    hearth("unlink", "forum/ben", "chat/ben")
    hearth("unlink", "forum/anna", "chat/anna")
    steps.rebuild(night, from_landing=True)
    steps.publish(night)
    assert people_of_the_day(world) == 4
    assert hearth("suggestions").startswith("Nothing")
    assert [row["decided"] for row in json.loads(hearth("links", "--json"))] == ["two people"] * 2


def test_erasure_forgets_what_was_decided(world):
    chat_ben = next(u["_id"] for u in world.chat.users.values() if u["username"] == "ben")
    with world.serve() as addresses:
        world.settings(addresses)
        world.night()
        hearth("link", "forum/ben", "chat/ben")
        world.clock.set(NOW + timedelta(days=1))
        world.night(day=1)
    assert "identities.json" in holders(world.folder, chat_ben)
    told = steps.erase("chat", "ben")
    assert (told["links"], told["other_accounts"]) == (1, 1)
    assert holders(world.folder, chat_ben) == []


def test_an_account_is_found_by_id_or_name_and_an_unknown_one_is_named(place):
    db, home = place
    settled(place, [("forum", "7", None), ("forum", "8", None)])
    db.execute(
        "UPDATE staging.accounts SET username = CASE account_id WHEN '7' THEN 'Anna' ELSE '7' END"
    )
    assert identities.find(db, home, "forum/anna") == identities.find(db, home, "forum/7") == B
    with pytest.raises(FixSettings, match="no account 'nobody' of forum"):
        identities.find(db, home, "forum/nobody")
    with pytest.raises(FixSettings, match="write it source/name; the sources are forum, chat"):
        identities.find(db, home, "anna")
