"""hearth.toml: every problem at once, the nearest known key, and secrets that stay secret."""

import os
import re
from typing import Literal

import pytest

from pipeline import settings, steps
from pipeline.errors import FixSettings
from pipeline.settings import models
from tests.conftest import SECRETS, make_community

MINIMAL = """
[communities.ember.sources.forum]
platform = "discourse"
url = "https://forum.example.org/"
"""


def refusal(text, env=SECRETS):
    with pytest.raises(FixSettings) as refused:
        settings.parse(text, env)
    return str(refused.value)


def test_defaults_are_sensible(tmp_path):
    ember = settings.parse(MINIMAL, SECRETS, tmp_path / "hearth.toml").community()
    assert ember.sources["forum"].url == "https://forum.example.org"
    assert ember.sources["forum"].share == 0.5
    assert ember.sources["forum"].private == ()
    assert ember.home == tmp_path / "var" / "ember"


def test_all_problems_are_told_at_once():
    said = refusal(
        MINIMAL + 'way_inn = "rest"\nshare = 2\n[communities.ember]\ntme_zone = "UTC"', {}
    )
    assert "way_inn: unknown key; did you mean 'way_in'?" in said
    assert "tme_zone: unknown key; did you mean 'time_zone'?" in said
    assert "share: Input should be less than or equal to 1" in said
    assert "HEARTH_EMBER_FORUM_KEY is not set" in said
    assert "HEARTH_EMBER_PSEUDONYM_KEY is not set" in said


def test_a_secret_in_the_file_is_refused_and_not_repeated():
    said = refusal(MINIMAL + 'key = "very-secret-key"')
    assert "secrets do not belong in this file; set HEARTH_EMBER_FORUM_KEY instead" in said
    assert "very-secret-key" not in said


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://bob:very-secret@forum.example.org", "forum.url: must not hold a user name or"),
        ("https://very-secret@forum.example.org/forum", "forum.url: must not hold a user name or"),
        (
            "https://forum.example.org/forum?key=very-secret",
            "forum.url: must hold no blank and end",
        ),
        ("https://forum.example.org/#very-secret", "forum.url: must hold no blank and end before"),
        ("https://forum.example.org?very-secret", "forum.url: must hold no blank and end before"),
        ("https://forum.example.org/a very-secret", "forum.url: must hold no blank and end before"),
    ],
)
def test_an_address_holds_no_secret_and_a_refusal_does_not_repeat_it(address, said):
    refused = refusal(MINIMAL.replace("https://forum.example.org/", address))
    assert said in refused
    assert "secret" not in refused


def test_a_site_may_lie_below_its_host():
    text = MINIMAL.replace("https://forum.example.org/", "https://example.org:8443/forum/@all/")
    ember = settings.parse(text, SECRETS).community()
    assert ember.sources["forum"].url == "https://example.org:8443/forum/@all"


def test_a_watchdogs_address_may_have_a_query():
    text = MINIMAL + '[communities.ember]\nping = "https://up.example.org/push/x?status=up"\n'
    assert settings.parse(text, SECRETS).community().ping.endswith("?status=up")


def test_a_scheduler_is_told_which_time_is_none(tmp_path, monkeypatch):
    file = tmp_path / "hearth.toml"
    file.write_text(MINIMAL + '[communities.ember]\nschedule = "61 2 * * *"')
    monkeypatch.setenv("HEARTH_SETTINGS", str(file))
    with pytest.raises(FixSettings, match=r"communities.ember.schedule: must be a time as cron"):
        steps.communities()


def test_secrets_never_show(tmp_path):
    ember = make_community(tmp_path, HEARTH_EMBER_FORUM_KEY="very-secret-key")
    shown = f"{ember!r}{ember}{ember.model_dump()}{ember.model_dump_json()}"
    assert "very-secret-key" not in shown
    assert SECRETS["HEARTH_EMBER_PSEUDONYM_KEY"] not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml [", "is not TOML"),
        ("", "communities: Field required"),
        (MINIMAL.replace("https://forum.example.org/", "forum"), "must be a web address"),
        (MINIMAL.replace("discourse", "nodebb"), "'discourse', 'rocketchat'"),
        (MINIMAL + '[communities.ember]\ntime_zone = "Mars/Base"', "must be an IANA time zone"),
        (MINIMAL + '[communities.ember]\ntime_zone = "Europe"', "must be an IANA time zone"),
        (
            MINIMAL + '[communities.ember.judgement]\nshadow = ["sour/pase"]',
            "judgement.shadow.0: no rule 'sour/pase'; there are question/asks, toxic/rule",
        ),
        (
            MINIMAL + '[communities.ember.judgement]\ntrusted = { "sour/pase" = 2026-03-01 }',
            "no rule 'sour/pase'; there are question/asks",
        ),
        (
            MINIMAL + '[communities.ember]\noperators = ["nobody"]',
            "operators.0: must be an address such as ops@example.org",
        ),
        (
            MINIMAL + '[communities.ember]\nhome = "~nobody_here/ember"',
            "ember.home: ~nobody_here is no user of this machine",
        ),
        (MINIMAL + '[communities.ember]\nname = "birch"', "ember.name: the table has the name"),
        (MINIMAL.replace("ember", "Ember"), "name: String should match"),
        (
            MINIMAL + '[communities.ember]\nschedule = "61 2 * * *"',
            'ember.schedule: must be a time as cron has it, such as "0 2 * * *": [61 2 * * *] is not',
        ),
        (
            MINIMAL + '[communities.ember]\nschedule = "0 2 30 2 *"',
            "ember.schedule: must be a time",
        ),
        (MINIMAL + '[communities.ember]\nschedule = "@daily"', "[@daily] has not five fields"),
        (MINIMAL + "most_flags = 3", "most_flags: unknown key of this table; another one has it"),
    ],
)
def test_what_is_wrong_is_named(text, said):
    assert said in refusal(text)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FixSettings, match="`hearth init` writes one"):
        settings.load(tmp_path / "hearth.toml", SECRETS)


def test_one_of_several_communities_must_be_named():
    two = MINIMAL + MINIMAL.replace("ember", "birch")
    env = {**SECRETS, "HEARTH_BIRCH_PSEUDONYM_KEY": "x", "HEARTH_BIRCH_FORUM_KEY": "y"}
    both = settings.parse(two, env)
    assert both.community("birch").name == "birch"
    with pytest.raises(FixSettings, match="Name one of: ember, birch"):
        both.community()


def test_the_template_is_valid_and_names_its_variables():
    text = settings.template("ember", "https://a.example", "https://b.example", "Asia/Shanghai")
    assert settings.variables(text) == list(SECRETS)
    ember = settings.parse(text, SECRETS).community()
    assert (ember.time_zone, list(ember.sources)) == ("Asia/Shanghai", ["forum", "chat"])


def test_every_commented_line_of_the_template_may_be_used():
    text = settings.template("ember", "https://a.example", "https://b.example", "UTC")
    said = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert sum(line.startswith("#") for line in said.splitlines()) == 2  # what stands on top
    ember = settings.parse(said, SECRETS).community()
    plain = settings.parse(MINIMAL, SECRETS).community()
    shown = ("schedule", "keep_nights", "keep_days")
    assert [getattr(ember, key) for key in shown] == [getattr(plain, key) for key in shown]
    numbers = {"most_flags", "most_newcomers", "most_questions", "overdue_h", "newcomer_overdue_h"}
    assert ember.digest.model_dump(include=numbers) == plain.digest.model_dump(include=numbers)
    assert ember.sources["forum"] == plain.sources["forum"].model_copy(
        update={"url": "https://a.example"}
    )


def test_all_that_does_not_fit_together_is_said_at_once():
    said = refusal(MINIMAL + WISHES)
    for wish in (
        "operators: needs a table `mail`",
        "report.mail_to: needs a table `mail`",
        "digest.audiences.mods.mail_to: needs a table `mail`",
        "digest.audiences.mods.ladders.help.lead_mail: needs a table `mail`",
        "digest.audiences.mods.ladders.help.mention_after_h: needs the audience's `rocketchat`",
        "digest.audiences.mods.discourse: no discourse source 'blog'",
        "digest.audiences.mods.ladders.help.lead_discourse: no discourse source 'blog'",
        "keep_text_days: what was fetched holds the texts too",
    ):
        assert wish in said


WISHES = """
[communities.ember]
operators = ["ops@example.org"]
keep_text_days = 200
[communities.ember.report]
mail_to = ["team@example.org"]
[communities.ember.digest.audiences.mods]
mail_to = ["mods@example.org"]
discourse = "blog/mods"
[communities.ember.digest.audiences.mods.ladders.help]
mention_after_h = 1
lead_after_h = 2
lead_mail = "lead@example.org"
lead_discourse = "blog/anna"
"""


def test_connections_stand_for_variables(tmp_path, monkeypatch):
    file = tmp_path / "hearth.toml"
    file.write_text(settings.template("ember", "https://a.example", "https://b.example", "UTC"))
    monkeypatch.setenv("HEARTH_SETTINGS", str(file))
    assert list(settings.connections("ember")) == [
        ("HEARTH_EMBER_PSEUDONYM_KEY", "hearth_ember", "password"),
        ("HEARTH_EMBER_FORUM_KEY", "hearth_ember_forum", "password"),
        ("HEARTH_EMBER_CHAT_USER_ID", "hearth_ember_chat", "login"),
        ("HEARTH_EMBER_CHAT_TOKEN", "hearth_ember_chat", "password"),
    ]


CLUSTER = """
[communities.ember.cluster]
landing = "s3://bucket/ember"
budget = "redis://hearth@redis.example.org:6379/1"
"""


def test_machines_share_a_storage_and_a_budget_or_nothing():
    password = {"HEARTH_EMBER_CLUSTER_PASSWORD": "very-secret-password"}
    ember = settings.parse(MINIMAL + CLUSTER, {**SECRETS, **password}).community()
    assert ember.cluster.landing == "s3://bucket/ember"
    assert ember.cluster.password.get_secret_value() == "very-secret-password"
    assert "very-secret-password" not in f"{ember!r}{ember.model_dump_json()}"
    said = refusal(MINIMAL + CLUSTER)
    assert "environment variable HEARTH_EMBER_CLUSTER_PASSWORD is not set" in said
    without_user = CLUSTER.replace("hearth@", "")
    assert settings.parse(MINIMAL + without_user, SECRETS).community().cluster.password is None
    said = refusal(MINIMAL + '[communities.ember.cluster]\nlanding = "s3://bucket/ember"\n')
    assert "communities.ember.cluster.budget: Field required" in said
    said = refusal(MINIMAL + CLUSTER.replace("hearth@", "hearth:secret@"))
    assert "communities.ember.cluster.budget: String should match pattern" in said
    assert "hearth:secret" not in said


def test_a_task_is_lent_the_secrets_of_every_community(tmp_path, monkeypatch):
    file = tmp_path / "hearth.toml"
    file.write_text(MINIMAL + MINIMAL.replace("ember", "birch"))
    monkeypatch.setenv("HEARTH_SETTINGS", str(file))
    lent = {
        "HEARTH_EMBER_PSEUDONYM_KEY",
        "HEARTH_EMBER_FORUM_KEY",
        "HEARTH_BIRCH_PSEUDONYM_KEY",
        "HEARTH_BIRCH_FORUM_KEY",
    }
    for name in lent:
        monkeypatch.delenv(name, raising=False)
    given = steps.lend_secrets(lambda name: (None, f"the password of {name}"))
    assert "the password of hearth_birch_forum" in given
    assert set(settings.load().communities) == {"ember", "birch"}
    assert lent <= os.environ.keys()
    assert steps.communities() == {"ember": "0 2 * * *", "birch": "0 2 * * *"}


def test_a_rule_that_nobody_has_switched_on_is_in_the_shadow(monkeypatch):
    known = models.JudgementSettings(shadow=["strict_zh"])
    assert known.in_shadow == {"strict_zh"}
    monkeypatch.setattr(models, "Rule", Literal[models.Rule, "sour/new"])
    monkeypatch.setattr(models, "NEW_RULES", frozenset({"sour/new"}))
    assert known.in_shadow == {"strict_zh", "sour/new"}
    assert models.JudgementSettings(trusted={"sour/new": "2026-03-01"}).in_shadow == set()


def test_the_pseudonym_key_in_the_file_is_a_secret_too():
    said = refusal(MINIMAL + '[communities.ember]\npseudonym_key = "very-secret-key"')
    assert "secrets do not belong in this file; set HEARTH_EMBER_PSEUDONYM_KEY instead" in said
    assert "very-secret-key" not in said


def test_a_password_in_the_file_is_one_also_where_nobody_signs_in():
    mail = '[communities.ember.mail]\nhost = "x"\nsender = "a@b.example"\n'
    said = refusal(MINIMAL + mail + 'password = "very-secret-password"\n')
    assert "ember.mail.password: secrets do not belong in this file" in said
    assert "very-secret-password" not in said


@pytest.mark.parametrize("secret", ["very-secret-key\n", " very-secret-key", "very\x00key", "秘密"])
def test_a_key_that_no_header_may_have_is_named(secret):
    said = refusal(MINIMAL, {**SECRETS, "HEARTH_EMBER_FORUM_KEY": secret})
    assert (
        "communities.ember.sources.forum.key: the secret has a character that no header may" in said
    )
    assert secret not in said


def test_a_home_may_begin_with_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    text = MINIMAL + '[communities.ember]\nhome = "~/ember"'
    assert settings.parse(text, SECRETS).community().home == tmp_path / "ember"


def test_nobody_waits_at_a_prompt_as_long_as_a_night_does():
    other = '[communities.ember.sources.other]\nplatform = "discourse"\nurl = "https://o.example"\n'
    text = MINIMAL + other + "patience_s = 3\n"
    ember = settings.parse(text, {**SECRETS, "HEARTH_EMBER_OTHER_KEY": "k"}).community()
    waits = {name: source.patience_s for name, source in ember.at_a_prompt().sources.items()}
    assert waits == {"forum": settings.AT_A_PROMPT_S, "other": 3}
    assert ember.sources["forum"].patience_s == 1800
