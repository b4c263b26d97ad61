"""Several bones of one CT that move by themselves: which they are, where each lies, what came of each. No Qt."""
