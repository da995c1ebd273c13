"""Send digests that were held back for their readers' hour, one DAG a community, every hour.

One task: `hearth digest --due`. It sends what of the last published night has become due, each edition
once; most hours there is nothing to do. Which hours and days readers have, and their quiet hours, stands
in hearth.toml.

## Run book

| what you see | what it means | what to do |
|---|---|---|
| `morning` failed with a channel's name | mail server, forum or chat refused it | fix what it names; the next hour tries again, nothing is sent twice |
| it waits: "another night runs already" | a night is at work | nothing: it goes on when that has ended |
"""

from __future__ import annotations

from airflow.sdk import task
from hearth_dags import dag_of, lend_secrets

from pipeline import steps


def morning(community):
    """The DAG of one community."""

    @dag_of("morning", community, __doc__, schedule="5 * * * *")
    def due():
        @task(task_id="morning")
        def send():
            lend_secrets()
            return steps.send_due(community)

        send()

    return due()


for name in steps.communities():
    globals()[f"hearth_morning_{name}"] = morning(name)
