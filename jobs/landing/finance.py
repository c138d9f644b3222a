"""Finance: entries of the general ledger, revenue, cost and expenses, closed by the month."""

SCHEDULE = "30 6 * * *"  # Looked for daily: a monthly run would close a day that is a month ago.
