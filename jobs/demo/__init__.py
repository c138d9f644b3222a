"""What the demo retailer's systems drop, and the flow of `make demo`."""
