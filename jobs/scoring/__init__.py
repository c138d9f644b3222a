"""Predictions of the champion models: one module and contract per table."""
