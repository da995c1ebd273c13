"""What nobody foresaw of a source is told in words, and logged with where it came from."""

import logging

import pytest

from pipeline.errors import BadAnswer, SourceDown
from pipeline.sources import understood

SAID = (
    "an answer of a form that Hearth does not know (TypeError); see what answers at {url}. Nothing "
    "was lost, the next night asks again; if it stays so, report it with the log"
)


@pytest.mark.parametrize(
    ("source", "stream", "place", "url"),
    [
        ("forum", "", "forum", "http://127.0.0.1:1"),
        ("chat", "reports", "chat/reports", "http://127.0.0.1:1"),
        ("gone", "posts", "gone/posts", "its address"),
    ],
)
def test_a_mistake_of_ours_is_told_and_logged(community, caplog, source, stream, place, url):
    with pytest.raises(BadAnswer) as raised, understood(community, source, stream):
        len(None)
    assert str(raised.value) == f"{place}: {SAID.format(url=url)}"
    assert isinstance(raised.value.__cause__, TypeError)
    [entry] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert entry.getMessage() == f"{place} could not be understood"
    assert entry.exc_info[0] is TypeError


@pytest.mark.parametrize("error", [SourceDown("forum: nothing answers"), OSError("disk full")])
def test_what_says_by_itself_what_to_do_is_left_as_it_is(community, caplog, error):
    with pytest.raises(type(error)) as raised, understood(community, "forum"):
        raise error
    assert raised.value is error
    assert not caplog.records
