"""Let a community's moderators teach its models, one DAG a community, every Sunday at four (UTC).

One task: `hearth train --community`. A model that learned from their verdicts is measured beside the one
in use; a better one waits in the shadow until `hearth models --switch-on`. `hearth lab --learned` tries it on
the past; `hearth models` tells why it is used or not, and takes one back.

It is paused when Airflow first sees it, for it needs labelled sets beside what moderators said: set the
Airflow Variable `hearth_labelled_sets` to their folder on the machine of the warehouse, then unpause it.

## Run book

| what you see | what it means | what to do |
|---|---|---|
| "better" in its result | a better model waits in the shadow | `hearth lab --learned`, then `hearth models --switch-on en` |
| "not better" in its result | what was said taught nothing new | nothing: the model in use stays |
| `train` failed, "are needed to learn from" | too little was said yet in every language of the community | nothing, or pause it until more was said |
| `train` failed, "hearth_labelled_sets" | the Variable is not set | set it, clear the task |
| "another night runs already" | it waits until that night has ended | nothing |
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import Variable, task
from hearth_dags import alone, dag_of

from pipeline import steps


def train(community):
    """The DAG of one community."""

    @dag_of(
        "train",
        community,
        __doc__,
        schedule="0 4 * * 0",
        is_paused_upon_creation=True,
    )
    def learning():
        @task(task_id="train")
        def learn():
            sets = Path(Variable.get("hearth_labelled_sets"))
            return alone(community, lambda: list(steps.learn(community, sets)))

        learn()

    return learning()


for name in steps.communities():
    globals()[f"hearth_train_{name}"] = train(name)
