"""The panel that a person works with, step by step. The only folder that knows Qt."""
