"""The middle of what is registered, computed once for each CT and choice of anatomy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, anatomyLabels, contentKey
from ProSTRegistrationLib.StartPose import anatomyCentreMm

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Scene import Scene


class PatientCentre:
    """Remembers the last centre."""

    def __init__(self) -> None:
        self._key: object = None
        self._centreMm = np.zeros(3)

    def of(self, scene: Scene, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> NDArray[np.float64]:
        """The centre (3,) in the CT's own frame.

        Args:
            scene: Scene.
            anatomy: AnatomyChoice.

        Raises:
            InputError: CT or anatomy cannot be used.
        """
        key = (contentKey(ctNode), contentKey(anatomy.node), anatomy.segmentIds, anatomy.labelValues)
        if key != self._key:
            ct, worldFromVolume = scene.ct(ctNode)
            parts = [] if anatomy.node is None else anatomyLabels(worldFromVolume, anatomy)
            self._centreMm, self._key = anatomyCentreMm(ct, parts), key
        return self._centreMm
