"""As received: one contract per landed table; the loader is generic (jobs/kit/door.py)."""
