"""What can go wrong, sorted by what the operator must do about it.

    HearthError
    ├── TryLater            waiting helps: the scheduler retries             exit 75
    │   ├── SourceDown      connection refused, 5xx, maintenance page
    │   ├── BudgetSpent     the server's limit (429) outlasted our patience
    │   ├── WarehouseBusy   another process holds the work file
    │   └── NightRuns       another night of this community runs already
    ├── FixAccess           a key, scope, role or plugin; waiting is useless exit 77
    ├── FixSettings         hearth.toml, an environment variable, a folder   exit 78
    ├── BadAnswer           the source answered something we cannot trust    exit 76
    ├── ContractBroken      the data breaks what `expectations/` promises    exit 65
    └── Degraded            published, but a source or stream stayed stale   exit 69

Exit codes are those of sysexits(3). Every text says where, what happened and what to do next, and
never holds a secret.
"""


class HearthError(Exception):
    """Base of all errors Hearth raises on purpose."""

    exit_code = 70


class TryLater(HearthError):
    """Nothing is wrong on our side; the same call may work later."""

    exit_code = 75


class SourceDown(TryLater):
    """The server could not be reached or answered 5xx until our patience ran out."""


class BudgetSpent(TryLater):
    """The server kept refusing for its rate limit longer than we may wait."""


class WarehouseBusy(TryLater):
    """Another process holds the work file; DuckDB allows one writer."""


class NightRuns(TryLater):
    """Another night of this community runs already; two would undo each other's work."""


class FixAccess(HearthError):
    """A key, scope, role or plugin is missing. Retrying will not help."""

    exit_code = 77


class FixSettings(HearthError):
    """hearth.toml, the environment or a folder must be changed."""

    exit_code = 78


class BadAnswer(HearthError):
    """The source answered something that is not what its API promises."""

    exit_code = 76


class ContractBroken(HearthError):
    """Tables break a critical rule of their contract; nothing was published."""

    exit_code = 65


class Degraded(HearthError):
    """The night is published, but something in it is older than last night."""

    exit_code = 69
