"""Reports as files below `reports/`, and as mail to those who asked for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pipeline.digest.mail import addressed, send_mail
from pipeline.errors import FixSettings
from pipeline.files import make_folder, write_whole
from pipeline.jsonl import JsonLines
from pipeline.report.page import page
from pipeline.report.period import Period
from pipeline.report.render import print_pdf, render_html
from pipeline.report.select import as_of_day, findings
from pipeline.settings import Community


def ended(community: Community) -> list[Period]:
    """The newest week and month that are over as of the published night, of those the settings
    name."""
    today = as_of_day(community)
    return [Period.ended(kind, today) for kind in community.report.periods]


def is_written(community: Community, period: Period) -> bool:
    """Whether a period has its report, in each language."""
    return all(file.exists() for file in _files(community, period))


def write(
    community: Community,
    period: Period,
    languages: Sequence[str],
    *,
    pdf: bool,
) -> list[Path]:
    """Write the report of a period, a page a language, and beside each its PDF; returns the files.

    Raises FixSettings where nothing is published yet, or no browser is there to print."""
    found = findings(community, period)
    make_folder(community.home / "reports")
    written = []
    for language in languages:
        file = _file(community, period, language)
        write_whole(file, render_html(found, language).encode())
        written.append(file)
        if pdf:
            written.append(_printed(file))
    return written


def send(community: Community, period: Period, sent_at: datetime) -> bool:
    """Mail a report that was written, once; false where nobody is to get it or has it already.
    Raises what `send_mail` does, and FixSettings for readers that were refused when others were
    not: it is sent then."""
    sent = JsonLines(community.home / "reports" / "sent.jsonl")
    if not community.report.mail_to or not community.mail:
        return False
    if any(entry["period"] == period.name for entry in sent):
        return False
    found = findings(community, period)
    language = community.report.languages[0]
    said = page(found, language)
    message = addressed(
        community.mail,
        community=community.name,
        title=community.title,
        audience="report",
        subject=f"{said.title}, {said.span}",
        number=period.name,
        sent_at=sent_at,
    )
    message.set_content(
        "\n".join([said.title, said.span, "", *said.lead, "", said.footer, ""]),
        cte="quoted-printable",
    )
    for file in _attached(community, period):
        kind = ("application", "pdf") if file.suffix == ".pdf" else ("text", "html")
        message.add_attachment(file.read_bytes(), *kind, filename=file.name)
    refused = send_mail(message, community.mail, community.report.mail_to)
    sent.add({"period": period.name, "sent_at": sent_at.isoformat()})
    if refused:
        raise FixSettings(
            f"report {period.name}: the mail server refused {', '.join(refused)}, the others have "
            "it; check `report.mail_to`"
        )
    return True


def _attached(community: Community, period: Period) -> Iterator[Path]:
    for file in _files(community, period):
        pdf = file.with_suffix(".pdf")
        yield pdf if pdf.exists() else file


def _printed(html: Path) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        pdf = Path(folder) / "report.pdf"
        print_pdf(html, pdf)
        write_whole(html.with_suffix(".pdf"), pdf.read_bytes())
    return html.with_suffix(".pdf")


def _files(community: Community, period: Period) -> list[Path]:
    return [_file(community, period, language) for language in community.report.languages]


def _file(community: Community, period: Period, language: str) -> Path:
    return community.home / "reports" / f"{period.name}.{language}.html"
