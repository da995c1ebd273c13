"""A digest as files: the page, its text and what programs read, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.digest.edition import Edition
from pipeline.digest.render import (
    render_html,
    render_json,
    render_markdown,
    render_rss,
    render_text,
)
from pipeline.errors import FixSettings
from pipeline.files import make_folder, write_whole


def deliver_files(edition: Edition, folder: Path, languages: tuple[str, ...]) -> list[Path]:
    """Write `<folder>/<night>-<audience>/digest.html`, `.txt`, `.md`, `.json`, `feed.xml`.

    The first language has the plain names, another one `digest.<language>.html` and so on. The
    folder of the same night and audience is replaced, and readable by us alone: a reader may find
    none for an instant, never half. Returns the paths, the page first.
    """
    target = folder / f"{edition.night:%Y-%m-%d}-{edition.audience}"
    texts = _texts(edition, languages)
    make_folder(folder)
    try:
        with TemporaryDirectory(
            prefix=".digest-", dir=folder, ignore_cleanup_errors=True
        ) as beside:
            new = Path(beside, "new")
            make_folder(new)
            for name, text in texts.items():
                write_whole(new / name, text.encode())
            if target.exists():
                target.rename(Path(beside, "old"))
            new.rename(target)
    except OSError as error:
        raise FixSettings(
            f"cannot write {target}: {error.strerror}; free space or fix the folder's permissions"
        ) from error
    return [target / name for name in texts]


def _texts(edition: Edition, languages: tuple[str, ...]) -> dict[str, str]:
    texts = {}
    for language in languages:
        mark = "" if language == languages[0] else f".{language}"
        texts[f"digest{mark}.html"] = render_html(edition, language)
        texts[f"digest{mark}.txt"] = render_text(edition, language)
        texts[f"digest{mark}.md"] = render_markdown(edition, language)
        texts[f"feed{mark}.xml"] = render_rss(edition, language)
    texts["digest.json"] = render_json(edition)
    return texts
