"""MRML nodes of a registration: frames, C-arms, poses, results. No Qt."""
