"""What ProSTRegistration keeps in MRML nodes: frames, C-arms, poses, results. No Qt."""
