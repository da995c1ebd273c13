"""A Rocket.Chat server in a box: a workspace in memory behind the real REST API.

    workspace = Workspace()
    with running(chat_app=chat_app(workspace, clock)) as addresses: ...

`READER_ID` and `READER_TOKEN` open it to an extractor with just the permissions it needs.
"""

from pipeline.sandbox.rocketchat.app import READER_ID, READER_TOKEN, chat_app
from pipeline.sandbox.rocketchat.switches import Switches
from pipeline.sandbox.rocketchat.workspace import Workspace

__all__ = ["READER_ID", "READER_TOKEN", "Switches", "Workspace", "chat_app"]
