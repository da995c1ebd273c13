"""Say so when a community's night is overdue, one DAG a community, every day at nine (UTC).

One task, which fails where no night was published for 26 hours and mails the `operators` of hearth.toml.
Airflow's own deadline alerts are not used. They are called experimental; up to 3.3.2 `airflow dags test`
ends a good run of a DAG that has one with "'dict' object has no attribute 'hex'" (known to Airflow, open),
so no night could be tried by hand; and one that is set on a run says nothing of a night that never began.

## Run book

| what you see | what it means | what to do |
|---|---|---|
| `watch` failed | the last night that readers have is old | the run book of the nightly DAG; `hearth status` shows how far nights came |
| it did not run at all | Airflow is down, and so is this | have somebody else watch too: `ping` in hearth.toml, or `hearth status --check 26` from cron |
"""

from __future__ import annotations

from airflow.sdk import task
from hearth_dags import dag_of, lend_secrets

from pipeline import steps


def watch(community):
    """The DAG of one community."""

    @dag_of("watch", community, __doc__, schedule="0 9 * * *")
    def overdue():
        @task(task_id="watch")
        def look():
            lend_secrets()
            return steps.watch(community)

        look()

    return overdue()


for name in steps.communities():
    globals()[f"hearth_watch_{name}"] = watch(name)
