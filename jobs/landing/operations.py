"""Operations: what stores and warehouse ordered, received, threw away and found on their shelves."""

SCHEDULE = "0 4 * * *"  # Before the tills' files: what was on the shelf is known when its sales arrive.
