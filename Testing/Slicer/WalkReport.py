"""What a walk leaves behind: report.json with the time and the heartbeat of each step, and what stopped it."""

import json
import platform
import time
from contextlib import contextmanager

import slicer
from Heartbeat import Heartbeat


class WalkReport:
    """The report of one walk, written anew at each step: a walk that is killed leaves what it had come to.

    Args:
        folder: where report.json and the pictures go; made if it is not there. None to write nothing.
        say: called with a line for each step done.

    Attributes:
        content: what stands in report.json. "passed" is true only after the last step; "running" names the step that
            has not ended, "stopped" says in a sentence what went wrong, "traceback" is that of an error nobody foresaw.
    """

    def __init__(self, folder=None, say=print):
        self.folder, self._say = folder, say
        self.content = {
            "passed": False, "running": "", "stopped": "", "traceback": "", "steps": [], "pictures": [],
            "slicer": slicer.app.applicationVersion, "system": platform.platform(),
        }  # fmt: skip
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._write()

    @contextmanager
    def step(self, name):
        """Watches a step of the walk; one that raises stays "running"."""
        self.content["running"] = name
        self._write()
        began, heartbeat = time.monotonic(), Heartbeat()
        with heartbeat:
            yield
        seconds = time.monotonic() - began
        self.content["steps"].append({
            "name": name, "seconds": round(seconds, 2), "largestGapMs": round(heartbeat.largestGapMs, 1),
            "beats": heartbeat.beats,
        })  # fmt: skip
        self.content["running"] = ""
        self._write()
        self._say(f"{name:14} {seconds:6.1f} s, largest gap {heartbeat.largestGapMs:6.0f} ms")

    def picturePath(self, name):
        """The file for the next picture, which is listed with it."""
        path = self.folder / f"{len(self.content['pictures']) + 1:02} {name}.png"
        self.content["pictures"].append(path.name)
        return path

    def stop(self, sentence, traceback=""):
        """Notes what ended the walk before its last step."""
        self.content.update(stopped=sentence, traceback=traceback)
        self._write()
        self._say(f"Stopped: {sentence}\n{traceback}")

    def succeed(self):
        """Notes that every step did what it should."""
        self.content["passed"] = True
        self._write()
        self._say("Every step did what it should.")

    def _write(self):
        if self.folder is not None:
            text = json.dumps(self.content, indent=1, ensure_ascii=False)
            (self.folder / "report.json").write_text(text + "\n", encoding="utf-8")
