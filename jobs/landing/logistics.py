"""Logistics: stations of deliveries, and the tracks of the couriers who bring them."""

SCHEDULE = "15 5 * * *"  # Every morning: the last deliveries of an evening end after midnight.
