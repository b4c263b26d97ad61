"""The Slicer side of ProSTRegistration: MRML, Qt and the client of the worker. Never imports torch."""
