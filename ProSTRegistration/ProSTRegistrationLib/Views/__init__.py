"""How a registration is shown: layout, overlays on the detector, 3D from the source. No Qt."""
