"""What somebody meets at the prompt who has nothing yet, or mistypes: a sentence, never a trace."""

import json
import socket

import duckdb
import pytest
import typer
from typer.testing import CliRunner

from pipeline import cli
from pipeline.cli.console import out, table
from pipeline.errors import FixSettings
from tests.conftest import SECRETS, TOML


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A community before its first night, and its hearth.toml in use."""
    file = tmp_path / "hearth.toml"
    file.write_text(
        TOML.format(home="ember", forum="http://127.0.0.1:1", chat="http://127.0.0.1:1")
    )
    for name, value in {**SECRETS, "HEARTH_SETTINGS": str(file)}.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "ember"


def publish(home, run="1Z"):
    """A night that is one table."""
    folder = home / "published"
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(folder / f"community-{run}.duckdb") as db:
        db.execute("CREATE TABLE words AS SELECT '=1' AS word, NULL AS nothing")
    (folder / "current.duckdb").symlink_to(f"community-{run}.duckdb")


def said(*arguments, typed=None):
    """What the command says, or the sentence it ends with; any other exception is a failure."""
    done = CliRunner().invoke(cli.app, [*arguments], input=typed)
    assert isinstance(done.exception, FixSettings | SystemExit | None)
    return done.output + str(done.exception or "")


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["status"], "nothing was published yet"),
        (["query", "SELECT 1"], "`hearth nightly` publishes it"),
        (["export", "folder"], "`hearth nightly` publishes it"),
        (["rollback"], "no night was published yet"),
        (["people", "suggestions"], "ember: no night was made yet; `hearth nightly` makes one"),
        (["people", "link", "forum/1", "chat/2"], "ember: no night was made yet; `hearth"),
        (["lab"], "ember: no night was made yet; `hearth nightly` makes one"),
        (["diff"], "two published nights are needed, there are 0"),
        (["diff", "1Z"], "two published nights are needed, there are 0"),
        (["nightly", "--as-of", "yesterday"], "'yesterday': write the moment as 2026-03-02 or"),
        (["verdict", "zmp6zan", "snooze", "--days", "0"], "greater than or equal to 1"),
    ],
)
def test_before_the_first_night(home, arguments, answer):
    assert answer in said(*arguments)
    assert not (home / "published").exists()


@pytest.mark.parametrize(
    ("name", "forum", "zone", "answer"),
    [
        ("My Town", "https://a.example", "UTC", "a community has a name in small letters"),
        (
            "ember",
            "",
            "UTC",
            "name the address of a Discourse forum (--discourse), of a Rocket.Chat",
        ),
        ("ember", "a.example", "UTC", "nothing was written: "),
        ("ember", 'https://a.example"', "UTC", "nothing was written: "),
        ("ember", "https://a.example", "Europe", "must be an IANA time zone"),
    ],
)
def test_init_writes_what_can_be_used_or_nothing(tmp_path, monkeypatch, name, forum, zone, answer):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEARTH_SETTINGS", raising=False)
    options = {"--community": name, "--discourse": forum, "--rocketchat": "", "--time-zone": zone}
    assert answer in said("init", *(part for option in options.items() for part in option))
    assert list(tmp_path.iterdir()) == []


def test_init_asks_nothing_where_nobody_answers(tmp_path, monkeypatch):
    file = tmp_path / "hearth.toml"
    monkeypatch.setenv("HEARTH_SETTINGS", str(file))
    assert "--community" in said("init")
    assert not file.exists()
    assert "export HEARTH_EMBER_FORUM_KEY=" in said(
        "init", "--community", "ember", "--discourse", "https://a.example"
    )
    assert 'time_zone = "UTC"' in file.read_text()
    assert "exists already" in said("init")


def test_query_answers_in_every_form(home):
    publish(home)
    assert "│ =1   │         │" in said("query", "FROM words")
    assert said("query", "FROM words", "--output", "csv").split() == ["word,nothing", "'=1,"]
    row = said("query", "FROM words", "--output", "json")
    assert json.loads(row) == {"word": "=1", "nothing": None}


def test_query_says_what_it_cannot_answer_and_goes_on(home):
    publish(home)
    for nothing in ("", ";", "/* only a remark */"):
        assert said("query", nothing) == "there is no statement to answer"
    assert said("query", "SELECT 1 AS one; SELECT 2") == "2 statements: ask one at a time"
    assert "one" in said("query", "SELECT 1 AS one;")
    assert said("query", "FROM nowhere").startswith("the statement failed: Catalog Error")
    answers = said("query", typed="FROM nowhere\nSELECT 42 AS answer\n")
    assert "the statement failed" in answers
    assert "│ 42     │" in answers


def test_a_night_that_cannot_be_read_is_named(home):
    publish(home)
    (home / "published" / "community-1Z.duckdb").write_text("no database")
    for verb in (["query", "SELECT 1"], ["export", str(home / "out")], ["status"]):
        assert "the published night cannot be read" in said(*verb)


def test_an_export_to_where_nobody_may_write_is_named(home, tmp_path):
    publish(home)
    (tmp_path / "file").touch()
    assert "name one where you may write" in said("export", str(tmp_path / "file" / "export"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["sandbox", "--topics"],
        ["sandbox", "--chat"],
        ["train"],
        ["evaluate"],
        ["lab", "--models"],
    ],
)
def test_a_path_that_is_not_there_is_named(home, tmp_path, arguments):
    told = said(*arguments, str(tmp_path / "nowhere"))
    assert "does not exist" in " ".join(told.replace("│", " ").split())


def test_a_folder_without_sets_measures_nothing(tmp_path):
    assert "holds no labelled set" in said("evaluate", str(tmp_path))


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = said("sandbox", "--forum-port", port)
    assert "Address already in use" in told
    assert "name other ports" in told


def test_who_has_no_name_here_must_say_it(home, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_001)
    assert "say --who NAME" in said("verdict", "zmp6zan", "agree")
    assert "no digest of ember had an item" in said("verdict", "zmp6zan", "agree", "--who", "ann")


def test_every_command_is_told_in_one_line_and_every_option_in_words():
    commands = list(all_commands(typer.main.get_command(cli.app)))
    assert len(commands) > 30
    for command in commands:
        assert "\n" not in command.help.split("\n\n")[0], command.name
        for option in command.params:
            assert option.help, (command.name, option.name)


def all_commands(command):
    for below in getattr(command, "commands", {}).values():
        yield below
        yield from all_commands(below)


def test_a_table_cuts_nothing_off_and_takes_nothing_for_markup():
    with out.capture() as shown:
        out.print(table(["[red]a"], [["x" * 500], ["[/bold]"], [None]], width=40))
    assert shown.get().count("x") == 500
    assert "[red]a" in shown.get()
    assert "[/bold]" in shown.get()
