"""The Data Explorer of the sandbox: stored SQL, its parameters, its limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.sandbox.discourse import READ_KEY, Key, Limits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW, OLD = "/admin/plugins/discourse-data-explorer/queries", "/admin/plugins/explorer/queries"


def made(served, sql, root=NEW, **more):
    answer = served.ask("POST", f"{root}.json", json={"query": {"name": "q", "sql": sql, **more}})
    assert answer.status_code == 200
    return answer.json()["query"]


def ran(served, query, root=NEW, **sent):
    return served.ask("POST", f"{root}/{query}/run.json", data=sent)


def test_a_query_is_stored_changed_listed_and_hidden(served):
    query = made(served, "SELECT 1 AS one", description="v1")
    assert (query["id"], query["username"], query["param_info"]) == (1, "system", [])
    changed = served.ask("PUT", f"{NEW}/1.json", json={"query": {"sql": "SELECT 2 AS two"}})
    assert (changed.json()["query"]["sql"], changed.json()["query"]["name"]) == (
        "SELECT 2 AS two",
        "q",
    )
    listed = served.get(f"{NEW}.json")
    assert [one["id"] for one in listed["queries"]] == [1]
    gone = served.ask("DELETE", f"{NEW}/1.json").json()
    assert gone == {"success": True, "errors": []}
    assert served.get(f"{NEW}.json")["queries"] == []
    assert ran(served, 1).status_code == 404


def test_groups_must_be_named_again_at_each_change(served):
    group = served.forum.add_group("readers", NOON)
    query = made(served, "SELECT 1", group_ids=[group])
    assert query["group_ids"] == [group]
    changed = served.ask("PUT", f"{NEW}/1.json", json={"query": {"name": "r"}})
    assert changed.json()["query"]["group_ids"] == []


def test_a_run_gives_columns_and_rows(served):
    made(served, "SELECT id, username FROM users WHERE id > 0 ORDER BY id")
    answer = ran(served, 1, download="true", limit="1")
    body = answer.json()
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (body["success"], body["errors"], body["result_count"]) == (True, [], 1)
    assert (body["columns"], body["rows"]) == (["id", "username"], [[1, "ada"]])
    assert body["default_limit"] == 1000
    assert "relations" not in body
    assert "relations" in ran(served, 1).json()


def test_values_have_the_types_of_the_plugins_json(served):
    sql = (
        "SELECT 1 AS i, 1.5::float8 AS f, true AS b, 2.50::numeric(5, 2) AS n, 'é' AS t, NULL AS nothing,"
        " TIMESTAMP '2026-03-01 10:00:00.123456' AS ts, ARRAY[1, 2] AS a, now() AS now"
    )
    assert served.rows(sql) == [
        [
            1,
            1.5,
            True,
            "2.50",
            "é",
            None,
            "2026-03-01T10:00:00.123Z",
            "{1,2}",
            "2026-03-01T12:00:00.000Z",
        ]
    ]


def test_microseconds_survive_as_numbers(served):
    at = datetime(2026, 3, 1, 11, 0, 0, 654321, tzinfo=UTC)
    served.topic(at=at)
    sql = "SELECT (extract(epoch from created_at)*1000000)::bigint AS us FROM posts"
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert served.rows(sql) == [[(at - epoch) // timedelta(microseconds=1)]]


def test_arithmetic_and_order_are_postgresqls(served):
    sql = "SELECT x / 2 AS half FROM (VALUES (7), (NULL)) AS t(x) ORDER BY x DESC"
    assert served.rows(sql) == [[None], [3]]


def test_a_thousand_rows_come_unless_asked_for_up_to_ten_thousand(served):
    made(served, "SELECT n FROM generate_series(1, 20000) AS s(n)")
    assert ran(served, 1).json()["result_count"] == 1000
    assert ran(served, 1, limit="10000").json()["result_count"] == 10_000
    for limit in ("10001", "ALL", "-1"):
        answer = ran(served, 1, limit=limit)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_parameters")


def test_an_old_plugin_gives_all_rows(serve):
    served = serve(explorer_max_limit=None)
    made(served, "SELECT n FROM generate_series(1, 20000) AS s(n)")
    assert ran(served, 1, limit="ALL").json()["result_count"] == 20_000


PARAMS = """
-- [params]
-- int :after = 5
-- null bigint :big
-- string :word = x y
-- int_list :ids = 1, 2
-- null datetime :since
SELECT :after AS after, :big AS big, :word AS word, 3 IN (:ids) AS listed, :since AS since
"""


def test_parameters_are_declared_cast_and_bound(served):
    info = {one["identifier"]: one for one in made(served, PARAMS)["param_info"]}
    assert info["after"] == {
        "identifier": "after",
        "type": "int",
        "default": "5",
        "nullable": False,
    }
    assert info["big"]["nullable"] is True
    assert served.rows(PARAMS) == [[5, None, "x y", False, None]]
    given = {"after": "7", "big": str(2**40), "word": "it's; :after", "ids": "3,4"}
    assert served.rows(PARAMS, **given, since="2026-03-01T00:00:00") == [
        [7, 2**40, "it's; :after", True, "2026-03-01T00:00:00.000Z"]
    ]
    assert served.rows(PARAMS, big="#null") == [[5, None, "x y", False, None]]


@pytest.mark.parametrize(
    ("sql", "params", "words"),
    [
        ("-- [params]\n-- int :n\nSELECT :n AS n", {}, "Missing parameter n of type int"),
        ("-- [params]\n-- int :n\nSELECT :n AS n", {"n": "x"}, "Invalid value for n"),
        ("-- [params]\n-- int :n\nSELECT :n AS n", {"n": str(2**31)}, "Invalid value for n"),
        ("SELECT 1;", {}, "Remove the semicolons"),
        ("SELECT ';' AS s", {}, "Remove the semicolons"),
        ("SELECT nothing FROM posts", {}, "PG::UndefinedColumn"),
        ("SELECT 1 FROM nothing", {}, "PG::UndefinedTable"),
        ("SELEKT 1", {}, "PG::SyntaxError"),
        ("DELETE FROM posts", {}, "PG::"),
        ("SELECT * FROM read_text('/etc/hostname')", {}, "PG::"),
    ],
)
def test_what_cannot_run_is_422_with_the_reason(served, sql, params, words):
    served.topic()
    answer = served.sql(sql, **params)
    assert answer.status_code == 422
    assert answer.json()["success"] is False
    assert words in answer.json()["errors"][0]
    assert served.forum.read("SELECT count(*) AS n FROM posts") == [{"n": 1}]


def test_a_statement_may_take_too_long(serve):
    served = serve(explorer_times_out=lambda sql, limit: limit is None or limit > 100)
    made(served, "SELECT 1 AS one")
    late = ran(served, 1, limit="101")
    assert late.status_code == 422
    assert "canceling statement due to statement timeout" in late.json()["errors"][0]
    assert ran(served, 1, limit="100").status_code == 200


def test_the_schema_can_be_asked_for_as_in_postgresql(served):
    sql = (
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = 'topic_tags' ORDER BY ordinal_position"
    )
    assert served.rows(sql) == [
        ["id", "integer"],
        ["topic_id", "integer"],
        ["tag_id", "integer"],
        ["created_at", "timestamp without time zone"],
        ["updated_at", "timestamp without time zone"],
    ]
    count = "SELECT count(*) AS n FROM information_schema.columns WHERE table_schema <> 'public'"
    assert served.rows(count) == [[0]]


@pytest.mark.parametrize(
    ("generation", "tables"),
    [
        (1, []),
        (2, ["discourse_solved_solved_topics"]),
        (3, ["discourse_solved_solved_topics", "discourse_solved_topic_answers"]),
    ],
)
def test_solutions_are_kept_in_three_generations_of_tables(serve, generation, tables):
    served = serve(solved=generation)
    _, posts = served.topic(replies=1)
    served.forum.accept(posts[1], served.ada, NOON)
    found = served.rows(
        "SELECT DISTINCT table_name FROM information_schema.columns"
        " WHERE table_name LIKE 'discourse_solved%' ORDER BY 1"
    )
    assert [name for (name,) in found] == tables
    where = {
        1: "SELECT value::int AS post FROM topic_custom_fields"
        " WHERE name = 'accepted_answer_post_id'",
        2: "SELECT answer_post_id FROM discourse_solved_solved_topics",
        3: "SELECT answer_post_id FROM discourse_solved_topic_answers",
    }[generation]
    assert served.rows(where) == [[posts[1]]]


def test_old_routes_answer_too_and_point_to_the_new_ones(served):
    query = made(served, "SELECT 1 AS one", root=OLD)
    assert ran(served, query["id"], root=OLD).json()["rows"] == [[1]]
    answer = served.ask("GET", f"{OLD}.json")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{NEW}.json")


def test_an_old_plugin_knows_the_old_routes_only(serve):
    served = serve(explorer_legacy_only=True)
    assert made(served, "SELECT 1 AS one", root=OLD)["id"] == 1
    assert [one["id"] for one in served.get(f"{OLD}.json")["queries"]] == [1]
    served.get(f"{NEW}.json", status=404)


def test_where_it_is_off_every_route_is_404(serve):
    served = serve(explorer=False)
    for root in (NEW, OLD):
        served.get(f"{root}.json", status=404)
        answer = served.ask("POST", f"{root}.json", json={"query": {"sql": "SELECT 1"}})
        assert answer.status_code == 404
    served.get("/data-explorer/queries/1/run.json", status=404)


def test_members_do_not_get_in(served):
    served.get(f"{NEW}.json", status=404, headers={"Api-Username": "ada"})


def test_a_read_key_runs_by_get_and_a_run_key_runs_only(served):
    made(served, "-- [params]\n-- int :n = 1\nSELECT :n AS n")
    path = "/data-explorer/queries/1/run.json?limit=10&params=" + json.dumps({"n": "4"})
    assert served.get(path, headers={"Api-Key": READ_KEY})["rows"] == [[4]]
    served.site.keys["r" * 64] = Key("r" * 64, scopes=("run_queries",))
    runner = {"Api-Key": "r" * 64}
    assert served.ask("POST", f"{NEW}/1/run.json", headers=runner).status_code == 200
    assert served.ask("GET", "/latest.json", headers=runner).status_code == 403


def test_two_runs_in_ten_seconds_are_a_limit_only_where_it_blocks(serve):
    served = serve(limits=Limits(admin_per_minute=None))
    made(served, "SELECT 1 AS one")
    assert [ran(served, 1).status_code for _ in range(4)] == [200] * 4
    served.switches.limits.explorer_blocks = True
    served.seconds[0] += 10
    answers = [ran(served, 1) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["extras"]["wait_seconds"] == 10
    served.seconds[0] += 10
    assert ran(served, 1).status_code == 200


def test_csv_has_names_first_and_nothing_for_null(served):
    made(served, "SELECT 1 AS a, NULL AS b, 'x,y' AS c")
    answer = served.ask("POST", f"{NEW}/1/run.csv", data={})
    assert answer.text == 'a,b,c\n1,,"x,y"\n'
