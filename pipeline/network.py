"""Where each person stands in a reply network: the one measure that SQL would need hours for."""

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
TIES = "STRUCT(a VARCHAR, b VARCHAR)[]"
PLACES = "STRUCT(person_id VARCHAR, betweenness DOUBLE, is_in_largest_component BOOLEAN)[]"
AT_ONCE = 1_000_000  # people times those whose shortest paths are followed together; bounds memory


def teach(db: duckdb.DuckDBPyConnection) -> None:
    """Let this connection's SQL call `network_places(ties)`, see `places`."""
    known = db.execute("FROM duckdb_functions() WHERE function_name = 'network_places'")
    if not known.fetchall():
        db.create_function("network_places", places, [TIES], PLACES)


def places(ties: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Each person named in `ties`, their betweenness, and whether most others can be reached.

    ties         {a, b}: two people with something between them; neither direction nor repetition
                 counts
    betweenness  part (0 to 1) of all pairs of others whose shortest paths lead through them, each
                 path its share (Freeman 1977); estimated for more than EXACT_PEOPLE, null for more
                 than MOST_PEOPLE
    Of equally large components the one with the first person by id is the largest.
    """
    people = sorted({person for tie in ties for person in tie.values()})
    number = {person: n for n, person in enumerate(people)}
    a = [number[tie["a"]] for tie in ties]
    b = [number[tie["b"]] for tie in ties]
    graph = csr_array((np.ones(2 * len(ties)), (a + b, b + a)), shape=(len(people),) * 2)
    graph.data[:] = 1
    _, components = connected_components(graph, directed=False)
    largest = np.bincount(components).argmax()
    between = betweenness(graph) if len(people) <= MOST_PEOPLE else [None] * len(people)
    return [
        {"person_id": person, "betweenness": value, "is_in_largest_component": bool(inside)}
        for person, value, inside in zip(people, between, components == largest, strict=True)
    ]


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
