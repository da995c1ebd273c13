"""Before a page is shown: keys, forms of request and answer, limits, outages."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from pipeline.sandbox.discourse import ADMIN_KEY, READ_KEY, Key, Limits

BAD_KEY = {
    "errors": [
        "You are not permitted to view the requested resource. The API username or key is invalid."
    ],
    "error_type": "invalid_access",
}


def test_a_good_key_is_answered_in_its_users_name(served):
    answer = served.ask("GET", "/about.json", headers={"Api-Username": "ada"})
    assert answer.status_code == 200
    assert answer.headers["X-Discourse-Username"] == "ada"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_without_a_key_one_is_anonymous(served):
    answer = requests.get(served.url + "/latest.json", timeout=10)
    assert answer.status_code == 200
    assert "X-Discourse-Username" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Api-Key": "0" * 64},
        {"Api-Username": "nobody"},
        {"Api-Username": "suspended"},
        {"Api-Username": "ada", "Api-Key": "b" * 64},
    ],
    ids=["unknown key", "unknown user", "suspended user", "another user's key"],
)
def test_whatever_is_wrong_with_a_key_answers_alike(served, headers):
    served.site.keys["b" * 64] = Key("b" * 64, username="bob")
    gone = served.forum.add_user("suspended", "S", served.clock.now())
    served.forum.suspend(gone, served.clock.now() + timedelta(days=365_000), -1, served.clock.now())
    answer = served.ask("GET", "/latest.json", headers=headers)
    assert (answer.status_code, answer.json()) == (403, BAD_KEY)


def test_a_key_of_one_user_needs_no_name(served):
    served.site.keys["b" * 64] = Key("b" * 64, username="bob")
    answer = requests.get(served.url + "/latest.json", headers={"Api-Key": "b" * 64}, timeout=10)
    assert answer.headers["X-Discourse-Username"] == "bob"


def test_a_read_key_gets_everything_and_posts_nothing(served):
    key = {"Api-Key": READ_KEY}
    assert served.ask("GET", "/latest.json", headers=key).status_code == 200
    answer = served.ask("POST", "/posts.json", headers=key, json={"title": "x", "raw": "y"})
    assert (answer.status_code, answer.json()) == (403, BAD_KEY)
    assert served.forum.read("SELECT count(*) AS n FROM posts") == [{"n": 0}]


def test_a_body_on_get_is_refused(served):
    assert served.ask("GET", "/latest.json", data="x").status_code == 413


def test_json_must_be_asked_for(served):
    html = served.ask("GET", "/latest", headers={"Accept": "text/html"})
    assert html.headers["Content-Type"].startswith("text/html")
    by_header = served.ask("GET", "/latest", headers={"Accept": "application/json"})
    assert by_header.json()["topic_list"]["topics"] == []
    admin = served.ask("GET", "/admin/users/list/active", headers={"Accept": "text/html"})
    assert (admin.status_code, admin.headers["Content-Type"][:9]) == (404, "text/html")


def test_answers_are_compressed_for_who_asks(served):
    served.topic(5)
    answer = served.ask("GET", "/posts.json")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert served.site.log[-1].bytes < len(answer.content)


def test_sixty_requests_a_minute_for_all_keys_together(serve):
    served = serve(limits=Limits())
    for n in range(60):
        served.seconds[0] += 0.5
        key = (ADMIN_KEY, READ_KEY)[n % 2]
        assert served.ask("GET", "/about.json", headers={"Api-Key": key}).status_code == 200
    answer = served.ask("GET", "/about.json")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "30"
    assert answer.headers["Discourse-Rate-Limit-Error-Code"] == "admin_api_key_rate_limit"
    assert answer.json() == {
        "errors": [
            "You’ve performed this action too many times."
            " Please wait 30 seconds before trying again."
        ],
        "error_type": "rate_limit",
        "extras": {"wait_seconds": 30, "time_left": "30 seconds"},
    }
    served.seconds[0] += 30  # the log slides: the oldest two entries age out, no more
    assert [served.ask("GET", "/about.json").status_code for _ in range(2)] == [200, 429]


def test_a_wrong_key_costs_nothing_of_the_minute(serve):
    served = serve(limits=Limits(admin_per_minute=1))
    served.ask("GET", "/about.json", headers={"Api-Key": "0" * 64})
    assert served.ask("GET", "/about.json").status_code == 200


def test_the_limit_by_address_is_text_and_punishes_hammering(serve):
    served = serve(limits=Limits(ip_per_10_seconds=2))
    for _ in range(2):
        requests.get(served.url + "/latest.json", timeout=10)
    for waited in (0, 4, 4, 4):  # each refused request counts anew
        served.seconds[0] += waited
        answer = requests.get(served.url + "/latest.json", timeout=10)
        assert answer.status_code == 429
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.headers["Discourse-Rate-Limit-Error-Code"] == "ip_10_secs_limit"
        assert f"retry again in {answer.headers['Retry-After']} seconds" in answer.text


def test_api_requests_are_taken_off_the_limit_by_address(serve):
    served = serve(limits=Limits(ip_per_10_seconds=2))
    assert {served.ask("GET", "/about.json").status_code for _ in range(5)} == {200}


def test_older_servers_count_api_requests_by_address_too(serve):
    served = serve(limits=Limits(ip_per_10_seconds=2, ip_counts_api=True))
    assert [served.ask("GET", "/about.json").status_code for _ in range(3)] == [200, 200, 429]


def test_nginx_refuses_in_html_without_saying_how_long(serve):
    served = serve(limits=Limits(nginx_per_second=1.0, nginx_burst=2))
    answers = [served.ask("GET", "/about.json") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["Content-Type"] == "text/html"
    assert "Retry-After" not in answers[-1].headers


def test_read_only_mode_reads_and_does_not_write(serve):
    served = serve(read_only=True)
    assert served.ask("GET", "/latest.json").status_code == 200
    answer = served.ask("POST", "/posts.json", json={"title": "x", "raw": "y"})
    assert (answer.status_code, answer.json()["error_type"]) == (503, "read_only")


def test_an_overloaded_server_answers_in_silence_as_to_a_stranger(served):
    staff = served.forum.add_category("Staff", "staff", served.clock.now(), read_restricted=True)
    topic, _ = served.topic(category_id=staff)
    served.faults.next_answers("anonymised")
    answer = served.ask("GET", "/latest.json")
    assert answer.status_code == 200
    assert answer.json()["topic_list"]["topics"] == []
    assert "X-Discourse-Username" not in answer.headers
    assert answer.cookies["dosp"] == "1"
    listed = served.get("/latest.json")["topic_list"]["topics"]
    assert [row["id"] for row in listed] == [topic]


def test_a_closed_site_tells_strangers_its_name_only(serve):
    served = serve(login_required=True)
    answer = requests.get(served.url + "/latest.json", timeout=10)
    assert (answer.status_code, answer.json()["error_type"]) == (403, "not_logged_in")
    name = requests.get(served.url + "/site/basic-info.json", timeout=10)
    assert name.json()["title"] == "Sandbox"
    assert served.ask("GET", "/latest.json").status_code == 200
