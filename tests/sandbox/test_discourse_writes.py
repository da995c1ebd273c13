"""Writing to the sandbox forum: what is made, what is refused, what is made only once."""

from __future__ import annotations

from datetime import timedelta

import pytest

DIGEST = {"title": "Digest of the first of March", "raw": "Three questions wait for an answer."}


def test_a_topic_is_made_and_shown(served):
    answer = served.ask("POST", "/posts.json", json={**DIGEST, "category": served.category})
    post = answer.json()
    assert (answer.status_code, post["post_number"], post["username"]) == (200, 1, "system")
    assert post["raw"] == DIGEST["raw"]
    assert served.get(f"/t/{post['topic_id']}.json")["title"] == DIGEST["title"]


def test_a_form_is_understood_as_well_as_json(served):
    answer = served.ask("POST", "/posts.json", data={**DIGEST, "category": served.category})
    assert answer.json()["raw"] == DIGEST["raw"]


def test_what_breaks_the_rules_is_named_and_not_written(served):
    answer = served.ask("POST", "/posts.json", json={"title": "Short", "raw": "No."})
    assert answer.status_code == 422
    assert answer.json() == {
        "errors": [
            "Title is too short (minimum is 15 characters)",
            "Body is too short (minimum is 20 characters)",
        ],
        "action": "create_post",
    }
    long = served.ask("POST", "/posts.json", json={**DIGEST, "raw": "x" * 32_001})
    assert "Body is limited to 32000 characters" in long.json()["errors"][0]
    assert served.forum.read("FROM posts") == []


def test_the_same_again_within_two_minutes_is_the_same_post(served):
    first, again = (served.ask("POST", "/posts.json", json=DIGEST).json() for _ in range(2))
    assert again["id"] == first["id"]
    served.clock.set(served.clock.now() + timedelta(seconds=121))
    assert served.ask("POST", "/posts.json", json=DIGEST).json()["id"] != first["id"]


def test_a_name_of_ones_own_is_taken_once(served):
    named = {**DIGEST, "external_id": "digest-2026-03-01"}
    assert served.ask("POST", "/posts.json", json=named).status_code == 200
    again = served.ask("POST", "/posts.json", json={**named, "raw": named["raw"] + " Or four."})
    assert (again.status_code, again.json()["errors"]) == (
        422,
        ["External ID has already been taken"],
    )


def test_a_reply_goes_to_its_topic(served):
    topic, _ = served.topic()
    sent = {"topic_id": topic, "raw": "Here is an answer to you.", "reply_to_post_number": 1}
    post = served.ask("POST", "/posts.json", json=sent).json()
    assert (post["topic_id"], post["post_number"], post["reply_to_post_number"]) == (topic, 2, 1)


@pytest.mark.parametrize(
    ("sender", "to", "status"),
    [
        ("system", "moderators,ada", 200),
        ("bob", "moderators", 200),
        ("boss", "closed", 422),
        ("system", "closed", 200),
        ("boss", "open", 200),
        ("bob", "open", 422),
        ("bob", "nobody_there", 422),
    ],
)
def test_a_private_message_needs_groups_that_take_it(served, sender, to, status):
    at = served.clock.now()
    served.forum.add_user("boss", "Boss", at, admin=True)
    served.forum.add_group("closed", at)
    served.forum.add_group("open", at, messageable_level=2)
    sent = {**DIGEST, "archetype": "private_message", "target_recipients": to}
    answer = served.ask("POST", "/posts.json", json=sent, headers={"Api-Username": sender})
    assert answer.status_code == status
    made = served.forum.read("SELECT archetype, category_id FROM topics")
    private = {"archetype": "private_message", "category_id": None}
    assert made == ([private] if status == 200 else [])


def test_a_watched_word_sends_a_post_to_the_queue(serve):
    served = serve(approve_words=("casino",))
    sent = {**DIGEST, "raw": "The best casino of them all is here."}
    answer = served.ask("POST", "/posts.json", json=sent).json()
    assert (answer["success"], answer["action"], "id" in answer) == (True, "enqueued", False)
    assert served.forum.read("FROM posts") == []
    assert served.get("/review.json")["reviewables"][0]["type"] == "ReviewableQueuedPost"


def test_members_change_their_own_posts_only(served):
    _, posts = served.topic(replies=1)
    sent = {"post": {"raw": "Another text, of another mind.", "edit_reason": "typo"}}
    as_bob = {"Api-Username": "bob"}
    path = f"/posts/{posts[1]}.json"
    assert (
        served.ask("PUT", path, json=sent, headers=as_bob).json()["post"]["edit_reason"] == "typo"
    )
    refused = served.ask("PUT", f"/posts/{posts[0]}.json", json=sent, headers=as_bob)
    assert (refused.status_code, refused.json()["error_type"]) == (403, "invalid_access")


def test_likes_reports_and_solutions_are_given_over_http(served):
    _, posts = served.topic(replies=1)
    as_ada = {"Api-Username": "ada"}
    like = {"id": posts[1], "post_action_type_id": 2}
    assert served.ask("POST", "/post_actions.json", json=like, headers=as_ada).status_code == 200
    report = {"id": posts[1], "post_action_type_id": 8}
    served.ask("POST", "/post_actions.json", json=report, headers=as_ada)
    accepted = served.ask("POST", "/solution/accept.json", json={"id": posts[1]})
    assert accepted.json()["success"] == "OK"
    post = served.get(f"/posts/{posts[1]}.json")
    assert post["accepted_answer"] is True
    assert {action["id"]: action.get("count") for action in post["actions_summary"]} == {
        2: 1,
        3: None,
        4: None,
        7: None,
        8: 1,
    }


def test_a_stranger_cannot_write(served):
    answer = served.ask(
        "POST", "/posts.json", json=DIGEST, headers={"Api-Key": None, "Api-Username": None}
    )
    assert (answer.status_code, answer.json()["error_type"]) == (403, "not_logged_in")
