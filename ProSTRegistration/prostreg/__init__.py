"""2D/3D registration of a CT to fluoroscopy: ProST and CMA-ES."""

__version__ = "0.1.0"
