"""What the business may set: change a value here, and the tables that depend on it are built anew by the next run."""

# Value tiers (gold.customer_value). Money in the business currency.
TOP_SPENDER_AMOUNT = 5000  # net amount in 365 days above which a customer is `top`
NEWCOMER_DAYS = 30  # a single purchase, made within so many days, is `newcomer`: bought, but not again
SILENT_DAYS = 90  # no purchase for so many days is `silent`

# Value classes (gold.customer_value): scores run from 1 to 5, five is best.
HIGH_CONTRIBUTION_SCORE = 4  # contribution from which on a customer is high-value, or at risk of being lost
ACTIVE_RECENCY_SCORE = 3  # recency from which on a customer counts as still with us
PROMISING_FREQUENCY_SCORE = 3  # frequency from which on an active customer has potential

# Shares below which a figure would rest on too little.
KNOWN_COST_SHARE = 0.95  # of a customer's net amount that must have a known cost to speak of a margin

# Goods that spoil (gold.fresh_loss).
FRESH_SHELF_LIFE_DAYS = 30  # longest shelf life with which goods count as fresh

# Stores (gold.store_affinity).
MIN_PAIR_ORDERS = 20  # orders of a store that must hold two categories together before a figure is made of them
