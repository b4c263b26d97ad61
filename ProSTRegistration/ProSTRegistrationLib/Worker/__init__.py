"""The connection to the worker process that holds the engine. No Qt, no torch."""
