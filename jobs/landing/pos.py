"""The tills of the stores: tickets, their lines and payments, one CSV each per business day, sent after closing."""

SCHEDULE = "0 5 * * *"  # Every morning, when the last store's till has sent the day before.
