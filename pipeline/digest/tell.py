"""Bring every audience its edition, on every channel it has, once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.digest.due import due_at, is_due, on_their_days
from pipeline.digest.edition import Edition, Health, Item
from pipeline.digest.files import deliver_files
from pipeline.digest.ladder import Step, steps
from pipeline.digest.ledger import Ledger
from pipeline.digest.render import render_chat
from pipeline.digest.selection import Opinions, open_items, select
from pipeline.digest.verdicts import Precision, Verdict, claims, closed, precision, woken
from pipeline.errors import FixSettings, HearthError
from pipeline.settings import Audience, Community

if TYPE_CHECKING:
    from pipeline.sources import Writers


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one channel of one audience.

    items    how many items that need a person were told; 0 on a quiet night
    where    the file, the address or how many readers; null if nothing was sent now
    trouble  null, or what went wrong and what to do. Where nothing was sent, the channel gets its
             items another night; readers that were refused alone do not
    """

    audience: str
    channel: str
    items: int = 0
    where: str | None = None
    trouble: str | None = None

    def __str__(self) -> str:
        """How many items went where."""
        return f"{self.items} item{'s' * (self.items != 1)}; {self.where}"


Place = tuple[str, str]  # audience and channel


class _Sent(NamedTuple):
    """Where an edition went, chat messages by reference of their item, and who was refused."""

    where: str
    messages: Mapping[str, str] = {}
    trouble: str | None = None


class Teller:
    """Sends the editions of one night of a community.

    folder   where the files go
    writers  opens what writes to the sites
    as_of    the night's moment; `night` is its day on the community's clock
    sent_at  now
    """

    def __init__(
        self,
        community: Community,
        ledger: Ledger,
        folder: Path,
        writers: Writers,
        *,
        as_of: datetime,
        sent_at: datetime,
    ) -> None:
        self._community = community
        self._ledger = ledger
        self._folder = folder
        self._as_of = as_of
        self.night = as_of.astimezone(ZoneInfo(community.time_zone)).date()
        self._sent_at = sent_at
        self._writers = writers

    def due(self) -> list[Place]:
        """What is to be told now: the files always, a channel once and when its readers may be
        told."""
        return [
            (audience, channel)
            for audience, reader in self._community.digest.audiences.items()
            for channel in ("files", *channels(reader))
            if channel == "files"
            or (self._is_due(reader) and not self._ledger.was_sent(audience, self.night, channel))
        ]

    def later(self) -> list[tuple[Place, datetime]]:
        """What waits for its hour, or for the end of quiet hours, and from when."""
        due = self.due()
        return [
            ((audience, channel), at)
            for audience, reader in self._community.digest.audiences.items()
            for at in [due_at(reader, self._zone(reader), self._as_of)]
            for channel in channels(reader)
            if on_their_days(reader, self._zone(reader), at)
            and (audience, channel) not in due
            and not self._ledger.was_sent(audience, self.night, channel)
        ]

    def editions(
        self,
        places: Iterable[Place],
        rows: Iterable[Mapping[str, Any]],
        health: Health,
        verdicts: Collection[Verdict] = (),
    ) -> Iterator[tuple[Edition, str]]:
        """(edition, channel) of each place. Each channel has its own memory, so one that failed, or
        that rests on this weekday, catches up in one digest. What is in the shadow is left out, and
        rules that moderators found wrong too often are named."""
        rules, opinions = self._heard(verdicts)
        health = replace(health, precision=tuple(asdict(rule) for rule in rules))
        rows = list(rows)
        for audience, channel in places:
            told = self._ledger.told(audience, self.night, channel)
            known = told.keys() - woken(told, verdicts, self.night)
            edition = select(
                rows,
                health,
                known,
                self._community,
                audience,
                as_of=self._as_of,
                night=self.night,
                opinions=opinions,
            )
            yield edition, channel

    def tell(
        self,
        places: Iterable[Place],
        rows: Iterable[Mapping[str, Any]],
        health: Health,
        verdicts: Collection[Verdict] = (),
    ) -> Iterator[Told]:
        """Send each of these places, see `due`, its edition; a channel in trouble does not keep the
        others waiting. Files are written again by a rerun."""
        for edition, channel in self.editions(places, rows, health, verdicts):
            yield self._sent(edition, channel)

    def climb(
        self,
        rows: Iterable[Mapping[str, Any]],
        verdicts: Collection[Verdict],
    ) -> Iterator[Told]:
        """Take the steps of ladders that are due, for audiences that may be told now."""
        _, opinions = self._heard(verdicts)
        rows = list(rows)
        for audience, reader in self._community.digest.audiences.items():
            if not reader.ladders or not self._is_due(reader):
                continue
            items = open_items(rows, self._community, reader, audience=audience, opinions=opinions)
            told, taken = self._ledger.first_told(audience), self._ledger.steps_taken(audience)
            for step in steps(reader, items, told, taken, self._sent_at):
                yield self._climbed(audience, step)

    def report(
        self,
        rows: Iterable[Mapping[str, Any]],
        verdicts: Collection[Verdict],
    ) -> Iterator[Told]:
        """Report messages that attack to the review queues that are to be used, each message once
        and no more in a night than a digest shows. Private places are not left out: whoever works
        through a source's queue may read them there."""
        from pipeline.digest import review

        _, opinions = self._heard(verdicts)
        open_rows = [{**row, "is_private": False} for row in rows if row["kind"] == "toxic"]
        for source in review.sources(self._community):
            reader = Audience(sources=(source,))
            found = open_items(open_rows, self._community, reader, opinions=opinions)
            known = self._ledger.reported()
            posts = (item for item in found if review.takes(item))
            new = [item for item in posts if (source, item.message_id) not in known]
            yield self._reported(source, new[: self._community.digest.most_flags])

    def _reported(self, source: str, items: Iterable[Item]) -> Told:
        from pipeline.digest.review import report

        sent = 0
        try:
            for item in items:
                report(self._writers.forum(source), item, self._community.digest.languages[0])
                self._ledger.record_report(self._community.name, self.night, item, self._sent_at)
                sent += 1
        except HearthError as error:
            return Told(source, "review", sent, trouble=str(error))
        return Told(source, "review", sent, "its review queue")

    def _climbed(self, audience: str, step: Step) -> Told:
        from pipeline.digest.rungs import take

        try:
            where = take(self._community, audience, step, self._sent_at, self._writers)
        except HearthError as error:
            return Told(audience, step.channel, trouble=str(error))
        self._ledger.record_step(self._community.name, audience, self.night, step, self._sent_at)
        return Told(audience, step.channel, len(step.items), where)

    def _heard(self, verdicts: Collection[Verdict]) -> tuple[list[Precision], Opinions]:
        """How often moderators agreed with each rule, and what else follows from what they said."""
        settings = self._community.judgement
        rules = precision(verdicts, self._as_of, settings.trusted)
        shadow = {*settings.in_shadow, *(rule.rule for rule in rules if rule.is_shadow)}
        judged, claimed = closed(verdicts, self.night), claims(verdicts, self._sent_at)
        return rules, Opinions(judged, shadow, claimed)

    def _is_due(self, reader: Audience) -> bool:
        return is_due(reader, self._zone(reader), self._as_of, self._sent_at)

    def _zone(self, reader: Audience) -> str:
        return reader.time_zone or self._community.time_zone

    def _sent(self, edition: Edition, channel: str) -> Told:
        reader = self._community.digest.audiences[edition.audience]
        language = reader.language or self._community.digest.languages[0]
        send = {
            "files": self._to_files,
            "mail": self._to_mail,
            "discourse": self._to_forum,
            "rocketchat": self._to_chat,
        }[channel]
        try:
            sent = send(edition, reader, language)
        except HearthError as error:
            return Told(edition.audience, channel, trouble=str(error))
        chat = str(reader.rocketchat).partition("/")[0]
        self._ledger.record(edition, channel, self._sent_at, sent.messages, chat)
        return Told(edition.audience, channel, edition.size, sent.where, sent.trouble)

    def _to_files(self, edition: Edition, _reader: Audience, language: str) -> _Sent:
        languages = dict.fromkeys((language, *self._community.digest.languages))
        return _Sent(str(deliver_files(edition, self._folder, tuple(languages))[0]))

    def _to_mail(self, edition: Edition, reader: Audience, language: str) -> _Sent:
        from pipeline.digest.mail import build_mail, send_mail

        mail = self._community.mail
        if mail is None:
            raise FixSettings(f"{self._community.name}: `mail_to` needs a table `mail`")
        message = build_mail(edition, language, mail, self._sent_at)
        refused = send_mail(message, mail, reader.mail_to)
        told = len(reader.mail_to) - len(refused)
        trouble = (
            f"the mail server refused {', '.join(refused)}, the others have it; check `mail_to`"
            if refused
            else None
        )
        return _Sent(f"{told} of {len(reader.mail_to)} readers", trouble=trouble)

    def _to_forum(self, edition: Edition, reader: Audience, language: str) -> _Sent:
        from pipeline.digest.forum import post_to_group

        source, _, group = str(reader.discourse).partition("/")
        return _Sent(post_to_group(self._writers.forum(source), group, edition, language))

    def _to_chat(self, edition: Edition, reader: Audience, language: str) -> _Sent:
        """The head of the night in the room, and each item in its thread."""
        source, _, room = str(reader.rocketchat).partition("/")
        chat = self._writers.chat(source)
        night = f"{edition.community}/{edition.audience}/{edition.night:%Y-%m-%d}"
        head, items = render_chat(edition, language)
        thread = chat.post(room, head, key=f"{night}/head")[0]
        messages = {
            ref: chat.post(room, text, key=f"{night}/{ref}", thread=thread)[0]
            for ref, text in items
        }
        return _Sent(f"{room}, 1 + {len(items)} messages", messages)


def channels(reader: Audience) -> list[str]:
    """Where these readers are told, beside the files."""
    pushed = {
        "mail": reader.mail_to,
        "discourse": reader.discourse,
        "rocketchat": reader.rocketchat,
    }
    return [channel for channel, readers in pushed.items() if readers]
