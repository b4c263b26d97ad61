"""Several views whose C-arms' places against each other are only roughly known."""
