"""The app and the mini-program: events, orders at each state, and registrations, as JSON lines, once a day."""

SCHEDULE = "30 3 * * *"  # At night, when the app's log of the day before is closed and few are awake to add to it.
