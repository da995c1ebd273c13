"""The verbs: what a DAG, cron or the command line may ask for. Those of a night, in their order:
plan, extract, load, build, score, validate, publish, digest, write_reports, conclude, wrap_up.

Each takes and returns plain data (it travels between processes), may run twice, and writes only
below the community's home. Heavy libraries are imported where they are used, so that this module is
quick to import: the scheduler does it again and again.
"""

from pipeline.steps.ending import conclude, tell_failure, watch, wrap_up, write_reports
from pipeline.steps.learning import learn
from pipeline.steps.meaning import build, publish, rebuild, score, validate
from pipeline.steps.moderation import case_file, digest, give_verdict, preview, send_due
from pipeline.steps.reading import estimate, extract, load, plan
from pipeline.steps.running import at_work, communities, erase, last_night, lend_secrets, run_night
from pipeline.tonight import LONGEST_TASK

__all__ = [
    "LONGEST_TASK",
    "at_work",
    "build",
    "case_file",
    "communities",
    "conclude",
    "digest",
    "erase",
    "estimate",
    "extract",
    "give_verdict",
    "last_night",
    "learn",
    "lend_secrets",
    "load",
    "plan",
    "preview",
    "publish",
    "rebuild",
    "run_night",
    "score",
    "send_due",
    "tell_failure",
    "validate",
    "watch",
    "wrap_up",
    "write_reports",
]
