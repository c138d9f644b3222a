"""One module and contract per model: fit and evaluate, pure."""
