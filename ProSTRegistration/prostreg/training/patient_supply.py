"""The patients of a run and their simulated X-rays: made while the run trains on those before, and kept as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from prostreg.prost.network import ProSTNetwork
from prostreg.simulation.fine_grid import FINEST_SPACING_MM
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.training.config import TrainingConfig
from prostreg.training.patients import NEEDED, PatientEntry, patients_of
from prostreg.training.run_folder import RunFolder
from prostreg.training.trainer import TrainingPatient
from prostreg.training.xray_bank import simulated_bank

BANKS, PEOPLE = 10, 12
"""Independent streams of random numbers of a run, apart from the trainer's."""
PEOPLE_FINEST_MM = 2.0
"""The grid that drawn people are rendered on: they have no finer structure."""

Patients = list[tuple[TrainingPatient, Path]]
"""Each with the file of its X-rays."""


class PatientSupply:
    """The patients of one use.

    Args:
        entries: whom to read or draw.
        use: what they are for.
        network: decides which channels there are, and the size of images.
        config: of the run.
        folder: for the X-rays.
        writes: True in the process that simulates; the others only draw the same patients.
        say: told what is going on.
    """

    def __init__(
        self,
        entries: Sequence[PatientEntry],
        use: str,
        network: ProSTNetwork,
        config: TrainingConfig,
        folder: RunFolder,
        writes: bool,
        say: Callable[[str], None],
    ) -> None:
        self._entries, self._use, self._network, self._config = entries, NEEDED.index(use), network, config
        self._number = config.validation_xrays if use == "validation" else config.xrays_per_patient
        self._folder, self._writes, self._say = folder, writes, say

    def made(self, renewal: int, check: Callable[[], None]) -> Patients:
        """The patients of a renewal, one at a time in memory as a whole; X-rays that are there already stay.

        Args:
            renewal: equal numbers give equal patients and X-rays.
            check: called before each patient; may raise to end this.

        Raises:
            InputError: files of patients cannot be used, or the settings lead to no X-ray.
        """
        made: Patients = []
        for index, entry in enumerate(self._entries):
            place = [self._use, index, renewal + 1]
            people = patients_of(entry, [self._config.seed, PEOPLE, *place])
            while True:
                check()
                patient, body = next(people, (None, None))
                if patient is None or body is None:
                    break
                file = self._folder.bank_file(renewal, patient.name)
                if self._writes and not file.is_file():
                    self._say(f"Simulating {self._number} X-rays of {patient.name}")
                    is_drawn = entry.people is not None
                    finest_mm = PEOPLE_FINEST_MM if is_drawn else FINEST_SPACING_MM
                    simulator = FluoroscopySimulator(body, self._config.scene.simulator, finest_mm=finest_mm)
                    seed = [self._config.seed, BANKS, *place, *([len(made)] if is_drawn else [])]
                    scene, size = self._config.scene, self._network.image_size
                    simulated_bank(simulator, patient, scene, size, self._number, seed).save(file)
                made.append((TrainingPatient(patient, self._network), file))
        return made
