"""One row per campaign that has begun by `as_of`: whom it reached, who redeemed, what they bought, and its margin.

The window is the campaign's days that lie in the past: from start_date to end_date or `as_of`, whichever is earlier.
The window before is as many days, ending the day before start_date. `is_comparable` says whether both lie within the
recorded sales. A campaign names cards; what their holders bought counts over all channels. Margin is the net amount
less the cost of the goods sold, at today's cost; null where the cost of less than KNOWN_COST_SHARE is known.
Members held out of a campaign are none of its targets.
This describes and does not explain: targeted members were chosen, seasons differ and campaigns overlap, so the
difference between the windows is not the campaign's effect. `gold.campaign_tests` compares with who was held out.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.parameters import KNOWN_COST_SHARE
from jobs.verbs import cost_of_line, keep_until, share_of, sum_money, with_card_holder


def build(
    campaign_touches: DataFrame,
    coupons: DataFrame,
    coupon_redemptions: DataFrame,
    customer_orders: DataFrame,
    order_lines: DataFrame,
    products: DataFrame,
    identities: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """One part per source, joined on the campaign."""
    known = campaign_touches.where("not is_control").transform(keep_until, "start_date", as_of)
    touches = known.transform(with_windows, as_of)
    holders = touches.transform(with_card_holder, identities).drop("member_id").distinct()
    orders = customer_orders.transform(keep_until, "order_date", as_of)
    lines = order_lines.transform(keep_window_lines, orders, holders).transform(with_cost, products)
    redemptions = coupon_redemptions.transform(keep_until, "redemption_date", as_of)
    # One to at most one, four times: every part has one row per campaign; then one row of first sale for all.
    return (
        touches.transform(count_targets, as_of)
        .join(redemptions.transform(count_redemptions, touches), on="campaign_id", how="left")
        .join(orders.transform(total_windows, holders), on="campaign_id", how="left")
        .join(lines.transform(total_margin), on="campaign_id", how="left")
        .join(lines.transform(total_coupon_products, coupons), on="campaign_id", how="left")
        .join(orders.agg(F.min("order_date").alias("first_sale")), how="cross")
        .transform(with_verdicts)
    )


COUNTS = ["redeemer_count", "redemption_count", "buyer_count"]
AMOUNTS = ("net_amount_in_window", "net_amount_before", "coupon_product_net_amount")


def with_windows(campaign_touches: DataFrame, as_of: date) -> DataFrame:
    """The days of each campaign so far, and as many before it."""
    start, until = F.col("start_date"), F.least("end_date", F.lit(as_of))
    window_days = F.datediff(until, start) + 1
    return campaign_touches.withColumns(
        {"window_end_date": until, "window_days": window_days, "before_start_date": F.date_sub(start, window_days)}
    )


def count_targets(touches: DataFrame, as_of: date) -> DataFrame:
    """One row per campaign, with its size and dates."""
    has_ended = F.coalesce(F.col("end_date") <= F.lit(as_of), F.lit(False))
    return (
        touches.groupBy("campaign_id", "campaign_type", "start_date", "end_date", "window_days", "before_start_date")
        .agg(F.count("*").alias("targeted_member_count"))
        .withColumns({"as_of_date": F.lit(as_of), "is_finished": has_ended})
    )


def count_redemptions(coupon_redemptions: DataFrame, touches: DataFrame) -> DataFrame:
    """What targeted members redeemed."""
    # Many redemptions to at most one touch; a redeemer whom the campaign did not target counts in neither.
    return (
        coupon_redemptions.join(touches, on=["campaign_id", "member_id"], how="left_semi")
        .groupBy("campaign_id")
        .agg(
            F.countDistinct("member_id").alias("redeemer_count"),
            F.count("*").alias("redemption_count"),
        )
    )


def total_windows(orders: DataFrame, holders: DataFrame) -> DataFrame:
    """What targeted customers bought in the window and before it."""
    # Many to many on purpose: an order counts once for each campaign whose window or window before it falls in.
    day = F.col("order_date")
    in_window = day.between(F.col("start_date"), F.col("window_end_date"))
    before = (day >= F.col("before_start_date")) & (day < F.col("start_date"))
    return (
        orders.select("customer_id", "order_date", "is_purchase", "net_amount")
        .join(holders, on="customer_id", how="inner")
        .where(in_window | before)
        .groupBy("campaign_id")
        .agg(
            F.countDistinct(F.when(in_window & F.col("is_purchase"), F.col("customer_id"))).alias("buyer_count"),
            sum_money(F.when(in_window, F.col("net_amount")), "net_amount_in_window"),
            sum_money(F.when(before, F.col("net_amount")), "net_amount_before"),
        )
    )


def keep_window_lines(order_lines: DataFrame, orders: DataFrame, holders: DataFrame) -> DataFrame:
    """What targeted customers bought in the window, line by line."""
    # Many lines to one order of a known customer, else none; then many to many as above.
    return (
        order_lines.select("order_id", "product_id", "line_type", "quantity", "net_amount")
        .join(orders.select("order_id", "order_date", "customer_id"), on="order_id", how="inner")
        .join(holders, on="customer_id", how="inner")
        .where(F.col("order_date").between(F.col("start_date"), F.col("window_end_date")))
    )


def with_cost(lines: DataFrame, products: DataFrame) -> DataFrame:
    """Each line with the cost of a piece."""
    # Many lines to at most one product.
    return lines.join(products.select("product_id", "unit_cost_amount"), on="product_id", how="left")


def total_margin(lines: DataFrame) -> DataFrame:
    """Net amount less cost, where enough of the cost is known."""
    net = F.col("net_amount")
    known = share_of(F.sum(F.when(F.col("unit_cost_amount").isNotNull(), F.abs(net))), F.sum(F.abs(net)))
    margin = sum_money(net - cost_of_line(), "margin")
    return lines.groupBy("campaign_id").agg(
        F.when(known >= KNOWN_COST_SHARE, margin).alias("margin_amount_in_window"),
    )


def total_coupon_products(lines: DataFrame, coupons: DataFrame) -> DataFrame:
    """What they bought of the products on its coupons."""
    # A line counts once, however many coupons are for its product.
    return (
        lines.join(coupons, on=["campaign_id", "product_id"], how="left_semi")
        .groupBy("campaign_id")
        .agg(sum_money("net_amount", "coupon_product_net_amount"))
    )


def with_verdicts(campaigns: DataFrame) -> DataFrame:
    """Zero where nothing happened, the rate, and whether the windows compare."""
    zero = F.lit(0).cast("decimal(18,2)")
    return (
        campaigns.fillna(0, COUNTS)
        .withColumns({column: F.coalesce(column, zero) for column in AMOUNTS})
        .withColumns(
            {
                "redemption_rate": share_of(F.col("redeemer_count"), F.col("targeted_member_count")),
                "is_comparable": F.coalesce(F.col("before_start_date") >= F.col("first_sale"), F.lit(False)),
            }
        )
        .drop("before_start_date", "first_sale")
    )
