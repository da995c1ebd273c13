"""What other programs hear of a night: metrics for Prometheus, events for OpenLineage. Both are off
until the settings say where they go, and carry counts and names of places alone: no people, no
text.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.contracts import contracts
from pipeline.errors import FixSettings, SourceDown
from pipeline.files import ours_alone
from pipeline.settings import Community
from pipeline.status import STATES

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
    from prometheus_client import CollectorRegistry

PRODUCER = f"hearth:{__version__}"
_RUNS = uuid.UUID("5b0a7a4e-52b1-5e7e-9f3b-0c7c4f1f9d3a")  # the namespace of our runs' ids


def tell(community: Community, state: Mapping[str, Any]) -> None:
    """Tell whoever the settings name of the newest run in a `pipeline.status` state.

    Raises FixSettings where a file cannot be written, SourceDown where nobody listens."""
    if community.prometheus is not None:
        _write_metrics(community.home / "ops" / community.prometheus, metrics(state))
    if community.openlineage is not None and state["runs"]:
        _emit(community, list(events(community, state)))


def metrics(state: Mapping[str, Any]) -> CollectorRegistry:
    """The state as gauges. What is not known (no night yet, a stream never read) has no sample."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()

    def gauge(name: str, says: str, *labels: str) -> Any:
        made = Gauge(f"hearth_{name}", says, ["community", *labels], registry=registry)
        return lambda *values: made.labels(state["community"], *values)

    if state["published"]:
        at = datetime.fromisoformat(state["published"]["at"]).timestamp()
        gauge("published_timestamp_seconds", "When a night was last published.")().set(at)
    ended = gauge("night_state", "1 for how the newest night ended.", "state")
    seconds = gauge("night_duration_seconds", "How long the newest night took.")
    for run in state["runs"][:1]:
        for name in STATES:
            ended(name).set(run["state"] == name)
        seconds().set(run["seconds"] or 0)
    messages = gauge("messages", "Messages published.", "source")
    for source in state["sources"]:
        messages(source["source"]).set(source["messages"])
    _of_streams(state, gauge)
    broken = gauge("broken_rules", "Rules that the newest validation found broken.", "severity")
    for severity in ("critical", "warning") if state["validation"] else ():
        rules = state["validation"]["broken"]
        broken(severity).set(sum(rule["severity"] == severity for rule in rules))
    sent = gauge("digest_timestamp_seconds", "When a digest was last sent.", "audience", "channel")
    for digest in state["digests"]:
        at = datetime.fromisoformat(digest["sent_at"]).timestamp()
        sent(digest["audience"], digest["channel"]).set(at)
    size = gauge("size_bytes", "Bytes of a folder; `free`: left on its disk.", "folder")
    for folder, amount in state["sizes"].items():
        size(folder).set(amount)
    return registry


def _of_streams(state: Mapping[str, Any], gauge: Any) -> None:
    lag = gauge("stream_lag_seconds", "Age of the last whole read.", "source", "stream")
    requests = gauge("stream_requests", "Requests of that read.", "source", "stream")
    records = gauge("stream_records", "Records it brought.", "source", "stream")
    for stream in state["streams"]:
        if stream["lag_h"] is not None:
            place = stream["source"], stream["stream"]
            lag(*place).set(round(stream["lag_h"] * 3600))
            requests(*place).set(stream["requests"])
            records(*place).set(stream["records"])


def _write_metrics(file: Path, registry: CollectorRegistry) -> None:
    from prometheus_client import write_to_textfile

    try:
        write_to_textfile(str(file), registry)
        file.chmod(0o644)  # a collector is another user
    except OSError as error:
        raise FixSettings(f"cannot write {file}: {error.strerror}; see `prometheus`") from None


def events(community: Community, state: Mapping[str, Any]) -> Iterator[RunEvent]:
    """The newest run's begin and end: the streams that were read, the tables that went out."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run

    run = state["runs"][0]
    began = datetime.fromisoformat(run["started_at"] or state["at"]).astimezone(UTC)
    ended = began + timedelta(seconds=run["seconds"] or 0)
    failed = run["state"] in ("failed", "unfinished")
    ours = Run(str(uuid.uuid5(_RUNS, f"{community.name}/{run['run']}")))
    job = Job("hearth", f"{community.name}.night")
    inputs = list(_inputs(community, state))
    yield RunEvent(
        eventType=RunState.START,
        eventTime=began.isoformat(),
        producer=PRODUCER,
        run=ours,
        job=job,
        inputs=inputs,
    )
    steps = ", ".join(dict.fromkeys(trouble["step"] for trouble in run["troubles"]))
    if steps:  # not what a server said: its words stay on the operations page
        message = error_message_run.ErrorMessageRunFacet(f"trouble in {steps}", "Python")
        ours = Run(ours.runId, {"errorMessage": message})
    yield RunEvent(
        eventType=RunState.FAIL if failed else RunState.COMPLETE,
        eventTime=ended.isoformat(),
        producer=PRODUCER,
        run=ours,
        job=job,
        inputs=inputs,
        outputs=[] if failed else list(_outputs(community, state)),
    )


def _inputs(community: Community, state: Mapping[str, Any]) -> Iterator[InputDataset]:
    from openlineage.client.event_v2 import InputDataset

    for stream in state["streams"]:
        if stream["lag_h"] is not None:
            yield InputDataset(community.sources[stream["source"]].url, stream["stream"])


def _outputs(community: Community, state: Mapping[str, Any]) -> Iterator[OutputDataset]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics
    from openlineage.client.facet_v2 import schema_dataset as schema

    for table, rows in state["published"]["rows"].items() if state["published"] else ():
        columns = contracts()[table].columns.items()
        fields = [schema.SchemaDatasetFacetFields(n, c.type, c.description) for n, c in columns]
        yield OutputDataset(
            f"hearth:{community.name}",
            table,
            {"outputStatistics": statistics.OutputStatisticsOutputDatasetFacet(rows)},
            facets={"schema": schema.SchemaDatasetFacet(fields)},
        )


def _emit(community: Community, told: list[RunEvent]) -> None:
    from openlineage.client import OpenLineageClient

    place = str(community.openlineage)
    if place.startswith(("http://", "https://")):
        transport: dict[str, Any] = {
            "type": "http",
            "url": place,
            "timeout": 10,
            "retry": {"total": 1},
        }
    else:
        file = str(community.home / "ops" / place)
        transport = {"type": "file", "log_file_path": file, "append": True}
    try:
        with ours_alone():
            client = OpenLineageClient(config={"transport": transport})
            for event in told:
                client.emit(event)
    except (OSError, RuntimeError) as error:
        raise SourceDown(
            f"OpenLineage events could not be told ({type(error).__name__}); see `openlineage`"
        ) from None
