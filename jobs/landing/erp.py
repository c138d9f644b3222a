"""The ERP: products and stores, exported whole whenever they change; the weeks' prices; new loyalty cards."""

SCHEDULE = "30 4 * * *"  # Before the tills' files, so that new products are known when their sales arrive.
