"""Runs a scripted module of Slicer in real Qt on real MRML, outside the application. See README.md.

Nothing of Slicer's Python is in place until SlicerFacade.Installation.installed() has put it there.
"""
