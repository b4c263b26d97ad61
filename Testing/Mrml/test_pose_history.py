"""Undo and redo of poses."""

import numpy as np

from ProSTRegistrationLib.PoseHistory import MOST_KEPT, KeptPose, PoseHistory


def kept(shift, startedBy="AP"):
    pose = np.eye(4)
    pose[0, 3] = shift
    return KeptPose(pose, startedBy, "")


def test_poses_come_back_in_their_order():
    history = PoseHistory()
    assert not history.canUndo
    for shift in (0, 5, 9):
        history.note(kept(shift))
    assert history.undo().worldFromVolume[0, 3] == 5
    assert history.undo().worldFromVolume[0, 3] == 0
    assert not history.canUndo
    assert history.redo().worldFromVolume[0, 3] == 5
    assert history.canRedo


def test_a_new_pose_drops_what_was_taken_back():
    history = PoseHistory()
    for shift in (0, 5):
        history.note(kept(shift))
    history.undo()
    history.note(kept(7))
    assert not history.canRedo
    assert history.undo().worldFromVolume[0, 3] == 0


def test_the_same_pose_counts_once_and_keeps_what_was_taken_back():
    history = PoseHistory()
    for shift in (0, 5):
        history.note(kept(shift))
    history.undo()
    history.note(kept(0))
    assert history.canRedo
    assert not history.canUndo


def test_the_oldest_go_when_there_are_many():
    history = PoseHistory()
    for shift in range(MOST_KEPT + 5):
        history.note(kept(shift))
    while history.canUndo:
        first = history.undo()
    assert first.worldFromVolume[0, 3] == 5
