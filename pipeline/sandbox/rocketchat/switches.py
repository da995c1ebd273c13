"""The server's version, settings and habits, as far as a client meets them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Switches:
    """The server's settings and habits that change what a client sees. All can be changed while
    the server runs."""

    version: str = "7.7.1"
    keep_history: bool = False  # Message_KeepHistory
    show_deleted: bool = False  # Message_ShowDeletedStatus
    erasure: str = "Delete"  # Message_ErasureType: Delete, Unlink or Keep
    real_names: bool = False  # UI_Use_Real_Name
    threads: bool = True
    read_others_dms: bool = False  # API_Enable_Direct_Message_History_EndPoint
    limiter: bool = True
    limit_calls: int = 10
    limit_window_ms: int = 60_000
    default_count: int = 50
    upper_count: int = 100
    infinite_count: bool = True
    max_message: int = 5_000  # Message_MaxAllowedSize, characters
    trash_days: int = 30
    deletions_sorted_by_update: bool = True  # the server's own fault in the deletion cursor

    def at_least(self, *version: int) -> bool:
        """Whether the server is this version or newer."""
        return tuple(int(part) for part in self.version.split(".")) >= version
