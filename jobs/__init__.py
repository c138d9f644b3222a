"""Shoplake: what the lake is. One package; `shoplake` is its console command."""
