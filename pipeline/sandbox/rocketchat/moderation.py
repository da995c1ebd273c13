"""Reports of members: filing them, the three-step walk that reads them, and closing them."""

from __future__ import annotations

from pipeline.sandbox.rocketchat.protocol import EPOCH, Call, Refusal, Route
from pipeline.sandbox.rocketchat.workspace import Doc


def report_message(call: Call) -> Doc:
    message = call.message("messageId")
    call.workspace.report(message["_id"], call.user_id, call.values["description"], call.now)
    return {}


def dismiss_reports(call: Call) -> Doc:
    values = call.values
    if ("userId" in values) == ("msgId" in values):
        raise Refusal("Either userId or msgId is required", "invalid-params")
    words = {name: values[name] for name in ("action", "reason") if name in values}
    by, mid, user_id = call.user_id, values.get("msgId"), values.get("userId")
    if not call.workspace.dismiss(by, call.now, mid=mid, user_id=user_id, **words):
        raise Refusal("No reports found", "no-reports-found")
    return {}


def reports_by_users(call: Call) -> Doc:
    oldest = call.date("oldest", EPOCH)
    latest = call.date("latest", call.now)
    _refuse_count_zero(call)
    by_author: dict[str, list[Doc]] = {}
    for report in call.workspace.reports.values():
        if not report.get("_hidden") and oldest < report["ts"] < latest:
            by_author.setdefault(report["message"]["u"]["_id"], []).append(report)
    rows = []
    for author, reports in by_author.items():
        about = reports[0]["message"]
        row = {"userId": author, "username": about["u"]["username"], "name": about["u"].get("name")}
        row |= {"message": about["msg"], "msgId": about["_id"], "ts": reports[0]["ts"]}
        row |= {"rooms": [r["room"] for r in reports], "count": len(reports)}
        rows.append(row | {"isUserDeleted": author not in call.workspace.users})
    call.values.pop("sort", None)  # sorts on fields before the projection; the order is not ours
    return call.page("reports", rows)


def _refuse_count_zero(call: Call) -> None:
    if call.values.get("count") == 0:  # the server hands MongoDB a limit of 0
        raise Refusal("the limit must be positive")


def reported_messages(call: Call) -> Doc:
    """A page of open reports of an author's messages, the newest first, a row for each message:
    what the page says of its length is from before rows of the same message were left out."""
    user_id = call.values["userId"]
    names = ("_id", "message", "ts", "room")
    rows = [
        {name: report[name] for name in names}
        for report in reversed(call.workspace.reports.values())
        if not report.get("_hidden") and report["message"]["u"]["_id"] == user_id
    ]
    page = call.page("messages", rows)
    first: dict[str, Doc] = {}
    for row in page["messages"]:
        first.setdefault(row["message"]["_id"], row)
    return {"user": call.workspace.users.get(user_id), **page, "messages": [*first.values()]}


def message_reports(call: Call) -> Doc:
    names = ("_id", "description", "reportedBy", "ts", "room")
    rows = [
        {name: report[name] for name in names}
        for report in call.workspace.reports.values()
        if not report.get("_hidden") and report["message"]["_id"] == call.values["msgId"]
    ]
    return call.page("reports", rows)


def report_info(call: Call) -> Doc:
    report = call.workspace.reports.get(call.values["reportId"])
    if report is None:
        raise Refusal("Report not found", "error-report-not-found")
    return {"report": report}


_PAGE = "selector count:num offset:num sort"
_READER = "view-moderation-console"
READS: dict[str, Route] = {
    "moderation.reportsByUsers": Route(
        reports_by_users, f"latest:date oldest:date {_PAGE}", _READER
    ),
    "moderation.user.reportedMessages": Route(reported_messages, f"userId* {_PAGE}", _READER),
    "moderation.reports": Route(message_reports, f"msgId* {_PAGE}", _READER),
    "moderation.reportInfo": Route(report_info, "reportId*", _READER),
}
WRITES: dict[str, Route] = {
    "chat.reportMessage": Route(report_message, "messageId* description*"),
    "moderation.dismissReports": Route(
        dismiss_reports, "userId msgId reason action", "manage-moderation-actions"
    ),
}
