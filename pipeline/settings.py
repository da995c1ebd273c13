"""hearth.toml and the environment: read once, checked whole, frozen.

Secrets never stand in hearth.toml. Each comes from an environment variable whose name is derived
from the community and the source (`HEARTH_<COMMUNITY>_<SOURCE>_KEY`), and is a `SecretStr` from
then on.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.errors import FixSettings

DEFAULT_FILE = Path("hearth.toml")
NAME = r"^[a-z][a-z0-9_]*$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _web_address(url: str) -> str:
    if not re.match(r"^https?://[^\s/?#@]+", url):
        raise ValueError("must be a web address such as https://forum.example.org")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_web_address)]


class SourceSettings(_Section):
    """What every source needs: where it is, and how much of it we may use."""

    url: Url
    share: float = Field(0.5, gt=0, le=1, description="part of the server's rate limit we may use")
    timeout_s: float = Field(60, gt=0, description="longest silence of the server, seconds")
    patience_s: float = Field(1800, ge=0, description="longest total wait for a sick server, s")
    private: tuple[str, ...] = Field(
        (), description="private places to read all the same, by name; nothing private otherwise"
    )


class DiscourseSettings(SourceSettings):
    """A Discourse site. The key: admin's, `HEARTH_<COMMUNITY>_<SOURCE>_KEY`."""

    platform: Literal["discourse"]
    username: str = "system"
    way_in: Literal["auto", "data_explorer", "rest"] = "auto"
    requests_per_minute: int = Field(60, ge=1, description="the server's admin API limit")
    explorer_runs_per_10_s: int = Field(2, ge=1, description="its limit on Data Explorer runs")
    who_liked: bool = Field(True, description="by REST: also ask who liked what")
    emails: bool = Field(False, description="also read e-mail addresses, as hashes")
    key: SecretStr = Field(exclude=True, repr=False)


class RocketChatSettings(SourceSettings):
    """A Rocket.Chat workspace. Two secrets: `..._USER_ID` and `..._TOKEN`."""

    platform: Literal["rocketchat"]
    user_id: SecretStr = Field(exclude=True, repr=False)
    token: SecretStr = Field(exclude=True, repr=False)


AnySource = Annotated[DiscourseSettings | RocketChatSettings, Field(discriminator="platform")]
SECRETS = {"discourse": ("key",), "rocketchat": ("user_id", "token")}


ADDRESS = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$"
Address = Annotated[str, Field(pattern=ADDRESS)]
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


SectionName = Literal["newcomers", "questions", "warming", "judgement", "answered"]


class Audience(_Section):
    """Readers of a digest who may all see the same. Nothing private unless named here."""

    language: Literal["en", "zh"] | None = Field(None, description="default: the digest's first")
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


class DigestSettings(_Section):
    """The moderators' digest of a community."""

    languages: tuple[Literal["en", "zh"], ...] = ("en",)
    most_flags: int = Field(10, ge=0, le=15, description="most threads needing a judgement")
    most_questions: int = Field(15, ge=0, le=20, description="most unanswered questions")
    overdue_h: float = Field(24, gt=0, description="hours until an unanswered question is overdue")
    newcomer_overdue_h: float = Field(4, ge=0, description="the same for a newcomer's, hours")
    audiences: Mapping[Annotated[str, Field(pattern=NAME)], Audience] = {"moderators": Audience()}


class Community(_Section):
    """One community: its sources, and what is kept and told of them."""

    name: str = Field(pattern=NAME)
    title: str
    home: Path
    time_zone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    bots: tuple[str, ...] = Field((), description="user names that are bots, beside known ones")
    keep_nights: int = Field(14, ge=2, description="published nights kept for rollback")
    keep_days: int = Field(90, ge=1, description="days that journals, Data Docs, digests are kept")
    keep_landing_days: int | None = Field(
        None, ge=7, description="the same for what was fetched; null: all, for `hearth rebuild`"
    )
    operators: tuple[Address, ...] = Field((), description="told of a night that was not whole")
    ping: Url | None = Field(None, description="address called after each publish (a dead man)")
    memory: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    sources: Mapping[str, AnySource] = Field(min_length=1)
    digest: DigestSettings = DigestSettings()
    mail: MailSettings | None = None
    pseudonym_key: SecretStr = Field(exclude=True, repr=False)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
        return value

    @model_validator(mode="after")
    def _channels_exist(self) -> Self:
        if self.operators and self.mail is None:
            raise ValueError("operators: needs a table `mail`")
        for name, audience in self.digest.audiences.items():
            if audience.mail_to and self.mail is None:
                raise ValueError(f"digest.audiences.{name}.mail_to needs a table `mail`")
            for platform in ("discourse", "rocketchat"):
                source = str(getattr(audience, platform) or "").partition("/")[0]
                if source and getattr(self.sources.get(source), "platform", "") != platform:
                    raise ValueError(
                        f"digest.audiences.{name}.{platform}: no {platform} source {source!r}"
                    )
        return self

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

    def community(self, name: str | None = None) -> Community:
        """The named community; without a name the only one there is."""
        if name is None and len(self.communities) == 1:
            return next(iter(self.communities.values()))
        if name is None or name not in self.communities:
            known = ", ".join(self.communities)
            raise FixSettings(f"hearth.toml: which community? Name one of: {known}")
        return self.communities[name]


def load(
    file: Path | None = None, env: Mapping[str, str] | None = None, *, secrets: bool = True
) -> Settings:
    """Settings from hearth.toml (or `$HEARTH_SETTINGS`) and the environment. Who only reads what
    was published needs no `secrets`: those that are not set are then empty.

    Raises FixSettings with every problem found, an unknown key with the nearest known one.
    """
    env = os.environ if env is None else env
    file = file or Path(env.get("HEARTH_SETTINGS") or DEFAULT_FILE)
    return parse(_text(file), env, file, secrets=secrets)


def names() -> list[str]:
    """Names of the communities, without their secrets."""
    file = Path(os.environ.get("HEARTH_SETTINGS") or DEFAULT_FILE)
    return [name for name, _ in _tables(_tree(_text(file), file), "communities")]


def connections(community: str) -> Iterator[tuple[str, str, str]]:
    """(variable, connection, "login" or "password") for each secret a community needs."""
    file = Path(os.environ.get("HEARTH_SETTINGS") or DEFAULT_FILE)
    yield _pseudonym_variable(community), f"hearth_{community}", "password"
    tables = dict(_tables(_tree(_text(file), file), "communities"))
    for holder, _, secrets in _holders(tables[community]):
        for field in secrets:
            part = "login" if field == "user_id" else "password"
            variable = secret_variable(community, holder, field)
            yield variable, f"hearth_{community}_{holder}", part


def parse(
    text: str, env: Mapping[str, str], file: Path = DEFAULT_FILE, *, secrets: bool = True
) -> Settings:
    """Settings from the text of a hearth.toml; `file` is its name in errors and the place from
    which relative folders count."""
    tree = _tree(text, file)
    problems = list(_add_secrets(tree, env, required=secrets))
    for name, community in _tables(tree, "communities"):
        community.setdefault("name", name)
        community.setdefault("title", name.replace("_", " ").title())
        home = Path(str(community.get("home", Path("var") / name)))
        community["home"] = (file.parent / home).resolve()
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors()]
    if problems:
        unique = dict.fromkeys(problems)
        raise FixSettings(f"{file} needs {len(unique)} change(s):\n  " + "\n  ".join(unique))
    return settings


def variables(text: str) -> list[str]:
    """Names of the environment variables that a hearth.toml needs, in its order."""
    names = []
    for name, community in _tables(tomllib.loads(text), "communities"):
        names.append(_pseudonym_variable(name))
        for holder, _, secrets in _holders(community):
            names += [secret_variable(name, holder, secret) for secret in secrets]
    return names


def template(community: str, discourse: str, rocketchat: str, time_zone: str) -> str:
    """A commented hearth.toml for one community; an empty address leaves that source out."""
    sources = {"forum": ("discourse", discourse), "chat": ("rocketchat", rocketchat)}
    text = _TEMPLATE.format(community=community, time_zone=time_zone)
    for name, (platform, url) in sources.items():
        if url:
            text += _SOURCE.format(community=community, name=name, platform=platform, url=url)
    return text


def secret_variable(community: str, source: str, secret: str) -> str:
    """Name of the environment variable that holds a source's secret."""
    return f"HEARTH_{community}_{source}_{secret}".upper()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FixSettings(f"{file} does not exist; `hearth init` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FixSettings(f"{file} cannot be read: {error}") from None


def _tree(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FixSettings(f"{file} is not TOML: {error}") from None


def _pseudonym_variable(community: str) -> str:
    return f"HEARTH_{community}_PSEUDONYM_KEY".upper()


def _tables(tree: Mapping[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = tree.get(key)
    if isinstance(tables, dict):
        yield from ((name, table) for name, table in tables.items() if isinstance(table, dict))


def _holders(
    community: Mapping[str, Any],
) -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """(name, table, secrets) of everything in a community's table that needs secrets."""
    for source, table in _tables(community, "sources"):
        yield source, table, SECRETS.get(str(table.get("platform")), ())
    mail = community.get("mail")
    if isinstance(mail, dict) and mail.get("username"):
        yield "mail", mail, ("password",)


def _add_secrets(tree: dict[str, Any], env: Mapping[str, str], *, required: bool) -> Iterator[str]:
    """Put secrets into the tree; yield a sentence for each that is missing or in the file."""
    for name, community in _tables(tree, "communities"):
        key = _pseudonym_variable(name)
        community["pseudonym_key"] = env.get(key, "")
        if required and not env.get(key):
            yield f"environment variable {key} is not set; `openssl rand -hex 32` makes one"
        for holder, table, secrets in _holders(community):
            where = f"communities.{name}.{'' if holder == 'mail' else 'sources.'}{holder}"
            for secret in secrets:
                variable = secret_variable(name, holder, secret)
                if table.get(secret):
                    yield f"{where}.{secret}: secrets do not belong "\
                          f"in this file; set {variable} instead"  # fmt: skip
                table[secret] = env.get(variable, "")
                if required and not env.get(variable):
                    yield f"environment variable {variable} is not set"


def _sentence(problem: Any) -> str:
    where = [str(part) for part in problem["loc"] if part not in SECRETS]
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where[-1], _known_keys(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{'.'.join(where)}: unknown key{hint}"
    return f"{'.'.join(where)}: {problem['msg'].removeprefix('Value error, ')}"


def _known_keys() -> list[str]:
    models = (
        Settings,
        Community,
        DigestSettings,
        Audience,
        MailSettings,
        DiscourseSettings,
        RocketChatSettings,
    )
    return sorted({key for model in models for key in model.model_fields})


_TEMPLATE = """\
# Hearth's settings. Secrets do not belong here: each comes from an environment variable (or from an
# Airflow connection). `hearth doctor` checks all of it.

[communities.{community}]
time_zone = "{time_zone}"          # whose calendar days the metrics count
# home = "var/{community}"         # everything Hearth keeps of this community
# languages = ["en", "zh"]         # languages its members write
# bots = ["helper_bot"]            # user names that are bots, beside those the platforms know
# keep_nights = 14                 # published nights kept for rollback
# keep_days = 90                   # days that journals, Data Docs and digests are kept
# keep_landing_days = 365          # the same for what was fetched; all of it unless set
# operators = ["ops@example.org"]  # told of a night that was not whole; needs the table `mail`
# ping = "https://watch.example.org/abc"  # called after each publish; silence is the alarm

[communities.{community}.digest]
# most_flags = 10                  # threads needing a judgement, at most
# most_questions = 15              # unanswered questions, at most
# overdue_h = 24                   # hours until an unanswered question is overdue
# newcomer_overdue_h = 4           # the same for somebody's very first question

# [communities.{community}.digest.audiences.moderators]
# language = "en"                  # or "zh"
# mail_to = ["mods@example.org"]   # needs the table `mail` below
# discourse = "forum/moderators"   # a group of that source that gets a message
# rocketchat = "chat/moderators"   # a room of that source that gets a message
# private = ["forum/Staff"]        # private places these readers may read at the source
# days = [1, 2, 3, 4, 5]           # weekdays they are told, Monday is 1

# [communities.{community}.mail]
# host = "smtp.example.org"        # STARTTLS on port 587 unless told otherwise
# sender = "hearth@example.org"
"""

_SOURCE = """
[communities.{community}.sources.{name}]
platform = "{platform}"
url = "{url}"
# share = 0.5                      # part of the server's own rate limit that Hearth may use
# private = []                     # private places to read all the same, by name
"""
