"""How long tests wait for other processes: an upper bound that no working machine reaches, however busy it is."""

PATIENCE_S = 300.0
