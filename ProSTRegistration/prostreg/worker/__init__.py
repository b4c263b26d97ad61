"""The engine as a persistent process that an application without torch can talk to."""
