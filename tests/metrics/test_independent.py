"""Metrics against independent libraries, on random data."""

from datetime import date, datetime, timedelta

import networkx
import numpy as np
import pytest
import ruptures
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline import build, network
from pipeline.contracts import contracts
from pipeline.warehouse import insert

MONDAY = date(2026, 3, 2)  # the moment of `tables`
random_data = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def made(db, given_table, rows, table, asked, fill=None):
    """Rows of `table` built from these rows alone."""
    db.begin()
    try:
        insert(db, given_table, [{**(fill or {}), **row} for row in rows])
        build.make(db, contracts()[table])
        return db.execute(f"SELECT {asked} FROM {table}").fetchall()
    finally:
        db.rollback()


some_waits = st.lists(
    st.tuples(st.integers(1, 40).map(lambda n: n / 4), st.booleans()), min_size=20, max_size=60
)


def wait_times(tables, waits, asked):
    rows = [
        {"thread_id": str(n), "waited_h": waited, "has_happened": happened}
        for n, (waited, happened) in enumerate(waits)
    ]
    fill = {
        "source": "forum",
        "population": "topics",
        "event": "response",
        "asker": "regular",
        "created_at": "2026-02-25 12:00:00",
        "created_day": "2026-02-25",
        "age_h": 10.0,
    }
    return made(tables, "marts.waits", rows, "marts.wait_times", f"DISTINCT {asked}", fill)


def survival(waits):
    still = [not happened for _, happened in waits]
    return stats.ecdf(stats.CensoredData.right_censored([w for w, _ in waits], still)).sf


@random_data
@given(some_waits)
def test_kaplan_meier(tables, waits):
    found = wait_times(tables, waits, "p50_h, p75_h, p90_h")
    curve = survival(waits)
    assert found == [tuple(percentile(curve, waits, p) for p in (0.5, 0.75, 0.9))]


@random_data
@given(some_waits)
@pytest.mark.filterwarnings("ignore:The confidence interval is undefined")
def test_intervals_of_percentiles(tables, waits):
    asked = "p50_low_h, p50_high_h, p90_low_h, p90_high_h"
    curve = survival(waits)
    with np.errstate(all="ignore"):
        bands = curve.confidence_interval(0.95, method="log-log")
    low = np.nan_to_num(bands.low.probabilities, nan=0.0)
    high = np.nan_to_num(bands.high.probabilities, nan=1.0)
    wanted = [
        first_time(curve.quantiles, band, waits, p) for p in (0.5, 0.1) for band in (low, high)
    ]
    assert wait_times(tables, waits, asked) == [tuple(wanted)]


def first_time(times, band, waits, level):
    served = {waited for waited, happened in waits if happened}
    return next((t for t, b in zip(times, band, strict=True) if t in served and b <= level), None)


def percentile(curve, waits, p):
    times = sorted({waited for waited, happened in waits if happened})
    return next((t for t in times if curve.evaluate(t) <= 1 - p + 1e-9), None)


@random_data
@given(st.lists(st.integers(1, 2000), min_size=5, max_size=60))
def test_concentration(tables, contributions):
    rows = [{"person_id": f"p{n:03}", "messages": made} for n, made in enumerate(contributions)]
    fill = {
        "week": str(MONDAY),
        "source": "forum",
        "helps": 0,
        "reactions": 0,
        "weeks_active": 1,
        "contribution": 0,
        "tier": "user",
        "reason": "active",
    }
    [(factor, gini, hhi, top)] = made(
        tables,
        "marts.standings",
        rows,
        "marts.concentration",
        "absence_factor, gini, hhi, top_10_rate",
        fill,
    )
    x = np.sort(np.array(contributions, dtype=float))[::-1]
    assert factor == 1 + int(np.argmax(np.cumsum(x) >= x.sum() / 2))
    assert gini == pytest.approx(np.abs(x[:, None] - x).mean() / 2 / x.mean())
    assert hhi == pytest.approx(((x / x.sum()) ** 2).sum())
    assert top == (pytest.approx(x[:10].sum() / x.sum()) if len(x) >= 20 else None)


@random_data
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")).filter(
            lambda e: e[0] != e[1]
        ),
        st.integers(1, 9),
        min_size=1,
        max_size=30,
    )
)
def test_reply_network(tables, edges):
    rows = [
        {"source": "forum", "asker_id": a, "replier_id": b, "replies": n}
        for (a, b), n in edges.items()
    ]
    found = made(
        tables,
        "marts.reply_edges",
        rows,
        "marts.reply_network",
        "person_id, page_rank, returned_replies, betweenness, is_in_largest_component",
    )
    graph = networkx.DiGraph()
    graph.add_weighted_edges_from((a, b, n) for (a, b), n in edges.items())
    ranks = networkx.pagerank(graph, tol=1e-12, max_iter=1000)
    assert {person: rank for person, rank, *_ in found} == pytest.approx(ranks, abs=1e-4)
    returned = sum(min(n, edges.get((b, a), 0)) for (a, b), n in edges.items())
    assert sum(gave_back for _, _, gave_back, *_ in found) == returned
    ties = graph.to_undirected()
    between = networkx.betweenness_centrality(ties)
    assert {person: share for person, _, _, share, _ in found} == pytest.approx(between)
    largest = max(
        networkx.connected_components(ties), key=lambda group: (len(group), -ord(min(group)))
    )
    assert {person for person, *_, inside in found if inside} == largest


@pytest.mark.slow
def test_betweenness_of_many_people_is_near_the_exact_one():
    """The errors told in the passport of marts.reply_network."""
    people = network.EXACT_PEOPLE + 100
    graph = networkx.barabasi_albert_graph(people, 3, seed=1)
    edges = [{"asker_id": f"{a:05}", "replier_id": f"{b:05}", "replies": 1} for a, b in graph.edges]
    found = [place["betweenness"] for place in network.places(edges)]
    exact = networkx.betweenness_centrality(graph)
    highest = max(exact.values())
    assert max(abs(found[n] - exact[n]) for n in graph) < 0.05 * highest
    foremost = sorted(exact, key=exact.get)[-20:]
    assert len(set(foremost) & set(np.argsort(found)[-20:])) >= 17
    assert found == [place["betweenness"] for place in network.places(edges)]


def test_too_many_people_for_betweenness(monkeypatch):
    monkeypatch.setattr(network, "MOST_PEOPLE", 2)
    edges = [
        {"asker_id": asker, "replier_id": replier, "replies": 1}
        for asker, replier in (("anna", "bo"), ("bo", "cid"))
    ]
    found = network.places(edges)
    assert [place["person_id"] for place in found] == ["anna", "bo", "cid"]
    assert [place["betweenness"] for place in found] == [None, None, None]


@random_data
@given(st.lists(st.integers(0, 300), min_size=8, max_size=13))
def test_theil_sen_and_mann_kendall(tables, weekly):
    first = MONDAY - timedelta(7 * len(weekly))
    rows = [
        {
            "metric": "messages",
            "source": "forum",
            "day": str(first + timedelta(7 * week + day)),
            "value": value if day == 0 else 0,
        }
        for week, value in enumerate(weekly)
        for day in range(7)
    ]
    [(slope, ols, s, p, median, mad, sd)] = made(
        tables,
        "marts.series",
        rows,
        "marts.trends",
        "theil_sen_slope, ols_slope, mann_kendall_s, mann_kendall_p, median, median_absolute_deviation,"
        " standard_deviation",
    )
    x, y = np.arange(len(weekly)), np.array(weekly, dtype=float)
    assert slope == pytest.approx(stats.theilslopes(y, x).slope, abs=1e-9)
    assert ols == pytest.approx(stats.linregress(x, y).slope, abs=1e-9)
    assert (median, mad) == (np.median(y), pytest.approx(stats.median_abs_deviation(y)))
    assert sd == pytest.approx(y.std(ddof=1))
    assert (s, p) == mann_kendall(x, y)


def mann_kendall(x, y):
    """S, and p with the correction for continuity; the variance is taken out of SciPy's own p."""
    s = int(np.sign(y[None, :] - y[:, None])[np.triu_indices(len(y), 1)].sum())
    if s == 0:
        return s, pytest.approx(1, abs=1e-6)
    plain = stats.kendalltau(x, y, method="asymptotic").pvalue
    deviation = abs(s) / stats.norm.isf(plain / 2)
    return s, pytest.approx(2 * stats.norm.sf((abs(s) - 1) / deviation), abs=1e-6)


@random_data
@given(st.integers(5, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval(tables, share):
    part, whole = share
    found = tables.execute(
        f"SELECT rate_low({part}, {whole}), rate_high({part}, {whole})"
    ).fetchone()
    interval = stats.binomtest(part, whole).proportion_ci(0.95, "wilson")
    assert found == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_burst_of_people_counts_once_in_a_window(tables):
    """Rolling distinct people by the window's arithmetic and by counting sets."""
    random = np.random.default_rng(7)
    acts = {(int(p), int(d)) for p, d in random.integers([0, 0], [25, 60], (300, 2))}
    first = MONDAY - timedelta(60)
    days = [first + timedelta(n) for n in range(60)]
    tables.begin()
    try:
        insert(
            tables,
            "marts.calendar",
            [
                {
                    "day": str(d),
                    "week": str(d),
                    "month": str(d),
                    "weekday": 1,
                    "as_of_day": str(MONDAY),
                    "is_over": True,
                    "is_final": False,
                }
                for d in days
            ],
        )
        insert(
            tables,
            "marts.person_days",
            [
                {
                    "source": "forum",
                    "person_id": str(p),
                    "day": str(days[d]),
                    "messages": 1,
                    "helps": 0,
                    "reactions": 0,
                }
                for p, d in acts
            ],
        )
        build.make(tables, contracts()["marts.active_people"])
        found = tables.execute(
            "SELECT daily_people, weekly_people, monthly_people FROM marts.active_people"
            " WHERE source = 'forum' ORDER BY day"
        ).fetchall()
    finally:
        tables.rollback()
    start = min(d for _, d in acts)

    def people(day, window):
        if day < start + window - 1:
            return None
        return len({p for p, d in acts if day - window < d <= day})

    assert found == [tuple(people(n, w) for w in (1, 7, 30)) for n in range(start, 60)]


@random_data
@given(
    st.lists(st.tuples(st.integers(14, 60), st.integers(0, 400)), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_change_points(tables, levels, seed):
    random = np.random.default_rng(seed)
    values = np.concatenate([random.poisson(mean, days) for days, mean in levels])
    first = MONDAY - timedelta(len(values))
    rows = [
        {"metric": "messages", "source": "forum", "day": str(first + timedelta(n)), "value": value}
        for n, value in enumerate(values.tolist())
    ]
    found = made(tables, "marts.series", rows, "marts.change_points", "day - '2026-03-02'::DATE")
    logs = np.log1p(values)
    weekdays = np.arange(len(values)) % 7
    x = logs - np.array([np.median(logs[weekdays == day]) for day in weekdays])
    weeks = np.convolve(x, np.ones(7) / 7, "valid")
    noise = 7 * np.mean((weeks[7:] - weeks[:-7]) ** 2) / 2 if len(x) >= 14 else 0
    search = ruptures.Binseg(model="l2", min_size=14, jump=1).fit(x)
    *cuts, _ = search.predict(pen=2 * noise * np.log(len(x)))
    assert sorted(day for (day,) in found) == [cut - len(values) for cut in cuts]


@random_data
@given(
    *[
        st.lists(
            st.tuples(st.integers(1, 40).map(lambda n: n / 4), st.booleans()),
            min_size=20,
            max_size=40,
        )
    ]
    * 2
)
def test_log_rank(tables, newcomers, regulars):
    asked = [("newcomer", *wait) for wait in newcomers] + [("regular", *wait) for wait in regulars]
    rows = [
        {"thread_id": str(n), "asker": asker, "waited_h": waited, "has_happened": happened}
        for n, (asker, waited, happened) in enumerate(asked)
    ]
    fill = {
        "source": "forum",
        "population": "topics",
        "event": "response",
        "created_at": "2026-02-25 12:00:00",
        "created_day": "2026-02-25",
        "age_h": 10.0,
    }
    found = made(
        tables, "marts.waits", rows, "marts.response_gaps", "aspect, group_name, log_rank_p", fill
    )
    sides = [
        stats.CensoredData.right_censored([w for w, _ in side], [not done for _, done in side])
        for side in (newcomers, regulars)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        p = stats.logrank(*sides).pvalue
    same = {group: value for aspect, group, value in found if aspect == "asker"}
    expected = None if np.isnan(p) else pytest.approx(p, abs=1e-6)
    assert same == {"newcomer": expected, "regular": expected}


@random_data
@given(
    st.tuples(*[st.integers(5, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))] * 2)
)
def test_interval_of_a_gap(tables, shares):
    rows = [
        {
            "thread_id": f"{asker}{n}",
            "asker": asker,
            "waited_h": 1.0 if n < part else 30.0,
            "has_happened": True,
        }
        for asker, (part, whole) in zip(("newcomer", "regular"), shares, strict=True)
        for n in range(whole)
    ]
    fill = {
        "source": "forum",
        "population": "topics",
        "event": "response",
        "created_at": "2026-02-25 12:00:00",
        "created_day": "2026-02-25",
        "age_h": 40.0,
    }
    found = made(
        tables, "marts.waits", rows, "marts.response_gaps", "group_name, gap_low, gap_high", fill
    )
    [(low, high)] = [interval for group, *interval in found if group == "newcomer"]
    (a, n), (b, m) = shares
    expected = proportion_gap(a, n, b, m)
    assert (low, high) == pytest.approx(expected, abs=1e-6)


def proportion_gap(a, n, b, m):
    """Newcombe's interval of a / n - b / m out of SciPy's Wilson intervals."""
    own, other = (stats.binomtest(*s).proportion_ci(0.95, "wilson") for s in ((a, n), (b, m)))
    gap = a / n - b / m
    low = np.hypot(a / n - own.low, other.high - b / m)
    high = np.hypot(own.high - a / n, b / m - other.low)
    return gap - low, gap + high


@random_data
@given(st.lists(st.integers(0, 5000), min_size=20, max_size=60))
def test_burstiness(tables, minutes):
    start = datetime(2026, 2, 20)
    rows = [
        {"message_id": str(n), "thread_id": "1", "created_at": str(start + timedelta(minutes=m))}
        for n, m in enumerate(minutes)
    ]
    fill = {
        "source": "forum",
        "channel_id": "5",
        "created_day": "2026-02-20",
        "kind": "regular",
        "is_first": False,
        "is_human": True,
        "is_staff": False,
        "is_private": False,
        "is_deleted": False,
        "is_countable": True,
        "likes": 0,
        "characters": 0,
    }
    found = made(tables, "marts.messages", rows, "marts.burstiness", "DISTINCT burstiness", fill)
    gaps = np.diff(np.sort(minutes))
    spread, mean = gaps.std(), gaps.mean()
    assert found == [(pytest.approx((spread - mean) / (spread + mean)) if mean else None,)]
