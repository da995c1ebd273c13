"""The sample queries run on a published night, and their answers are what the page says."""

import pytest

from tests.metrics.queries import PAGE, answered, queries


def test_there_are_enough():
    page = PAGE.read_text("utf-8")
    assert len(queries(page)) >= 25
    assert len(queries(page)) == page.count("\n## ")


@pytest.mark.slow
def test_answers_are_what_the_page_says(emberfield):
    page = PAGE.read_text("utf-8")
    assert answered(page, (emberfield.home / "published/current.duckdb").resolve()) == page
