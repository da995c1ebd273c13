"""Models from a community's own moderators: offered if better, switched on, and taken back."""

import json
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline import steps, warehouse
from pipeline.classify.community import LEAST, history, in_use, learn, roll_back, switch_on
from pipeline.classify.features import describe
from pipeline.classify.judge import MODELS, Judge
from pipeline.classify.message import Message
from pipeline.classify.train import Aim, Rows
from pipeline.cli import app
from pipeline.errors import FixSettings
from pipeline.settings import load
from tests.test_night import NOW, World, ago

AIMS = [Aim("uncivil", 1.0, 0.5, 0.02), Aim("strict", 1.0, 0.5, 0.02)]
RUDE = "Ask your kindergarten teacher about that, number {}"
FINE = "The damn clown dropped the ball again, number {}"  # a club of jugglers


class Reported(World):
    """Members reported as many posts of one sort, with which moderators agreed, as of another."""

    def fill(self):
        mo = self.forum.add_user("mo", "Mo", ago(900), moderator=True)
        anna = self.forum.add_user("anna", "Anna", ago(900))
        place = self.forum.add_category("Talk", "talk", ago(900))
        for n in range(2 * LEAST):
            text, status = ((RUDE, "approved"), (FINE, "rejected"))[n % 2]
            _, post = self.forum.create_topic(
                anna, place, f"About thing {n}", text.format(n), ago(300 - n)
            )
            case = self.forum.flag(post, mo, "inappropriate", ago(200))
            self.forum.review(case, status, mo, ago(100))


def shippable(count=240):
    """Every third text is rude; none speaks of teachers."""
    rude = np.array([n % 3 == 0 for n in range(count)], float)
    texts = [
        f"you idiot, {n} is garbage" if r else f"thanks, {n} works well" for n, r in enumerate(rude)
    ]
    described = [describe(text, "en") for text in texts]
    groups = np.arange(count).astype(str)
    labels = {"uncivil": rude, "strict": rude}
    return Rows(
        np.array(["gitter"] * count), groups, texts, described, labels, np.array([None] * count)
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("pipeline.steps.running.validate", lambda night: {})
        world = Reported(tmp_path_factory.mktemp("home"), monkeypatch)
        with world.serve() as addresses:
            world.settings(addresses)
            world.night()
            yield world


def taught(day=0):
    home = load().community()
    with warehouse.read_only(home) as db:
        return learn(db, home.home, "en", shippable(), AIMS, now=NOW + timedelta(days=day))


def strict(home, text):
    judge = Judge(("en",), own=in_use(home))
    message = Message("forum", "1", "1", "a", NOW, text, "markdown")
    return next(score for score in judge.score([message]) if score.label == "strict")


def hearth(*command):
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.exception
    return said.output.splitlines()


def test_a_better_model_waits_is_switched_on_explained_and_taken_back(world, monkeypatch):
    home = load().community().home
    shipped = strict(home, RUDE.format(99))
    with pytest.raises(FixSettings, match="no model is in the shadow"):
        switch_on(home, "en", NOW)
    step = taught()
    assert (step.action, step.language) == ("better", "en")
    waiting = ["in use for en: shipped", f"in the shadow for en: en-{step.version}"]
    assert hearth("models")[-2:] == waiting
    assert strict(home, RUDE.format(99)) == shipped
    tried = json.loads("\n".join(hearth("lab", "--learned", "--json")))
    assert {flag["kind"] for flag in tried["adds"]} == {"toxic"}
    assert hearth("models", "--switch-on", "en")[-1] == f"in use for en: en-{step.version}"
    assert f"over {2 * LEAST} messages moderators judged ({LEAST} agreed)" in step.why
    assert in_use(home) == {"en": home / "models" / f"en-{step.version}.skops"}
    assert strict(home, RUDE.format(99)).score > shipped.score
    assert strict(home, RUDE.format(99)).model_version != shipped.model_version
    card = (home / "models" / f"en-{step.version}.md").read_text()
    assert step.why in card
    assert "kindergarten" not in card
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.classify.community.RULES", "made by other code")
        assert in_use(home) == {}
    again = taught(day=1)
    assert (again.action, again.version) == ("not better", step.version)
    assert hearth("models", "--rollback", "en")[-2:] == waiting
    actions = ["better", "switched on", "not better", "rolled back"]
    assert [each.action for each in history(home)] == actions
    assert strict(home, RUDE.format(99)) == shipped
    with pytest.raises(FixSettings, match="shipped model is in use"):
        roll_back(home, "en", NOW)


@pytest.mark.slow
def test_a_night_uses_it(world):
    home = load().community()
    taught()
    switch_on(home.home, "en", NOW)
    world.night()
    with warehouse.read_only(home) as db:
        versions = db.execute("SELECT DISTINCT model_version FROM judgement.scores").fetchall()
    assert versions == [(Judge(("en",), own=in_use(home.home)).version,)]
    assert versions != [(Judge(("en",), MODELS).version,)]


def test_too_few_verdicts_teach_nothing(world):
    home = load().community()
    with warehouse.read_only(home) as db, pytest.raises(FixSettings, match="20 of each are needed"):
        learn(db, home.home, "zh", shippable(), AIMS, now=NOW)


def test_a_language_with_too_few_verdicts_does_not_keep_another_from_learning(world, monkeypatch):
    monkeypatch.setattr("pipeline.classify.train.read", lambda folder, language: shippable())
    monkeypatch.setattr("pipeline.classify.train.AIMS", {"zh": AIMS, "en": AIMS})
    settings = world.folder / "hearth.toml"
    said = settings.read_text()
    settings.write_text(said.replace("time_zone", 'languages = ["zh", "en"]\ntime_zone', 1))
    told = list(steps.learn("ember", world.folder))
    assert [line.split()[0] for line in told] == ["en", "zh:"]
    with pytest.raises(FixSettings, match="zh: moderators agreed about 0"):
        list(steps.learn("ember", world.folder, ["zh"]))
    with pytest.raises(FixSettings, match="models are made of zh, en; its `languages` are zh, en"):
        list(steps.learn("ember", world.folder, ["chat"]))
    settings.write_text(said)
