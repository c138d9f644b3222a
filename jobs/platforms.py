"""How each platform tells of an order, in one set of fields and states: what several tables of silver read it by.

| our state | app | Tmall | JD |
|---|---|---|---|
| placed | created | WAIT_BUYER_PAY | NOT_PAY |
| paid | paid | WAIT_SELLER_SEND_GOODS | WAIT_SELLER_STOCK_OUT |
| shipped | shipped | WAIT_BUYER_CONFIRM_GOODS | WAIT_GOODS_RECEIVE_CONFIRM |
| completed | finished | TRADE_FINISHED | FINISHED_L |
| cancelled | closed | TRADE_CLOSED_BY_TAOBAO, TRADE_CLOSED | TRADE_CANCELED |

A state that is none of these becomes null, for the gate to name.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import MONEY, PRECEDENCE, as_typed, clean, keep_newest

PAID = ("paid", "shipped", "completed")  # states of an order that was paid
WAREHOUSE = "W001"  # where the retailer books what the marketplaces sell
CHINA_TIME = "+08:00"  # both marketplaces tell time without an offset
APP = {"created": "placed", "paid": "paid", "shipped": "shipped", "finished": "completed", "closed": "cancelled"}
TMALL = {
    "WAIT_BUYER_PAY": "placed",
    "WAIT_SELLER_SEND_GOODS": "paid",
    "WAIT_BUYER_CONFIRM_GOODS": "shipped",
    "TRADE_FINISHED": "completed",
    "TRADE_CLOSED": "cancelled",
    "TRADE_CLOSED_BY_TAOBAO": "cancelled",
}
JD = {
    "NOT_PAY": "placed",
    "WAIT_SELLER_STOCK_OUT": "paid",
    "WAIT_GOODS_RECEIVE_CONFIRM": "shipped",
    "FINISHED_L": "completed",
    "TRADE_CANCELED": "cancelled",
}


def latest_orders(app_orders: DataFrame, tmall_orders: DataFrame, jd_orders: DataFrame) -> DataFrame:
    """One row per order at the newest state that its platform told, with `items`, its lines.

    Of two that say the same time the newest file's last row counts. `paid_at` is when it was first told as paid.
    """
    told = reduce(
        DataFrame.unionByName,
        [
            app_orders.transform(conform_app),
            tmall_orders.transform(conform_tmall),
            jd_orders.transform(conform_jd),
        ],
    )
    paid = F.min(F.when(F.col("order_status") == "paid", F.col("updated_at")))
    return told.withColumn("paid_at", paid.over(Window.partitionBy("order_id", "order_date"))).transform(
        keep_newest, "order_id", "order_date", by=("updated_at", *PRECEDENCE)
    )


def conform_app(app_orders: DataFrame) -> DataFrame:
    """The app: nested fields, instants with their offset."""
    items = (
        "array<struct<line_no:int,sku:string,qty:int,list_price:decimal(18,2),amount:decimal(18,2),"
        "discount:decimal(18,2),coupon:decimal(18,2)>>"
    )
    return app_orders.select(
        clean("order_no").alias("order_id"),
        "order_date",
        as_typed("created_at", "timestamp").alias("ordered_at"),
        as_typed("updated_at", "timestamp").alias("updated_at"),
        F.lit("app").alias("channel"),
        name_state("status", APP),
        F.lit("app").alias("account_system"),
        F.get_json_object("buyer", "$.openid").alias("account_id"),
        F.get_json_object("buyer", "$.member_no").alias("member_id"),
        clean("store_id"),
        clean("pay_method").alias("payment_method"),
        F.get_json_object("amounts", "$.paid").try_cast(MONEY).alias("stated_amount"),
        F.transform(
            F.from_json("items", items),
            lambda i: make_item(i.line_no, i.sku, i.qty, i.list_price * i.qty, i.amount, i.discount, i.coupon),
        ).alias("items"),
        *PRECEDENCE,
        "_source_file",
    )


def conform_tmall(tmall_orders: DataFrame) -> DataFrame:
    """Tmall: numbers as text, discounts and coupons in one sum, lines numbered by their place."""
    items = (
        "struct<order:array<struct<outer_sku_id:string,num:int,price:decimal(18,2),discount_fee:decimal(18,2),"
        "total_fee:decimal(18,2)>>>"
    )
    return tmall_orders.select(
        clean("tid").alias("order_id"),
        "order_date",
        in_china("created").alias("ordered_at"),
        in_china("modified").alias("updated_at"),
        F.lit("tmall").alias("channel"),
        name_state("status", TMALL),
        F.lit("tmall").alias("account_system"),
        clean("buyer_nick").alias("account_id"),
        F.lit(None).cast("string").alias("member_id"),
        F.lit(WAREHOUSE).alias("store_id"),
        F.lit("alipay").alias("payment_method"),
        as_typed("payment", MONEY).alias("stated_amount"),
        F.transform(
            F.from_json("orders", items)["order"],
            lambda i, n: make_item(
                n + 1, i.outer_sku_id, i.num, i.price * i.num, i.total_fee, i.discount_fee, F.lit(0)
            ),
        ).alias("items"),
        *PRECEDENCE,
        "_source_file",
    )


def conform_jd(jd_orders: DataFrame) -> DataFrame:
    """JD: what is taken off a line in one sum, what the line costs not told."""
    items = "array<struct<skuId:string,itemTotal:int,jdPrice:decimal(18,2),couponPrice:decimal(18,2)>>"

    def item(i: Column, n: Column) -> Column:
        whole = i.jdPrice * i.itemTotal
        return make_item(n + 1, i.skuId, i.itemTotal, whole, whole - i.couponPrice, i.couponPrice, F.lit(0))

    return jd_orders.select(
        clean("order_id"),
        "order_date",
        in_china("order_start_time").alias("ordered_at"),
        in_china("modified").alias("updated_at"),
        F.lit("jd").alias("channel"),
        name_state("order_state", JD),
        F.lit("jd").alias("account_system"),
        clean("pin").alias("account_id"),
        F.lit(None).cast("string").alias("member_id"),
        F.lit(WAREHOUSE).alias("store_id"),
        F.lit(None).cast("string").alias("payment_method"),
        as_typed("order_payment", MONEY).alias("stated_amount"),
        F.transform(F.from_json("item_info_list", items), item).alias("items"),
        *PRECEDENCE,
        "_source_file",
    )


def make_item(
    number: Column, product: Column, quantity: Column, whole: Column, net: Column, discount: Column, coupon: Column
) -> Column:
    """A line, with the names and types of silver.order_lines."""
    return F.struct(
        number.cast("int").alias("line_number"),
        product.alias("product_id"),
        quantity.cast("int").alias("quantity"),
        whole.cast(MONEY).alias("list_amount"),
        net.cast(MONEY).alias("net_amount"),
        discount.cast(MONEY).alias("retail_discount_amount"),
        coupon.cast(MONEY).alias("coupon_match_amount"),
    )


def name_state(column: str, names: dict[str, str]) -> Column:
    """A platform's state as ours; null for one that it was not known to have."""
    pairs = [F.lit(word) for pair in names.items() for word in pair]
    return F.create_map(*pairs)[clean(column)].alias("order_status")


def in_china(column: str) -> Column:
    """A marketplace's local time as an instant."""
    return F.concat(F.trim(column), F.lit(CHINA_TIME)).try_cast("timestamp")
