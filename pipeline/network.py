"""Where each person stands in a reply network: the measures that SQL would need too long for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    import duckdb

# Betweenness grows with people times ties: exact up to so many people, then by a sample, ...
EXACT_PEOPLE = 2_000
SAMPLE = 1_000
MOST_PEOPLE = 20_000  # ... and above so many even that takes too long
EDGES = "STRUCT(asker_id VARCHAR, replier_id VARCHAR, replies BIGINT)[]"
PLACES = (
    "STRUCT(person_id VARCHAR, page_rank DOUBLE, betweenness DOUBLE,"
    " is_in_largest_component BOOLEAN)[]"
)
# People times those whose shortest paths are followed together: what a processor's cache holds.
AT_ONCE = 100_000
DAMPING = 0.85
ROUNDS = 60


def teach(db: duckdb.DuckDBPyConnection) -> None:
    """Let this connection's SQL call `network_places(edges)`, see `places`."""
    known = db.execute("FROM duckdb_functions() WHERE function_name = 'network_places'")
    if not known.fetchall():
        db.create_function("network_places", places, [EDGES], PLACES)


def places(edges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each person named in `edges`, how they rank, and whether most others can be reached.

    edges        {asker_id, replier_id, replies}: each two people once in each direction
    page_rank    see `page_rank`
    betweenness  part (0 to 1) of all pairs of others whose shortest paths lead through them, each
                 path its share (Freeman 1977), whoever asked whom and however often; estimated for
                 more than EXACT_PEOPLE, null for more than MOST_PEOPLE
    Of equally large components the one with the first person by id is the largest.
    """
    askers, repliers = ([edge[end] for edge in edges] for end in ("asker_id", "replier_id"))
    people = sorted({*askers, *repliers})
    number = {person: n for n, person in enumerate(people)}
    ends = [number[person] for person in repliers], [number[person] for person in askers]
    replies = csr_array(
        (np.array([edge["replies"] for edge in edges], dtype=float), ends), shape=(len(people),) * 2
    )
    ties = csr_array(replies + replies.T)
    ties.data[:] = 1
    _, components = connected_components(ties, directed=False)
    largest = np.bincount(components).argmax()
    between = betweenness(ties) if len(people) <= MOST_PEOPLE else [None] * len(people)
    columns = people, page_rank(replies), between, (components == largest).tolist()
    names = "person_id", "page_rank", "betweenness", "is_in_largest_component"
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def page_rank(replies: csr_array) -> list[float]:
    """PageRank (Page and Brin 1998) of each person, from how often each row's person answered each
    column's.

    Rank flows from those who ask to those who answer; that of people whom nobody answers is spread
    over all."""
    size = replies.shape[0]
    got = replies.sum(axis=0)
    flows = replies / np.where(got > 0, got, 1)
    rank = np.full(size, 1 / size)
    for _ in range(ROUNDS):
        spread = rank[got == 0].sum() / size
        rank = (1 - DAMPING) / size + DAMPING * (flows @ rank + spread)
    return [float(value) for value in rank]


def betweenness(graph: csr_array) -> list[float]:
    """Betweenness of each node of a symmetric 0/1 matrix: Brandes (2001), many sources at once.

    Of more than EXACT_PEOPLE nodes the paths from a sample stand for all (Brandes and Pich 2007);
    the same graph always gives the same sample."""
    size = graph.shape[0]
    sources = np.arange(size)
    if size > EXACT_PEOPLE:
        sources = np.sort(np.random.default_rng(0).choice(size, SAMPLE, replace=False))
    step = max(AT_ONCE // size, 1)
    through = np.zeros(size)
    for first in range(0, len(sources), step):
        through += _through(graph, sources[first : first + step])
    pairs = max((size - 1) * (size - 2), 1)
    return [float(value) for value in through / pairs * (size / len(sources))]


def _through(graph: csr_array, sources: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much of the shortest paths from `sources` leads through each node, ends not counted."""
    starts = np.zeros((graph.shape[0], len(sources)))
    starts[sources, range(len(sources))] = 1
    paths, rings = starts.copy(), [starts > 0]
    reached = starts
    while reached.any():
        reached = np.where(paths == 0, graph @ reached, 0)
        paths += reached
        rings.append(reached > 0)
    share = np.zeros_like(paths)
    for ring, ring_before in zip(rings[:0:-1], rings[-2::-1], strict=True):
        ends = np.divide(1 + share, paths, out=np.zeros_like(paths), where=ring)
        share += np.where(ring_before, paths * (graph @ ends), 0)
    share[sources, range(len(sources))] = 0
    through: NDArray[np.float64] = share.sum(axis=1)
    return through
