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
from typing import Any

from pydantic import ValidationError

from pipeline.errors import FixSettings
from pipeline.settings.models import (
    AT_A_PROMPT_S,
    NAME,
    SCHEDULE,
    SECRETS,
    Audience,
    ClusterSettings,
    Community,
    DigestSettings,
    DiscourseSettings,
    Ladder,
    Language,
    MailSettings,
    RocketChatSettings,
    Settings,
    SourceSettings,
    cron,
    judge_name,
    known_keys,
)

__all__ = [
    "AT_A_PROMPT_S",
    "Audience",
    "ClusterSettings",
    "Community",
    "DigestSettings",
    "DiscourseSettings",
    "Ladder",
    "Language",
    "MailSettings",
    "RocketChatSettings",
    "Settings",
    "connections",
    "file_in_use",
    "has_secrets",
    "judge_name",
    "load",
    "parse",
    "schedules",
    "secret_variable",
    "template",
    "variables",
]
DEFAULT_FILE = Path("hearth.toml")
TEMPLATES = Path(__file__).parent
_MAKE = "; `openssl rand -hex 32` makes one"


def load(
    file: Path | None = None, env: Mapping[str, str] | None = None, *, secrets: bool = True
) -> Settings:
    """Settings from hearth.toml (or `$HEARTH_SETTINGS`) and the environment. Without `secrets`, for
    what only reads, those that are not set are empty instead of a problem.

    Raises FixSettings with every problem found, an unknown key with the nearest known one.
    """
    env = os.environ if env is None else env
    file = file or file_in_use(env)
    return parse(_text(file), env, file, secrets=secrets)


def file_in_use(env: Mapping[str, str] = os.environ) -> Path:
    """The settings file that `$HEARTH_SETTINGS` names, or else ./hearth.toml."""
    return Path(env.get("HEARTH_SETTINGS") or DEFAULT_FILE)


def schedules() -> dict[str, str]:
    """Name of each community -> when its nights begin (cron, UTC), without its secrets. Raises
    FixSettings for a time that is none."""
    return {name: _schedule(name, table) for name, table in _communities()}


def _schedule(community: str, table: Mapping[str, Any]) -> str:
    try:
        return cron(str(table.get("schedule", SCHEDULE)))
    except ValueError as error:
        raise FixSettings(f"communities.{community}.schedule: {error}") from None


def connections(community: str) -> Iterator[tuple[str, str, str]]:
    """(variable, connection, "login" or "password") for each secret a community needs."""
    for place, _, secrets in _holders(dict(_communities())[community]):
        holder = "_".join(filter(None, ("hearth", community, _name(place))))
        for field in secrets:
            part = "login" if field == "user_id" else "password"
            yield secret_variable(community, _name(place), field), holder, part


def parse(
    text: str, env: Mapping[str, str], file: Path = DEFAULT_FILE, *, secrets: bool = True
) -> Settings:
    """Settings from the text of a hearth.toml; `file` is its name in errors and the place from
    which relative folders count."""
    tree = _tree(text, file)
    problems = list(_add_secrets(tree, env, required=secrets))
    for name, community in _tables(tree, "communities"):
        if community.setdefault("name", name) != name:
            problems.append(f"communities.{name}.name: the table has the name; drop this one")
        community.setdefault("title", name.replace("_", " ").title())
        home = Path(str(community.get("home", Path("var") / name)))
        try:
            community["home"] = (file.parent / home.expanduser()).resolve()
        except RuntimeError:
            problems.append(f"communities.{name}.home: {home.parts[0]} is no user of this machine")
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
    return [
        secret_variable(name, _name(place), secret)
        for name, community in _tables(_tree(text, DEFAULT_FILE), "communities")
        for place, _, secrets in _holders(community)
        for secret in secrets
    ]


def template(community: str, discourse: str, rocketchat: str, time_zone: str) -> str:
    """A commented hearth.toml for one community; an empty address leaves that source out. Raises
    FixSettings for what it could not be made of."""
    if not re.fullmatch(NAME, community):
        raise FixSettings(
            f"--community {community!r}: a community has a name in small letters, such as ember"
        )
    if not (discourse or rocketchat):
        raise FixSettings(
            "name the address of a Discourse forum (--discourse), of a Rocket.Chat (--rocketchat), "
            "or of both"
        )
    sources = {"forum": ("discourse", discourse), "chat": ("rocketchat", rocketchat)}
    text = _template("community").format(community=community, time_zone=time_zone)
    for name, (platform, url) in sources.items():
        if url:
            text += _template("source").format(
                community=community, name=name, platform=platform, url=url
            )
            text += _template("discourse") if platform == "discourse" else ""
    return text


def has_secrets(source: SourceSettings) -> bool:
    """Whether all secrets of a source are set; settings that were read without may lack some."""
    fields = SECRETS[str(getattr(source, "platform", ""))]
    return all(getattr(source, field).get_secret_value() for field in fields)


def secret_variable(community: str, source: str, secret: str) -> str:
    """Name of the environment variable that holds a source's secret, or, of no source, the
    community's own."""
    return "_".join(filter(None, ("HEARTH", community, source, secret))).upper()


def _template(name: str) -> str:
    return (TEMPLATES / f"{name}.toml.txt").read_text(encoding="utf-8")


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


def _communities() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and table of each community of the file in use, as they are written there."""
    file = file_in_use()
    return _tables(_tree(_text(file), file), "communities")


def _tables(tree: Mapping[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = tree.get(key)
    if isinstance(tables, dict):
        yield from ((name, table) for name, table in tables.items() if isinstance(table, dict))


def _holders(community: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """(place in it, table, secrets) of everything in a community's table that needs secrets; the
    community itself has no place."""
    yield "", community, ("pseudonym_key",)
    for source, table in _tables(community, "sources"):
        yield f"sources.{source}", table, SECRETS.get(str(table.get("platform")), ())
    mail = community.get("mail")
    if isinstance(mail, dict) and mail.keys() & {"username", "password"}:
        yield "mail", mail, ("password",)
    cluster = community.get("cluster")
    if isinstance(cluster, dict) and ("@" in str(cluster.get("budget")) or "password" in cluster):
        yield "cluster", cluster, ("password",)


def _name(place: str) -> str:
    return place.rpartition(".")[2]


def _add_secrets(tree: dict[str, Any], env: Mapping[str, str], *, required: bool) -> Iterator[str]:
    """Put secrets into the tree; yield a sentence for each that is missing or in the file."""
    for name, community in _tables(tree, "communities"):
        for place, table, secrets in _holders(community):
            for secret in secrets:
                variable = secret_variable(name, _name(place), secret)
                if table.get(secret):
                    where = ".".join(filter(None, ("communities", name, place, secret)))
                    yield f"{where}: secrets do not belong in this file; set {variable} instead"
                table[secret] = env.get(variable, "")
                if required and not env.get(variable):
                    yield f"environment variable {variable} is not set{'' if place else _MAKE}"


def _sentence(problem: Any) -> str:
    where = [str(part) for part in problem["loc"] if part not in SECRETS]
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where[-1], known_keys(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        if where[-1] in near:
            hint = " of this table; another one has it"
        return f"{'.'.join(where)}: unknown key{hint}"
    return f"{'.'.join(where)}: {problem['msg'].removeprefix('Value error, ')}"
