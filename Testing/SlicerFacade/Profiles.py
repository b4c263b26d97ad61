"""The Slicers that the module supports, as far as they differ in what it sees."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """What one Slicer does; the words name where its sources say so.

    Attributes:
        version: (major, minor).
        endsGuiObservers: parameterNodeWrapper/wrapper.py, disconnectGui: the observer of the parameter node goes too.
        savesHiddenNodes: vtkMRMLScene::SavePrivateStorableNodes: a .mrml file gets the data of nodes that have no row
            in the save dialog.
    """

    version: tuple
    endsGuiObservers: bool
    savesHiddenNodes: bool

    def __str__(self):
        return "Slicer {}.{}".format(*self.version)


SLICER_5_10 = Profile((5, 10), endsGuiObservers=False, savesHiddenNodes=False)
SLICER_5_12 = Profile((5, 12), endsGuiObservers=True, savesHiddenNodes=True)
EACH_SLICER = (SLICER_5_10, SLICER_5_12)
