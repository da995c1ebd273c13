"""What the pages of the forum show, and how they are cut into pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def listed(served, path):
    return [topic["id"] for topic in served.get(path)["topic_list"]["topics"]]


def test_a_list_has_thirty_topics_a_page_unless_asked_for_up_to_a_hundred(served):
    for n in range(65):
        served.topic(at=NOON + n * MINUTE)
    first = served.get("/latest.json")["topic_list"]
    assert (first["per_page"], len(first["topics"])) == (30, 30)
    assert first["more_topics_url"] == "/latest?page=1"  # without .json
    last = served.get("/latest.json?page=2")["topic_list"]
    assert len(last["topics"]) == 5
    assert "more_topics_url" not in last
    assert listed(served, "/latest.json?per_page=100&order=created&ascending=true") == list(
        range(1, 66)
    )
    assert served.get("/latest.json?per_page=101", status=400) == {
        "errors": ["You supplied invalid parameters to the request: per_page"],
        "error_type": "invalid_parameters",
    }


def test_an_older_server_ignores_per_page(serve):
    served = serve(per_page=False)
    for n in range(31):
        served.topic(at=NOON + n * MINUTE)
    assert served.get("/latest.json?per_page=100")["topic_list"]["per_page"] == 30


def test_a_page_shifts_when_something_happens_between_two_pages(served):
    topics = [served.topic(at=NOON + n * MINUTE)[0] for n in range(4)]
    first = listed(served, "/latest.json?per_page=2")
    served.forum.reply(topics[0], served.bob, "One more word on this.", NOON + 10 * MINUTE)
    second = listed(served, "/latest.json?per_page=2&page=1")
    assert (first, second) == ([4, 3], [3, 2])  # 3 twice, 1 never


def test_pinned_topics_come_first_by_activity_only(served):
    old, _ = served.topic()
    new, _ = served.topic(at=NOON + MINUTE)
    served.forum.set_status(old, "pinned_globally", True, -1, NOON)
    assert listed(served, "/latest.json") == [old, new]
    assert listed(served, "/latest.json?order=created") == [new, old]


def test_lists_leave_out_what_the_reader_may_not_see(served):
    public, _ = served.topic()
    staff = served.forum.add_category("Staff", "staff", NOON, read_restricted=True)
    private, _ = served.topic(category_id=staff)
    unlisted, _ = served.topic()
    served.forum.set_status(unlisted, "visible", False, -1, NOON)
    deleted, _ = served.topic()
    served.forum.delete_topic(deleted, -1, NOON)
    served.forum.private_message(served.ada, [served.bob], "Between us", "Not for all.", NOON)
    path = "/latest.json?order=created&ascending=true"
    assert sorted(listed(served, path)) == [public, private, unlisted]  # made at one moment
    member = {"Api-Username": "ada"}
    shown = served.get(path, headers=member)["topic_list"]["topics"]
    assert [topic["id"] for topic in shown] == [public]
    assert listed(served, "/filter.json?q=status:deleted") == [deleted]


def test_a_filter_selects_by_day_and_status(served):
    old, _ = served.topic(at=NOON - timedelta(days=5))
    new, _ = served.topic(replies=1)
    assert listed(served, "/filter.json?q=activity-after:2026-03-01 order:activity-asc") == [new]
    assert listed(served, "/filter.json?q=activity-before:2026-02-28") == [old]
    assert listed(served, "/filter.json?q=status:noreplies") == [old]
    assert listed(served, "/filter.json?q=created-after:7 order:created-asc") == [old, new]


def test_tags_are_objects_and_were_names(serve):
    served = serve()
    served.topic(tags=["cold"])
    (topic,) = served.get("/latest.json")["topic_list"]["topics"]
    assert topic["tags"] == [{"id": 1, "name": "cold", "slug": "cold"}]
    served.switches.tags_as_objects = False
    (topic,) = served.get("/latest.json")["topic_list"]["topics"]
    assert topic["tags"] == ["cold"]


def test_the_author_of_a_listed_topic_is_its_first_poster(served):
    served.topic(replies=1)
    (topic,) = served.get("/latest.json")["topic_list"]["topics"]
    assert "user_id" not in topic
    assert [poster["user_id"] for poster in topic["posters"]] == [served.ada, served.bob]


def test_a_topic_shows_twenty_posts_and_the_ids_of_all(served):
    topic, posts = served.topic(replies=24)
    whole = served.get(f"/t/{topic}.json")
    assert [post["id"] for post in whole["post_stream"]["posts"]] == posts[:20]
    assert whole["post_stream"]["stream"] == posts
    assert "raw" not in whole["post_stream"]["posts"][0]
    second = served.get(f"/t/{topic}.json?page=2&include_raw=true")["post_stream"]["posts"]
    assert [post["id"] for post in second] == posts[20:]
    assert second[0]["raw"] == "Answer number 20 of many."
    printed = served.get(f"/t/{topic}.json?print=true")["post_stream"]["posts"]
    assert [post["id"] for post in printed] == posts
    near = served.get(f"/t/{topic}/12.json")["post_stream"]["posts"]
    assert [post["post_number"] for post in near] == list(range(6, 26))


def test_posts_of_a_topic_come_by_id_and_by_number(served):
    topic, posts = served.topic(replies=24)
    wanted = f"/t/{topic}/posts.json?post_ids[]={posts[3]}&post_ids[]={posts[21]}&post_ids[]=999"
    shown = served.get(wanted)["post_stream"]["posts"]
    assert [post["id"] for post in shown] == [posts[3], posts[21]]
    after = served.get(f"/t/{topic}/posts.json?post_number=3&asc=true")["post_stream"]["posts"]
    assert [post["post_number"] for post in after] == list(range(4, 24))
    before = served.get(f"/t/{topic}/posts.json?post_number=3&asc=false")["post_stream"]["posts"]
    assert [post["post_number"] for post in before] == [1, 2]


def test_a_mega_topic_has_no_stream(serve):
    served = serve(mega_topic_posts=3)
    topic, posts = served.topic(replies=2)
    stream = served.get(f"/t/{topic}.json")["post_stream"]
    assert "stream" not in stream
    assert (stream["isMegaTopic"], stream["lastId"]) == (True, posts[-1])


@pytest.mark.parametrize("path", ["/t/wrong-slug/1.json", "/t/1.json?page=9"])
def test_a_wrong_slug_and_a_page_past_the_end_are_redirected(served, path):
    served.topic(replies=2)
    answer = served.ask("GET", path)
    assert answer.status_code == 301
    assert answer.headers["Location"].startswith("/t/how-do-i-light-a-fire/1.json")


def test_older_servers_know_no_page_past_the_end(serve):
    served = serve(page_overflow_redirects=False)
    served.topic()
    served.get("/t/1.json?page=9", status=404)


def test_a_topic_under_a_name_of_ones_own_is_a_redirect(served):
    topic, _ = served.topic(external_id="digest-2026-03-01")
    answer = served.ask("GET", "/t/external_id/digest-2026-03-01.json")
    assert answer.status_code == 301
    assert answer.headers["Location"].endswith(f"/{topic}.json")
    served.get("/t/external_id/none.json", status=404)


def test_deleted_replies_are_gaps_until_asked_for(served):
    topic, posts = served.topic(replies=3)
    served.forum.delete_post(posts[1], -1, NOON)
    served.forum.delete_post(posts[3], -1, NOON)
    whole = served.get(f"/t/{topic}.json")
    assert whole["post_stream"]["stream"] == [posts[0], posts[2]]
    assert whole["post_stream"]["gaps"] == {
        "before": {str(posts[2]): [posts[1]]},
        "after": {str(posts[2]): [posts[3]]},
    }
    assert whole["has_deleted"] is True
    every = served.get(f"/t/{topic}.json?show_deleted=true")["post_stream"]["posts"]
    assert [post["id"] for post in every] == posts
    assert every[1]["deleted_at"] == "2026-03-01T12:00:00.000Z"
    assert every[1]["deleted_by"]["username"] == "system"


@pytest.mark.parametrize(("detailed", "statuses"), [(False, [404, 404]), (True, [403, 410])])
def test_what_one_may_not_read_is_not_found_unless_the_site_says_more(serve, detailed, statuses):
    served = serve(detailed_404=detailed)
    staff = served.forum.add_category("Staff", "staff", NOON, read_restricted=True)
    private, _ = served.topic(category_id=staff)
    deleted, _ = served.topic()
    served.forum.delete_topic(deleted, -1, NOON)
    member = {"Api-Username": "ada"}
    answers = [served.ask("GET", f"/t/{t}.json", headers=member) for t in (private, deleted)]
    assert [answer.status_code for answer in answers] == statuses
    shown = served.get(f"/t/{deleted}.json")  # staff reads on
    assert shown["deleted_at"] == "2026-03-01T12:00:00.000Z"


def test_the_newest_posts_come_fifty_a_page_strictly_below(served):
    _, posts = served.topic(replies=60)
    first = [post["id"] for post in served.get("/posts.json")["latest_posts"]]
    assert first == sorted(posts, reverse=True)[:50]
    second = served.get(f"/posts.json?before={first[-1]}")["latest_posts"]
    assert [post["id"] for post in second] == sorted(posts, reverse=True)[50:]
    assert second[0]["raw"] and second[0]["topic_title"] == "How do I light a fire?"
    assert served.get(f"/posts.json?before={posts[0]}")["latest_posts"] == []


def test_old_servers_show_windows_of_ids_that_may_be_empty(serve):
    served = serve(latest_posts_by_window=True)
    served.topic(replies=1)
    served.forum.add("posts", id=500, topic_id=1, post_type=3, raw="", cooked="", hidden=False)
    assert served.get("/posts.json")["latest_posts"] == []
    window = served.get("/posts.json?before=2")["latest_posts"]
    assert [post["id"] for post in window] == [2, 1]  # `before` itself is in


def test_the_newest_posts_are_public_regular_and_there(served):
    topic, posts = served.topic(replies=4)
    forum, at = served.forum, NOON + timedelta(hours=1)
    forum.delete_post(posts[1], -1, at)
    forum.hide_post(posts[2], at)
    forum.reply(topic, -1, "Only among us.", at, post_type=4)
    forum.set_status(topic, "closed", True, -1, at)
    unlisted, _ = served.topic()
    forum.set_status(unlisted, "visible", False, -1, at)
    forum.private_message(served.ada, [served.bob], "Psst", "Just us.", at)
    shown = [post["id"] for post in served.get("/posts.json")["latest_posts"]]
    assert shown == [posts[4], posts[3], posts[0]]
    private = served.get("/private-posts.json")["private_posts"]
    assert [(post["raw"], post["topic_title"]) for post in private] == [("Just us.", "Psst")]


def test_a_hidden_post_is_a_placeholder_to_others(served):
    topic, posts = served.topic(replies=1)
    served.forum.hide_post(posts[1], NOON)
    mine, theirs = (
        served.get(f"/t/{topic}.json", headers={"Api-Username": name})["post_stream"]["posts"][1]
        for name in ("bob", "ada")
    )
    assert "Answer number 1" in mine["cooked"]
    assert (theirs["cooked_hidden"], "Answer" in theirs["cooked"]) == (True, False)


def test_who_liked_comes_without_a_time_two_hundred_a_page(served):
    _, posts = served.topic()
    served.forum.like(posts[0], served.bob, NOON)
    path = f"/post_action_users.json?id={posts[0]}&post_action_type_id=2"
    assert served.get(path) == {
        "post_action_users": [
            {
                "id": served.bob,
                "username": "bob",
                "name": "Bob",
                "avatar_template": "/letter_avatar_proxy/v4/letter/b/3be4f8/{size}.png",
                "username_lower": "bob",
            }
        ],
        "total_rows_post_action_users": 1,
    }
    served.get(f"{path}&limit=201", status=400)
    given = served.get("/user_actions.json?username=bob&filter=1")["user_actions"]
    assert [(one["post_id"], one["created_at"]) for one in given] == [
        (posts[0], "2026-03-01T12:00:00.000Z")
    ]


def test_a_revision_has_a_number_from_two_on(served):
    _, (post,) = served.topic()
    served.forum.edit(post, "Wholly another text, for a change. " * 5, NOON + timedelta(hours=1))
    shown = served.get(f"/posts/{post}/revisions/latest.json")
    assert (shown["current_revision"], shown["version_count"]) == (2, 2)
    assert "It is cold here" in shown["body_changes"]["inline"]
    served.get(f"/posts/{post}/revisions/1.json", status=404)


def test_staff_list_all_people_a_hundred_a_page_counted_from_one(served):
    for n in range(100):
        served.forum.add_user(f"member{n}", None, NOON + n * MINUTE)
    path = "/admin/users/list/active.json?order=created&asc=true"
    first, same, second, third = (served.get(f"{path}&page={page}") for page in (0, 1, 2, 3))
    assert first == same
    assert [len(page) for page in (first, second, third)] == [100, 2, 0]
    assert "system" not in {user["username"] for user in first}
    assert "email" not in first[0]
    served.get(path, status=404, headers={"Api-Username": "ada"})


def test_the_directory_needs_a_period_and_adds_the_reader(served):
    assert served.get("/directory_items.json", status=400)["error_type"] == "invalid_parameters"
    served.get("/directory_items.json?period=hourly", status=403)
    served.topic()
    items = served.get(
        "/directory_items.json?period=all&order=post_count", headers={"Api-Username": "bob"}
    )["directory_items"]
    assert [(one["id"], one["post_count"]) for one in items] == [
        (served.bob, 0),
        (served.ada, 1),
        (served.bob, 0),
    ]


def test_the_members_of_a_group(served):
    served.forum.add_group("helpers", NOON, members=[served.ada])
    members = served.get("/groups/helpers/members.json?limit=1000")
    assert [member["username"] for member in members["members"]] == ["ada"]
    served.get("/groups/helpers/members.json?limit=1001", status=400)


def test_the_review_queue_has_ten_a_page_with_everything_beside(served):
    _, posts = served.topic(replies=11)
    for post in posts[1:]:
        served.forum.flag(post, served.ada, "spam", NOON)
    served.forum.review(1, "rejected", -1, NOON)
    path = "/review.json?status=all&sort_order=created_at_asc"
    first, second = served.get(path), served.get(f"{path}&offset=10")
    assert [len(page["reviewables"]) for page in (first, second)] == [10, 1]
    assert first["meta"]["total_rows_reviewables"] == 11
    assert first["meta"]["load_more_reviewables"] == "/review?offset=10"
    assert first["reviewables"][0]["status"] == 2
    assert first["reviewable_scores"][0]["status"] == 2
    assert "load_more_reviewables" not in second["meta"]
    assert len(served.get("/review.json")["reviewables"]) == 10  # those that wait
    served.get("/review.json?status=odd", status=400)


def test_the_staff_log_tells_who_did_what_to_whom(served):
    _, posts = served.topic(replies=1)
    served.forum.delete_post(posts[1], -1, NOON)
    (entry,) = served.get("/admin/logs/staff_action_logs.json")["staff_action_logs"]
    assert (entry["action_name"], entry["action"], entry["post_id"]) == (
        "delete_post",
        17,
        posts[1],
    )
    names = (entry["acting_user"]["username"], entry["target_user"]["username"])
    assert names == ("system", "bob")
    served.get("/admin/logs/staff_action_logs.json?limit=201", status=400)


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_solutions_of_every_generation_show_on_posts_and_topics(serve, generation):
    served = serve(solved=generation)
    topic, posts = served.topic(replies=2)
    served.forum.accept(posts[2], served.ada, NOON + MINUTE * 9)
    whole = served.get(f"/t/{topic}.json")
    assert [p["accepted_answer"] for p in whole["post_stream"]["posts"]] == [False, False, True]
    answer = whole["accepted_answers"][0] if generation == 3 else whole["accepted_answer"]
    assert (answer["post_number"], answer["username"]) == (3, "bob")
    (row,) = served.get("/latest.json")["topic_list"]["topics"]
    assert row["has_accepted_answer"] is True
    served.forum.unaccept(posts[2], NOON)
    again = served.get(f"/t/{topic}.json")
    assert not any(post["accepted_answer"] for post in again["post_stream"]["posts"])


def test_a_forum_without_the_plugin_says_nothing_of_solutions(serve):
    served = serve(solved=None)
    topic, _ = served.topic()
    whole = served.get(f"/t/{topic}.json")
    assert "accepted_answers" not in whole
    assert "accepted_answer" not in whole["post_stream"]["posts"][0]


def test_the_site_counts_and_names_itself(served):
    served.topic(replies=2)
    about = served.get("/about.json")["about"]
    assert (about["stats"]["topics_count"], about["stats"]["posts_count"]) == (1, 3)
    assert about["version"] == served.switches.version
    site = served.get("/site.json")
    assert [category["slug"] for category in site["categories"]] == ["support"]
    assert {group["id"]: group["name"] for group in site["groups"]}[2] == "moderators"


def test_categories_come_all_at_once_unless_the_site_is_lazy(serve):
    served = serve()
    for n in range(24):
        served.forum.add_category(f"Area {n}", f"area-{n}", NOON)
    for n in range(7):
        served.forum.add_category(f"Part {n}", f"part-{n}", NOON, parent_id=served.category)
    path = "/categories.json?include_subcategories=true"

    def shape(page: int) -> list[int]:
        listed = served.get(f"{path}&page={page}")["category_list"]["categories"]
        return [len(category["subcategory_list"]) for category in listed]

    assert shape(1) == shape(2) == [7] + [0] * 24
    assert len(served.get("/site.json")["categories"]) == 32
    served.switches.lazy_categories = True
    assert (shape(1), shape(2), shape(3)) == ([5] + [0] * 19, [0] * 5, [])
    assert served.get("/site.json")["categories"] == []


def test_the_topic_that_describes_a_category_is_not_listed_unless_the_site_says_so(serve):
    served = serve()
    topic, _ = served.topic()
    served.forum.change("categories", served.category, topic_id=topic)
    assert listed(served, "/latest.json") == []
    served.switches.category_definitions_listed = True
    assert listed(served, "/latest.json") == [topic]


def test_members_print_five_times_an_hour_and_admins_always(served):
    topic, _ = served.topic()
    path, member = f"/t/{topic}.json?print=true", {"Api-Username": "ada"}
    statuses = [served.ask("GET", path, headers=member).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [422]
    assert {served.ask("GET", path).status_code for _ in range(7)} == {200}
    served.seconds[0] += 3600
    assert served.ask("GET", path, headers=member).status_code == 200
