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
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
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


class DigestSettings(_Section):
    """The moderators' digest of a community."""

    languages: tuple[Literal["en", "zh"], ...] = ("en",)
    most_flags: int = Field(10, ge=0, description="at most this many threads needing a judgement")
    most_questions: int = Field(15, ge=0, description="at most this many unanswered questions")
    overdue_h: float = Field(24, gt=0, description="hours until an unanswered question is overdue")
    newcomer_overdue_h: float = Field(4, ge=0, description="the same for a newcomer's, hours")


class Community(_Section):
    """One community: its sources, and what is kept and told of them."""

    name: str = Field(pattern=NAME)
    title: str
    home: Path
    time_zone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    bots: tuple[str, ...] = Field((), description="user names that are bots, beside known ones")
    keep_nights: int = Field(14, ge=2, description="published nights kept for rollback")
    memory: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    sources: Mapping[str, AnySource] = Field(min_length=1)
    digest: DigestSettings = DigestSettings()
    pseudonym_key: SecretStr = Field(exclude=True, repr=False)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
        return value

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
        if name not in self.communities:
            known = ", ".join(self.communities)
            raise FixSettings(f"hearth.toml: which community? Name one of: {known}")
        return self.communities[name]


def load(file: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Settings from hearth.toml (or `$HEARTH_SETTINGS`) and the environment.

    Raises FixSettings with every problem found, an unknown key with the nearest known one.
    """
    env = os.environ if env is None else env
    file = file or Path(env.get("HEARTH_SETTINGS") or DEFAULT_FILE)
    tree = _parse(file)
    problems = list(_add_secrets(tree, env))
    for name, community in _tables(tree, "communities"):
        community.setdefault("name", name)
        community.setdefault("title", name.replace("_", " ").title())
        home = Path(community.get("home", Path("var") / name))
        community["home"] = (file.parent / home).resolve()
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors()]
    if problems:
        unique = dict.fromkeys(problems)
        raise FixSettings(f"{file} needs {len(unique)} change(s):\n  " + "\n  ".join(unique))
    return settings


def secret_variable(community: str, source: str, secret: str) -> str:
    """Name of the environment variable that holds a source's secret."""
    return f"HEARTH_{community}_{source}_{secret}".upper()


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FixSettings(f"{file} does not exist; `hearth init` writes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FixSettings(f"{file} cannot be read: {error}") from None


def _tables(tree: Mapping[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = tree.get(key)
    if isinstance(tables, dict):
        yield from ((name, table) for name, table in tables.items() if isinstance(table, dict))


def _add_secrets(tree: dict[str, Any], env: Mapping[str, str]) -> Iterator[str]:
    """Put secrets into the tree; yield a sentence for each that is missing or in the file."""
    for name, community in _tables(tree, "communities"):
        key = f"HEARTH_{name}_PSEUDONYM_KEY".upper()
        community["pseudonym_key"] = env.get(key, "")
        if not env.get(key):
            yield f"environment variable {key} is not set; `openssl rand -hex 32` makes one"
        for source, table in _tables(community, "sources"):
            for secret in SECRETS.get(str(table.get("platform")), ()):
                variable = secret_variable(name, source, secret)
                if table.get(secret):
                    yield f"communities.{name}.sources.{source}.{secret}: secrets do not belong "\
                          f"in this file; set {variable} instead"  # fmt: skip
                table[secret] = env.get(variable, "")
                if not env.get(variable):
                    yield f"environment variable {variable} is not set"


def _sentence(problem: Any) -> str:
    where = [str(part) for part in problem["loc"] if part not in SECRETS]
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where[-1], _known_keys(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{'.'.join(where)}: unknown key{hint}"
    return f"{'.'.join(where)}: {problem['msg'].removeprefix('Value error, ')}"


def _known_keys() -> list[str]:
    models = (Settings, Community, DigestSettings, DiscourseSettings, RocketChatSettings)
    return sorted({key for model in models for key in model.model_fields})
