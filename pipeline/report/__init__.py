"""The evaluation report: a week or a month of a community, for those who look after it.

`select.py` asks a published night, `page.py` puts it into words, `draw.py` and `render.py` lay it
out, `write.py` keeps and sends it.
"""

from pipeline.report.period import Kind, Period
from pipeline.report.write import ended, is_written, send, write

__all__ = ["Kind", "Period", "ended", "is_written", "send", "write"]
