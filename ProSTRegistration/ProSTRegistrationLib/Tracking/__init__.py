"""A run that is followed from one registered frame: the task, what the scene keeps of it, files, and words."""
