"""Marketing: campaigns with plans, targets and messages, coupons and their redemptions, products placed each week."""

SCHEDULE = "30 5 * * *"  # Every morning: messages report daily; placements and redemptions come once a week.
