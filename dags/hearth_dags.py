"""What the DAGs of Hearth share: their frame, what is tried again, with which secrets, and who may
work when."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import Asset, Connection, dag
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
from airflow.sdk.log import mask_secret

from pipeline import steps

# The first rule that fits decides: an error that waiting does not cure fails at once.
BY_ERROR = ExceptionRetryPolicy(
    rules=[
        RetryRule("pipeline.errors.TryLater", RetryAction.RETRY),
        RetryRule("pipeline.errors.HearthError", RetryAction.FAIL),
    ]
)
TASKS = {
    "retries": 4,
    "retry_delay": timedelta(minutes=5),
    "retry_policy": BY_ERROR,
    "execution_timeout": steps.LONGEST_TASK,
    "queue": "warehouse",  # with many workers one takes this queue: a warehouse has one owner
}


def dag_of(verb, community, doc, schedule=None, **options):
    """The decorator of the DAG `hearth_<verb>_<community>`. By default its tasks wait for a night to
    end, see `between_nights`. It runs one at a time, for a warehouse has one writer, and makes up
    for no missed days, for windows come from what is held: one night fetches all that is missing."""
    return dag(
        dag_id=f"hearth_{verb}_{community}",
        schedule=schedule,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        doc_md=doc,
        tags=["hearth"],
        **{"default_args": between_nights(community), **options},
    )


def published(community):
    """The asset that a publish updates; it wakes the DAGs of others."""
    return Asset(f"hearth_{community}_published")


def in_a_night(community, step, *args, **options):
    """Do a step of a scheduled night; others of the same night may run beside it."""
    lend_secrets()
    with steps.at_work(community, shared=True):
        return step(*args, **options)


def alone(community, step, *args, **options):
    """Do a step while nobody else works on the community. Raises NightRuns where a night does."""
    lend_secrets()
    with steps.at_work(community):
        return step(*args, **options)


def between_nights(community):
    """Default arguments of tasks that work `alone`: they wait for a night to end, and mail the
    operators when they fail. (A night mails them itself.)"""

    def tell(context):
        steps.tell_failure(community, context["dag"].dag_id, str(context.get("exception", "")))

    waiting = {"retries": 72, "retry_delay": timedelta(minutes=10)}
    return {**TASKS, **waiting, "on_failure_callback": tell}


def lend_secrets():
    """Give this process the secrets of all communities, and hide them in Airflow's logs."""
    for secret in steps.lend_secrets(_connection):
        mask_secret(secret)


def _connection(name):
    """Login and password of an Airflow connection; nothing where there is none."""
    try:
        found = Connection.get(name)
    except (AirflowNotFoundException, AirflowRuntimeError):
        return None, None
    return found.login, found.password
