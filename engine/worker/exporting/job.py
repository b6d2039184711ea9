"""One export from beginning to end: listen to the trained model, write the form, certify it, put it in its place.

Everything is written beside the target and renamed at the end, so that what is in the target is complete and proven; a
certificate that fails leaves nothing there but is kept in the run's folder.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
from pathlib import Path

import msgspec

from engine.spec.exits import Exit
from engine.spec.exports import CERTIFICATE, CHECKSUMS, Certificate
from engine.spec.files import rename, sync_folder, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import ExportJob
from engine.worker.control import ControlFile, Wish
from engine.worker.exporting.cleaning import clean_folder, refuse_leaks
from engine.worker.exporting.ending import export_fault
from engine.worker.exporting.forms import certified, write_form
from engine.worker.exporting.trained import trained_answers
from engine.worker.fault import Fault
from engine.worker.reporter import Reporter

LISTENED, WRITTEN, CERTIFIED, WHOLE = 20, 60, 95, 100
"""How much is done, in percent, when each part is."""
READ_BYTES = 4_000_000


class Ended(Exception):
    """The export was asked to end."""


class Exporting:
    """An export run. It is short: paused, it begins again when it goes on."""

    def __init__(self, job: ExportJob, folder: RunFolder, reporter: Reporter, control: ControlFile) -> None:
        self.job = job
        self.folder = folder
        self.reporter = reporter
        self.control = control
        self.target = Path(job.target)
        self.beside = self.target.with_name(f".{self.target.name}.tmp")

    def run(self) -> Exit:
        """Write, certify and place. Raises Fault; nothing half-made stays."""
        self.reporter.enter(RunState.RUNNING)
        refuse_full(self.target)
        try:
            return self._run()
        except Ended:
            return Exit.STOPPED if self.control.wish is Wish.STOP else Exit.PAUSED
        except Exception as error:
            raise export_fault(error, self.target, self.beside) from error
        finally:
            shutil.rmtree(self.beside, ignore_errors=True)

    def _run(self) -> Exit:
        shutil.rmtree(self.beside, ignore_errors=True)
        self.beside.mkdir(parents=True)
        self._at(0, "Listening to the trained model.")
        trained = trained_answers(self.job)
        self._at(LISTENED, "Writing.")
        model = write_form(self.job, self.beside, self._writing)
        clean_folder(self.beside, self.job.private)
        refuse_leaks(self.beside, self.job.private)
        self._at(WRITTEN, "Comparing it with the trained model.")
        certificate = certified(self.job, self.beside, model, trained, self._asked)
        write_struct(self.folder.path / CERTIFICATE, certificate)
        if not certificate.passed:
            raise _not_equal(certificate)
        self._at(CERTIFIED, certificate.verdict)
        self._place(certificate)
        self._at(WHOLE, f"Written to {self.target.name}.")
        self.reporter.event("finished", certificate.verdict)
        return Exit.COMPLETED

    def _place(self, certificate: Certificate) -> None:
        handed_out = msgspec.structs.replace(certificate, exchanges=())  # prompts are rows of the user's own data
        write_struct(self.beside / CERTIFICATE, handed_out)
        (self.beside / CHECKSUMS).write_text(checksums(self.beside), encoding="utf-8", newline="\n")
        alike(self.beside)
        refuse_full(self.target)
        if self.target.exists():
            self.target.rmdir()
        rename(self.beside, self.target)
        sync_folder(self.target.parent)

    def _at(self, done: int, words: str = "") -> None:
        """Say how far it is, and look whether it shall end. Raises Ended."""
        self.reporter.at(done, WHOLE)
        self.reporter.metrics(done, progress=done / WHOLE)
        if words:
            self.reporter.event("note", words)
        if self.control.look():
            raise Ended

    def _writing(self, done: int, total: int) -> None:
        self._at(LISTENED + (WRITTEN - LISTENED) * done // max(1, total))

    def _asked(self, done: int) -> None:
        self._at(WRITTEN + (CERTIFIED - WRITTEN) * done // max(1, len(self.job.probes)))


def refuse_full(target: Path) -> None:
    """Raises Fault when the target holds something already."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Fault(
            Exit.BAD_SPEC,
            "The folder for the export is not empty.",
            f"{target.name} holds something already, and an export never writes over anything.",
            "Choose another folder, or empty this one.",
        )


def alike(place: Path) -> None:
    """Let whoever may read one file read all: safetensors writes files that are for the user alone."""
    mode = stat.S_IMODE((place / CHECKSUMS).stat().st_mode)  # as the system makes files here
    for path in place.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def checksums(place: Path) -> str:
    """SHA-256 of every file, in the form that `sha256sum --check` reads."""
    lines = []
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        found = hashlib.sha256()
        with path.open("rb") as file:
            while data := file.read(READ_BYTES):
                found.update(data)
        lines.append(f"{found.hexdigest()}  {path.relative_to(place).as_posix()}\n")
    return "".join(lines)


def _not_equal(certificate: Certificate) -> Fault:
    causes = ", ".join(each.cause for each in certificate.mismatches)
    return Fault(
        Exit.NOT_EQUAL,
        f"The export does not answer like the trained model: {causes}.",
        " ".join(each.words for each in certificate.mismatches),
        "Nothing was put in the folder. The certificate with every comparison is in the run's folder.",
        "Export it in another form or in a number format closer to the trained weights.",
    )
