"""What many tests share: a community in a temporary folder, and where real recordings lie."""

from pathlib import Path

import pytest

from pipeline import settings

SHARED = Path(__file__).parents[2] / "shared" / "data"
TOML = """
[communities.ember]
time_zone = "UTC"
home = "{home}"
bots = ["helper_bot"]

[communities.ember.sources.forum]
platform = "discourse"
url = "{forum}"
share = 1
requests_per_minute = 6000
explorer_runs_per_10_s = 1000

[communities.ember.sources.chat]
platform = "rocketchat"
url = "{chat}"
share = 1
"""
SECRETS = {
    "HEARTH_EMBER_PSEUDONYM_KEY": "test pseudonym key",
    "HEARTH_EMBER_FORUM_KEY": "0" * 64,
    "HEARTH_EMBER_CHAT_USER_ID": "user",
    "HEARTH_EMBER_CHAT_TOKEN": "token",
}


def make_community(folder, forum="http://127.0.0.1:1", chat="http://127.0.0.1:1", **secrets):
    text = TOML.format(home=folder, forum=forum, chat=chat)
    return settings.parse(text, {**SECRETS, **secrets}, Path(folder) / "hearth.toml").community()


@pytest.fixture(scope="session")
def community(tmp_path_factory):
    """A community nobody reads from; its home is empty."""
    return make_community(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def shared_data():
    """Real recordings beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"no recordings at {SHARED}")
    return SHARED
