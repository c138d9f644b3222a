"""One row per campaign that has begun by `as_of` and held somebody out: what it did, told from who was not sent it.

The unit is the customer. Who holds several of the cards that were drawn counts in neither group, whatever became of
them (`several_card_customer_count`): lots are drawn by card, so of two cards one is mostly sent, and whoever left out
only those with cards in both groups would take the holders of several, who buy more, from the held out. Compared is
the net amount per customer, over all channels, from start_date to end_date or `as_of`, whichever is earlier; who bought
nothing counts with zero.

Effect: mean of the treated less mean of the held out. Where chance alone decided who is held out, and all count whom it
was meant for, seen or not (intention to treat), its expectation is what the campaign does per customer. The standard
error pools the variances of both groups, sqrt(s^2 (1/n1 + 1/n2)), and the interval is the effect plus or minus Z times
that. Welch's, with a variance for each group, is the usual one and would be wrong here: of a dozen held out often none
buys, their variance is then nearly zero, and two to three in ten campaigns without any effect seem to have one (a test
tells both shares). Below MIN_CUSTOMERS in a group there is no interval. It covers the truth 94 to 95 times in 100, so
of a few dozen campaigns without an effect one or two will seem to have one.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.gold.campaign_performance import with_windows
from jobs.verbs import as_money, keep_until, share_of, sum_money, with_card_holder

Z = 1.959964  # 97.5 % of the normal distribution
MIN_CUSTOMERS = 10


def build(campaign_touches: DataFrame, customer_orders: DataFrame, identities: DataFrame, *, as_of: date) -> DataFrame:
    """Customers by group, what each bought, and the groups compared."""
    touches = campaign_touches.transform(keep_until, "start_date", as_of).transform(with_windows, as_of)
    campaigns = touches.select("campaign_id", "campaign_type", "start_date", "end_date", "window_days").distinct()
    customers = touches.transform(with_card_holder, identities).transform(draw)
    orders = customer_orders.transform(keep_until, "order_date", as_of)
    return (
        customers.transform(with_purchases, orders)
        .transform(compare)
        # One to one.
        .join(campaigns, on="campaign_id", how="inner")
        .withColumns(
            {
                "as_of_date": F.lit(as_of),
                "is_finished": F.coalesce(F.col("end_date") <= F.lit(as_of), F.lit(False)),
            }
        )
        .drop("end_date")
    )


def draw(holders: DataFrame) -> DataFrame:
    """One row per campaign and customer: treated, control or several (cards)."""
    several = F.count_distinct("member_id") > 1
    group = F.when(several, "several").when(F.every("is_control"), "control").otherwise("treated")
    return holders.groupBy("campaign_id", "customer_id", "start_date", "window_end_date").agg(group.alias("test_group"))


def with_purchases(customers: DataFrame, orders: DataFrame) -> DataFrame:
    """What each bought in the campaign's window; zero for who bought nothing."""
    bought = orders.select("customer_id", "order_date", "is_purchase", "net_amount")
    in_window = F.col("order_date").between(F.col("start_date"), F.col("window_end_date"))
    # Many to many on purpose: an order counts for each campaign whose window it falls in.
    sums = (
        customers.join(bought, on="customer_id", how="inner")
        .where(in_window)
        .groupBy("campaign_id", "customer_id")
        .agg(F.max("is_purchase").alias("is_buyer"), sum_money("net_amount", "net_amount"))
    )
    # One to at most one.
    return customers.join(sums, on=["campaign_id", "customer_id"], how="left").withColumns(
        {
            "is_buyer": F.coalesce("is_buyer", F.lit(False)),
            "net_amount": F.coalesce("net_amount", F.lit(0).cast("decimal(18,2)")),
        }
    )


def compare(customers: DataFrame) -> DataFrame:
    """Both groups of each campaign side by side; campaigns that held nobody out have no row."""
    parts = [F.count_if(F.col("test_group") == "several").alias("several_card_customer_count")]
    for group in ("treated", "control"):
        is_in = F.col("test_group") == group
        net = F.when(is_in, F.col("net_amount"))
        parts += [
            F.count_if(is_in).alias(f"{group}_customer_count"),
            F.count_if(is_in & F.col("is_buyer")).alias(f"{group}_buyer_count"),
            F.avg(net.cast("double")).alias(f"_{group}_mean"),
            F.var_samp(net.cast("double")).alias(f"_{group}_variance"),
        ]
    means = {g: F.col(f"_{g}_mean") for g in ("treated", "control")}
    counts = {g: F.col(f"{g}_customer_count") for g in ("treated", "control")}
    squares = sum((F.coalesce(f"_{g}_variance", F.lit(0.0)) * (counts[g] - 1) for g in means), F.lit(0.0))
    freedom = counts["treated"] + counts["control"] - 2
    error = F.sqrt(squares / F.nullif(freedom, F.lit(0)) * (1 / counts["treated"] + 1 / counts["control"]))
    effect = means["treated"] - means["control"]
    is_enough = F.least(*counts.values()) >= MIN_CUSTOMERS
    return (
        customers.groupBy("campaign_id")
        .agg(*parts)
        .where((counts["treated"] > 0) & (counts["control"] > 0))
        .withColumns(
            {
                **{f"{g}_buyer_share": share_of(F.col(f"{g}_buyer_count"), counts[g]) for g in means},
                **{f"mean_{g}_net_amount": as_money(means[g]) for g in means},
                "effect_amount": as_money(effect),
                "effect_error_amount": F.when(is_enough, as_money(error)),
                "effect_low_amount": F.when(is_enough, as_money(effect - Z * error)),
                "effect_high_amount": F.when(is_enough, as_money(effect + Z * error)),
            }
        )
        .drop(*[f"_{g}_{what}" for g in means for what in ("mean", "variance")])
    )
