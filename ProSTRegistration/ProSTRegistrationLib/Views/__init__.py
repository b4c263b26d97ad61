"""Views of a registration: layout, overlays on the detector, 3D from the source. No Qt."""
