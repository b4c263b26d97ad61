"""A track in files: a table, and Autoscoper's rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prostreg.errors import InputError, system_refusal
from prostreg.files import complete_file
from prostreg.outputs.track_texts import autoscoper_text, table_text

if TYPE_CHECKING:
    from prostreg.tracking.track import Track

AUTOSCOPER_SUFFIX = ".tra"


def saveTrack(path: Path, track: Track) -> None:
    """Writes a track as Autoscoper's rows where the file's name ends in .tra, and as CSV otherwise.

    Raises:
        InputError: the file cannot be written; an older one is then left as it was.
    """
    text = autoscoper_text(track) if path.suffix.lower() == AUTOSCOPER_SUFFIX else table_text(track)
    try:
        with complete_file(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"The track could not be saved. {system_refusal(error)}") from error
