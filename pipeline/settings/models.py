"""What may stand in hearth.toml: one frozen model a table, unknown keys refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.errors import FixSettings

NAME = r"^[a-z][a-z0-9_]*$"
SCHEDULE = "0 2 * * *"
AT_A_PROMPT_S = 10.0
Language = Literal["en", "zh"]  # of what readers are told; its words are in digest/ and report/


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _web_address(url: str) -> str:
    if not re.match(r"^https?://[^\s/?#@]+", url):
        raise ValueError("must be a web address such as https://forum.example.org")
    return url.rstrip("/")


def _site_address(url: str) -> str:
    """The address of a site, to which paths are added. No problem repeats it: it may hold a
    password."""
    address = _web_address(url)
    if "@" in address.split("/")[2]:
        raise ValueError(
            "must not hold a user name or password: every link to the site would tell them"
        )
    if not re.fullmatch(r"[^\s?#]+", address):
        raise ValueError("must hold no blank and end before its query (?) and fragment (#)")
    return address


def cron(text: str) -> str:
    """The text, if it is a time as cron has it that comes some day. Raises ValueError."""
    from croniter import CroniterError, croniter  # what the scheduler reads it with

    try:
        if len(text.split()) != 5:
            raise CroniterError(f"[{text}] has not five fields")
        croniter(text).get_next()
    except CroniterError as error:
        raise ValueError(f'must be a time as cron has it, such as "{SCHEDULE}": {error}') from error
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder of zones: "Europe"
        raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
    return name


def _sendable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text != text.strip() or not (text.isascii() and text.isprintable()):
        raise ValueError(
            "the secret has a character that no header may have, such as a line break or a space "
            "at its end; set its environment variable again"
        )
    return secret


Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(cron)]
Credential = Annotated[SecretStr, AfterValidator(_sendable)]
Url = Annotated[str, AfterValidator(_web_address)]
SiteUrl = Annotated[str, AfterValidator(_site_address)]


class SourceSettings(_Section):
    """What every source needs: where it is, and how much of it we may use."""

    url: SiteUrl
    share: float = Field(0.5, gt=0, le=1, description="part of the server's rate limit we may use")
    timeout_s: float = Field(60, gt=0, description="longest silence of the server, seconds")
    patience_s: float = Field(1800, ge=0, description="longest total wait for a sick server, s")
    private: tuple[str, ...] = Field(
        (), description="private places to read all the same, by name; nothing private otherwise"
    )
    emails: bool = Field(
        False,
        description="also read e-mail addresses, as hashes: equal ones join accounts",
    )


class DiscourseSettings(SourceSettings):
    """A Discourse site. The key: admin's, `HEARTH_<COMMUNITY>_<SOURCE>_KEY`."""

    platform: Literal["discourse"]
    username: str = "system"
    way_in: Literal["auto", "data_explorer", "rest"] = "auto"
    requests_per_minute: int = Field(60, ge=1, description="the server's admin API limit")
    explorer_runs_per_10_s: int = Field(2, ge=1, description="its limit on Data Explorer runs")
    who_liked: bool = Field(True, description="by REST: also ask who liked what")
    review_queue: bool = Field(
        False, description="report attacks to the moderators' review queue, as `username`"
    )
    key: Credential = Field(exclude=True, repr=False)


class RocketChatSettings(SourceSettings):
    """A Rocket.Chat workspace. Two secrets: `..._USER_ID` and `..._TOKEN`."""

    platform: Literal["rocketchat"]
    user_id: Credential = Field(exclude=True, repr=False)
    token: Credential = Field(exclude=True, repr=False)


AnySource = Annotated[DiscourseSettings | RocketChatSettings, Field(discriminator="platform")]
SECRETS = {"discourse": ("key",), "rocketchat": ("user_id", "token")}


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", text):
        raise ValueError("must be an address such as ops@example.org")
    return text


Address = Annotated[str, AfterValidator(_mail_address)]
Place = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*/\S+$")]


class MailSettings(_Section):
    """The server that sends digests. With a `username`, the password comes from
    `HEARTH_<COMMUNITY>_MAIL_PASSWORD`."""

    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: Address
    username: str | None = None
    unsubscribe: str | None = Field(
        None, pattern=r"^(https://|mailto:)[!-;=?-~]+$", description="default: a mail to the sender"
    )
    timeout_s: float = Field(60, gt=0)
    password: SecretStr | None = Field(None, exclude=True, repr=False)

    @field_validator("username")
    @classmethod
    def _not_in_clear(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("security") == "none":
            raise ValueError('a password never travels in clear; use security = "starttls"')
        return value


class ClusterSettings(_Section):
    """What many machines that work on one community share. Where `budget` has a user, as in
    redis://hearth@redis:6379/1, the password comes from `HEARTH_<COMMUNITY>_CLUSTER_PASSWORD`;
    the storage's own credentials come from where its library looks for them."""

    landing: str = Field(
        pattern=r"^(s3|gs|gcs|abfs|az|file)://[^\s@?#]+$",
        description="object storage through which what was fetched reaches the warehouse",
    )
    budget: str = Field(
        pattern=r"^rediss?://([^\s/:@]+@)?[^\s/:@]+(:\d+)?(/\d+)?$",
        description="a Redis through which they keep the budgets of the sources",
    )
    password: SecretStr | None = Field(None, exclude=True, repr=False)


SectionName = Literal["newcomers", "questions", "warming", "judgement", "answered"]


class Ladder(_Section):
    """Who is told next of an item on the list that nobody took up. Never a sanction."""

    places: tuple[str, ...] = Field((), description='only "source/channel" of these; all if empty')
    sections: tuple[SectionName, ...] = ("newcomers", "questions", "warming", "judgement")
    mention_after_h: float | None = Field(None, ge=0, description="hours until the room is told")
    mention: tuple[Annotated[str, Field(pattern=r"^[\w.-]+$")], ...] = Field(
        (), description="user names to call in the audience's room"
    )
    lead_after_h: float | None = Field(None, ge=0, description="hours until the lead is told")
    lead_mail: Address | None = None
    lead_discourse: Place | None = Field(None, description='a user, "source/name"')

    @model_validator(mode="after")
    def _rungs_are_in_order(self) -> Self:
        if (self.lead_after_h is None) != (self.lead_mail is None and self.lead_discourse is None):
            raise ValueError("lead_after_h and lead_mail or lead_discourse need each other")
        if self.mention_after_h is None and self.lead_after_h is None:
            raise ValueError("needs mention_after_h or lead_after_h")
        if self.mention_after_h and self.lead_after_h and self.lead_after_h < self.mention_after_h:
            raise ValueError("lead_after_h comes after mention_after_h")
        return self


class Audience(_Section):
    """Readers of a digest who may all see the same: nothing private unless it is named here."""

    language: Language | None = Field(None, description="default: the digest's first")
    sections: tuple[SectionName, ...] = get_args(SectionName)
    sources: tuple[str, ...] = Field((), description="only these sources; all if empty")
    private: tuple[str, ...] = Field(
        (), description='private places they may see, "source/channel"'
    )
    mail_to: tuple[Address, ...] = ()
    discourse: Place | None = Field(None, description='a group that gets a message, "source/group"')
    rocketchat: Place | None = Field(None, description='a room that gets a message, "source/room"')
    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field(
        (1, 2, 3, 4, 5, 6, 7), min_length=1, description="weekdays they are told, Monday is 1"
    )
    weekly: bool = Field(False, description="one digest a week, on the first of their days")
    time_zone: Zone | None = Field(None, description="default: the community's")
    send_at: time | None = Field(
        None, description="local time before which nothing is sent; null: as soon as it is made"
    )
    ladders: Mapping[Annotated[str, Field(pattern=NAME)], Ladder] = {}
    quiet: tuple[time, time] | None = Field(
        None, description="local hours in which nothing is sent"
    )

    @model_validator(mode="after")
    def _not_sent_in_quiet_hours(self) -> Self:
        if self.quiet and self.quiet[0] == self.quiet[1]:
            raise ValueError("quiet: begins when it ends; leave it out to have no quiet hours")
        if self.send_at and self.is_quiet(self.send_at):
            raise ValueError("send_at lies in the quiet hours")
        return self

    def is_quiet(self, at: time) -> bool:
        """Whether this local time lies in the quiet hours, which may go past midnight."""
        if self.quiet is None:
            return False
        begins, ends = self.quiet
        return begins <= at < ends if begins < ends else at >= begins or at < ends


class DigestSettings(_Section):
    """The moderators' digest of a community."""

    languages: tuple[Language, ...] = ("en",)
    most_flags: int = Field(10, ge=0, le=15, description="most threads needing a judgement")
    most_newcomers: int = Field(10, ge=0, le=10, description="most newcomers waiting")
    most_questions: int = Field(15, ge=0, le=20, description="most unanswered questions of others")
    overdue_h: float = Field(24, gt=0, description="hours until an unanswered question is overdue")
    newcomer_overdue_h: float = Field(4, ge=0, description="the same for a newcomer's, hours")
    audiences: Mapping[Annotated[str, Field(pattern=NAME)], Audience] = {"moderators": Audience()}


Rule = Literal[
    "question/asks",
    "toxic/rule",
    "toxic/alert",
    "toxic/reports",
    "sour/tone",
    "sour/alert",
    "sour/reports",
    "sour/wording",
    "sour/pattern",
    "sour/pace",
]
NEW_RULES: frozenset[str] = frozenset()  # in the shadow until the operator trusts them


def _rule(name: str) -> str:
    if name not in get_args(Rule):
        raise ValueError(f"no rule {name!r}; there are {', '.join(get_args(Rule))}")
    return name


def judge_name(name: str) -> str:
    """The name, if it is a rule's or a model's. Raises ValueError."""
    if re.fullmatch("strict_[a-z]{2}|heat|question_rules", name):
        return name
    try:
        return _rule(name)
    except ValueError as error:
        raise ValueError(
            f"{error}; nor a model: strict_en and the like, heat, question_rules"
        ) from None


class JudgementSettings(_Section):
    """What the operator decides about rules and models that judge."""

    shadow: tuple[Annotated[str, AfterValidator(judge_name)], ...] = Field(
        (), description="rules and models that judge, and are stored, but tell nobody"
    )
    trusted: Mapping[Annotated[str, AfterValidator(_rule)], date] = Field(
        {},
        description="rules to switch on that are new or were wrong too often"
        " -> the day from which verdicts on them count",
    )

    @property
    def in_shadow(self) -> frozenset[str]:
        """Rules and models that tell nobody: those named so, and rules nobody has switched on."""
        return NEW_RULES - self.trusted.keys() | set(self.shadow)


class ReportSettings(_Section):
    """The evaluation report of a community, written when a week or a month has ended."""

    periods: tuple[Literal["week", "month"], ...] = ("week", "month")
    languages: tuple[Language, ...] = Field(("en",), min_length=1)
    pdf: bool = Field(False, description="also print it; needs Chromium")
    mail_to: tuple[Address, ...] = Field((), description="who gets it; needs the table `mail`")


class Community(_Section):
    """One community: its sources, and what is kept and told of them."""

    name: str = Field(pattern=NAME)
    title: str
    home: Path
    time_zone: Zone = "UTC"
    schedule: Cron = Field(SCHEDULE, description="cron, UTC: when Airflow begins a night")
    languages: tuple[str, ...] = ("en",)
    bots: tuple[str, ...] = Field((), description="user names that are bots, beside known ones")
    unnamed: tuple[str, ...] = Field(
        (), description="user names of people whom no digest may thank or suggest, by their wish"
    )
    keep_nights: int = Field(14, ge=2, description="published nights kept for rollback")
    keep_days: int = Field(90, ge=1, description="days that journals, Data Docs, digests are kept")
    keep_digest_days: int | None = Field(
        None, ge=1, description="the same for digests alone; null: as `keep_days`"
    )
    keep_landing_days: int | None = Field(
        None, ge=7, description="the same for what was fetched; null: all, for `hearth rebuild`"
    )
    keep_text_days: int | None = Field(
        None,
        ge=120,  # the judges look back on 90
        description="days that texts are kept after the last message of their thread; null: for "
        "ever. What was fetched holds them too: needs `keep_landing_days`, of at most as many",
    )
    operators: tuple[Address, ...] = Field(
        (), description="told of a night that was not whole, or not told to all"
    )
    ping: Url | None = Field(
        None, description="address called after each publish (a dead man's switch)"
    )
    prometheus: Path | None = Field(
        None, description="file for a textfile collector; a relative one lies in `ops/`"
    )
    openlineage: str | None = Field(
        None, description="address or file that OpenLineage events go to; a file as above"
    )
    cluster: ClusterSettings | None = None
    memory: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    sources: Mapping[str, AnySource] = Field(min_length=1)
    digest: DigestSettings = DigestSettings()
    judgement: JudgementSettings = JudgementSettings()
    report: ReportSettings = ReportSettings()
    mail: MailSettings | None = None
    pseudonym_key: SecretStr = Field(exclude=True, repr=False)

    @property
    def work_file(self) -> Path:
        """The private DuckDB database; see `pipeline.warehouse`."""
        return self.home / "work" / "warehouse.duckdb"

    @field_validator("prometheus")
    @classmethod
    def _collected(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix != ".prom":
            raise ValueError("must end in .prom, or no collector reads it")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._unmailed(), *self._unreachable()]
        if self.keep_text_days and not 0 < (self.keep_landing_days or 0) <= self.keep_text_days:
            problems.append(
                "keep_text_days: what was fetched holds the texts too; set keep_landing_days, "
                f"to at most {self.keep_text_days}"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def at_a_prompt(self) -> Self:
        """The same for somebody who waits: a sick server is given `AT_A_PROMPT_S` at most, where a
        night gives it half an hour."""
        hasty = {
            name: source.model_copy(update={"patience_s": min(source.patience_s, AT_A_PROMPT_S)})
            for name, source in self.sources.items()
        }
        return self.model_copy(update={"sources": hasty})

    def _unmailed(self) -> Iterator[str]:
        """A sentence for each setting that wants mail sent, where no server is named."""
        if self.mail:
            return
        wanted = {"operators": self.operators, "report.mail_to": self.report.mail_to}
        for name, audience in self.digest.audiences.items():
            wanted[f"digest.audiences.{name}.mail_to"] = audience.mail_to
            for ladder, rungs in audience.ladders.items():
                where = f"digest.audiences.{name}.ladders.{ladder}.lead_mail"
                wanted[where] = (rungs.lead_mail,) if rungs.lead_mail else ()
        yield from (
            f"{where}: needs a table `mail`" for where, readers in wanted.items() if readers
        )

    def _unreachable(self) -> Iterator[str]:
        """A sentence for each group or room of a source that is not there, or is not named."""
        for name, audience in self.digest.audiences.items():
            where = f"digest.audiences.{name}"
            for platform in ("discourse", "rocketchat"):
                source = str(getattr(audience, platform) or "").partition("/")[0]
                if source and getattr(self.sources.get(source), "platform", "") != platform:
                    yield f"{where}.{platform}: no {platform} source {source!r}"
            for ladder, rungs in audience.ladders.items():
                rung = f"{where}.ladders.{ladder}"
                if rungs.mention_after_h is not None and not audience.rocketchat:
                    yield f"{rung}.mention_after_h: needs the audience's `rocketchat`"
                lead = str(rungs.lead_discourse or "").partition("/")[0]
                if lead and getattr(self.sources.get(lead), "platform", "") != "discourse":
                    yield f"{rung}.lead_discourse: no discourse source {lead!r}"

    @field_validator("sources")
    @classmethod
    def _source_names(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in value:
            if not re.match(NAME, name):
                raise ValueError(f"source name {name!r} must match {NAME}")
        return value


class Settings(_Section):
    """All communities of one hearth.toml."""

    communities: Mapping[str, Community] = Field(min_length=1)

    @field_validator("communities")
    @classmethod
    def _homes_apart(cls, value: Mapping[str, Community]) -> Mapping[str, Community]:
        for one, other in combinations(value.values(), 2):
            if one.home.is_relative_to(other.home) or other.home.is_relative_to(one.home):
                raise ValueError(
                    f"{one.name} and {other.name} share the folder {one.home}; give each a `home` "
                    "of its own"
                )
        return value

    def community(self, name: str | None = None) -> Community:
        """The named community; without a name the only one there is."""
        if name is None and len(self.communities) == 1:
            return next(iter(self.communities.values()))
        if name is None or name not in self.communities:
            known = ", ".join(self.communities)
            raise FixSettings(f"hearth.toml: which community? Name one of: {known}")
        return self.communities[name]


def known_keys() -> list[str]:
    """Every key that may stand somewhere in hearth.toml, in order."""
    return sorted({key for model in _tables(_Section) for key in model.model_fields})


def _tables(model: type[_Section]) -> Iterator[type[_Section]]:
    for below in model.__subclasses__():
        yield below
        yield from _tables(below)
