"""The middle of what is registered, computed once for each CT and choice of anatomy."""

from ProSTRegistrationLib.Nodes.Anatomy import anatomyLabels, contentKey
from ProSTRegistrationLib.StartPose import anatomyCentreMm


class PatientCentre:
    """Remembers the last centre."""

    def __init__(self):
        self._key, self._centreMm = None, None

    def of(self, scene, ctNode, anatomy):
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
