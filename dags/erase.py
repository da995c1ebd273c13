"""Clear a person from everything Hearth keeps of a community, one DAG a community, started by hand.

One task: `hearth erase`. It publishes the last night anew without the person, removes older nights and
copies, and leaves a certificate that names nobody in `erasures/` below the community's home. It cannot be
undone.

## Run book

| when | how |
|---|---|
| a person asked to be forgotten | delete or anonymise the account at the source first, then trigger this with `source` and `account` |
| it failed or was killed half-way | clear the task: it goes on, also where the account is not held any more |
| "nothing ... is held" | nothing was changed: look at `source` and `account`, or it is cleared already |
| "another night runs already", "other machines may still read" | it waits until that night has ended |
| afterwards | delete this run: Airflow keeps its parameters, and `account` is one of them. Give the account's number, not its name |
| exports and backups made elsewhere | are yours to clear |
"""

from __future__ import annotations

from airflow.sdk import Param, task
from hearth_dags import alone, dag_of, published

from pipeline import steps


def erase(community):
    """The DAG of one community."""

    @dag_of(
        "erase",
        community,
        __doc__,
        params={
            "source": Param(type="string", description="where the account is"),
            "account": Param(type="string", description="its number or id, or its user name"),
        },
    )
    def forget():
        @task(task_id="erase", outlets=[published(community)])
        def clear(params=None):
            alone(community, steps.erase, params["source"], params["account"], community)

        clear()

    return forget()


for name in steps.communities():
    globals()[f"hearth_erase_{name}"] = erase(name)
