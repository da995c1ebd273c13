"""What can go wrong on the way, on demand."""

from __future__ import annotations

import pytest
import requests


@pytest.mark.parametrize(
    ("kind", "status"), [("bad_gateway", 502), ("unavailable", 503), ("too_many", 429)]
)
def test_a_proxy_answers_in_html(served, kind, status):
    served.faults.next_answers(kind)
    answer = served.ask("GET", "/about.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert "Retry-After" not in answer.headers
    assert served.site.log == []


@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_a_connection_breaks(served, kind):
    served.faults.next_answers(kind)
    with pytest.raises(requests.exceptions.RequestException):
        served.ask("GET", "/about.json", headers={"Accept-Encoding": "identity"})
    assert served.ask("GET", "/about.json").status_code == 200


def test_a_truncated_answer_ends_in_the_middle_as_if_that_were_all(served):
    plain = {"Accept-Encoding": "identity"}
    whole = served.ask("GET", "/about.json", headers=plain)
    served.faults.next_answers("truncated")
    half = served.ask("GET", "/about.json", headers=plain)
    assert half.status_code == 200
    assert whole.content.startswith(half.content)
    with pytest.raises(ValueError, match="Unterminated|Expecting|delimiter"):
        half.json()


def test_a_slow_answer_is_the_true_one(served):
    served.faults.next_answers("slow")
    assert served.ask("GET", "/about.json").status_code == 200
    assert served.faults.seen == {"slow": 1}


def test_the_same_seed_breaks_the_same_requests(serve):
    def statuses() -> list[int]:
        served = serve()
        served.faults.rate, served.faults.kinds = 0.3, ("bad_gateway", "unavailable")
        return [served.ask("GET", "/about.json").status_code for _ in range(20)]

    first = statuses()
    assert set(first) == {200, 502, 503}
    assert statuses() == first
