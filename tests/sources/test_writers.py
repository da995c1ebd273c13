"""What writes to a community's sites, opened by the name of a source."""

import pytest

from pipeline.errors import FixSettings
from pipeline.sources import Writers


def test_a_forum_and_a_workspace_are_written_to_each_in_its_way(community):
    writers = Writers(community)
    forum, chat = writers.forum("forum"), writers.chat("chat")
    assert (forum.source, forum.host) == ("forum", str(community.sources["forum"].url).rstrip("/"))
    assert callable(forum.create_post) and callable(chat.said_of)


@pytest.mark.parametrize(
    ("what", "name", "said"),
    [("forum", "chat", "chat is no forum"), ("chat", "forum", "forum is no workspace")],
)
def test_a_source_of_another_platform_is_refused_in_words(community, what, name, said):
    with pytest.raises(FixSettings, match=said):
        getattr(Writers(community), what)(name)
