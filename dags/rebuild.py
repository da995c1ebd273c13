"""Derive and publish a community's tables anew, one DAG a community, started by hand.

rebuild -> validate -> publish, without the network. Typed tables, marts and judgements are made from the
records again, as of the moment `as_of` (null: the last night's). With `from_landing` the records too are
read again from all that ever landed; the old work file stays beside the new one until the next time.

## Run book

| when | how |
|---|---|
| definitions or models changed and should hold for all that is kept | trigger it as it is |
| the work file is damaged, or the disk was lost and landing is on object storage | `from_landing` |
| numbers as they stood at an earlier moment (backfill) | `as_of`; deletions and edits since then are known, so they are not shown |
| days were missed | not this: the next night reads all that was missed, windows come from what is held |
| "another night runs already" | it waits until that night has ended |

What it publishes wakes the same DAGs as a night does. Every task may be cleared and run again.
"""

from __future__ import annotations

from airflow.sdk import Param, chain, task
from hearth_dags import alone, dag_of, published

from pipeline import steps


def rebuild(community):
    """The DAG of one community."""

    @dag_of(
        "rebuild",
        community,
        __doc__,
        params={
            "as_of": Param(
                None, type=["null", "string"], description="ISO time; null: last night's"
            ),
            "from_landing": Param(False, type="boolean", description="make the work file anew too"),
        },
    )
    def anew():
        @task(task_id="rebuild")
        def derive(params=None):
            night = alone(community, steps.last_night, community, params["as_of"])
            alone(community, steps.rebuild, night, from_landing=params["from_landing"])
            return night

        def verb(step, **options):
            return task(task_id=step.__name__, **options)(
                lambda night: alone(community, step, night)
            )

        night = derive()
        chain(
            verb(steps.validate)(night), verb(steps.publish, outlets=[published(community)])(night)
        )

    return anew()


for name in steps.communities():
    globals()[f"hearth_rebuild_{name}"] = rebuild(name)
