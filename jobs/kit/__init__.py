"""The only code with side effects: settings, sessions, storage, gates, runs. Small modules with one job each."""
