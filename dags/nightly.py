"""Hearth's night, one DAG a community.

plan -> extract (one task a stream of a source) -> load -> build -> score -> validate -> publish
-> digest -> write_reports -> conclude -> wrap_up, which runs however the night went. What each does is in
`pipeline/steps/`; this file only says in which order.

## Run book

| what you see | what it means | what to do |
|---|---|---|
| `plan` failed with FixAccess | a key was refused or a plugin is missing | run `hearth doctor`, fix what it names, clear the task |
| one `extract` failed after retries | that stream stayed as it was last night | nothing tonight: the rest is published and names it as stale; look at its log |
| `load` says a file was damaged | a disk or power fault | nothing: it was set aside in `damaged/` and read again |
| `validate` failed | the data breaks a critical rule; nothing was published, readers keep last night | open the Data Docs it names; when fixed, clear `validate` |
| `conclude` failed, everything else green | published, but a source was stale | see which in its log |
| "in use by another process" | a second night, or a prompt left open on the work file | end it; the task retries by itself |
| "another night runs already" | `hearth nightly` runs from elsewhere | nothing: the task retries; then schedule it in one place only |
| "are free on the disk" | less room than a night may need; nothing was begun | free space or keep less, clear `plan` |
| "rebuild --from-landing" | the work file is damaged or of a version that cannot be brought up to date | do what it says; nothing has to be fetched again |
| days were missed | the server was down | start it once: windows come from what is held, so one night catches up |

`ops/index.html` below the community's home shows all nights, `hearth status` prints it, and
`hearth status --check 26`, from cron on another machine or a watchdog, fails when no night was published
for 26 hours. A DAG of yours that is scheduled on the asset `hearth_<community>_published` starts after
each publish. There are no pools to create: what a pool would ration is rationed where
that also holds for cron and the command line. Requests to a source are limited by its budget (a file, or
Redis between machines); the one writer is guarded by the order of a community's tasks, its lock and the
queue `warehouse`. A pool that nobody created would silently stop every task. With many workers,
extraction runs in the queue `default`.

Every task may be cleared and run again. Settings are read from hearth.toml (`HEARTH_SETTINGS`);
secrets from the environment, or from Airflow connections: `hearth_<community>_<source>` (its password is
the key or token, its login the Rocket.Chat user id) and `hearth_<community>` (its password is the
pseudonym key).
"""

from __future__ import annotations

from airflow.sdk import Param, chain, task
from hearth_dags import TASKS, dag_of, in_a_night, published

from pipeline import steps


def nightly(community, schedule):
    """The DAG of one community."""

    @dag_of(
        "nightly",
        community,
        __doc__,
        schedule=schedule,
        default_args=TASKS,
        params={"as_of": Param(None, type=["null", "string"], description="ISO time; null: now")},
    )
    def night_of():
        @task
        def plan(params=None, ti=None):
            planned = in_a_night(community, steps.plan, community, params["as_of"])
            ti.xcom_push("night", planned["night"])
            return planned["units"]

        @task(queue="default")
        def extract(night, unit):
            return in_a_night(community, steps.extract, night, unit)

        def verb(step, **options):
            return task(task_id=step.__name__, **options)(
                lambda night: in_a_night(community, step, night)
            )

        @task(trigger_rule="all_done")
        def wrap_up():
            in_a_night(community, steps.wrap_up, community)

        units = plan()
        night = units["night"]
        landed = extract.partial(night=night).expand(unit=units)
        # A stream that failed keeps last night's state; what did arrive is worth a night.
        loaded = verb(steps.load, trigger_rule="all_done_min_one_success")(night)
        rest = [
            verb(steps.build)(night),
            verb(steps.score)(night),
            verb(steps.validate)(night),
            verb(steps.publish, outlets=[published(community)])(night),
            verb(steps.digest)(night),
            verb(steps.write_reports)(night),
            verb(steps.conclude)(night),
        ]
        # A teardown runs however the night went and does not make a failed one green.
        chain(landed, loaded, *rest, wrap_up().as_teardown())

    return night_of()


for name, schedule in steps.communities().items():
    globals()[f"hearth_nightly_{name}"] = nightly(name, schedule)
