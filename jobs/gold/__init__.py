"""Answers and features: one module and contract per table, one grain each."""
