"""One row per registration of somebody in a system: what was told there, in one way of writing.

A card, a CRM record and an app account are registrations; a buyer of a marketplace is known by its orders (the newest
word about the receiver counts), a follower by what they do. Nothing is linked here, and nothing judged by other rows.
What stands for "not given" (a placeholder phone, 1990-01-01, a title for a name) is not given.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import PRECEDENCE, as_typed, clean, keep_newest


def build(
    erp_members: DataFrame,
    crm_members: DataFrame,
    app_users: DataFrame,
    tmall_orders: DataFrame,
    jd_orders: DataFrame,
    social_interactions: DataFrame,
) -> DataFrame:
    """Registrations of all systems, each once, at their newest word."""
    told = [
        take_cards(erp_members),
        take_crm_records(crm_members),
        take_app_users(app_users),
        take_tmall_buyers(tmall_orders),
        take_jd_buyers(jd_orders),
        take_followers(social_interactions),
    ]
    everything = reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), told)
    known = everything.where(F.col("account_id").isNotNull())
    newest = known.transform(keep_newest, *KEYS, by=("_said_at", *PRECEDENCE))
    return newest.join(known.transform(find_first_day), on=list(KEYS), how="inner").transform(conform)


KEYS = ("account_system", "account_id")
PERSONAL = ("name", "phone", "gender", "birth_date")
PLACEHOLDER_PHONES = r"^(13800138000|12345678901|1(\d)\2{9}|(\d)\3{6,})$"
PLACEHOLDER_DATES = ("1990-01-01", "1900-01-01", "1970-01-01")
TITLES = "(先生|女士|小姐|太太)$"
# Of a home: road number, building, unit, room, in the ways of writing that occur.
FLATS = (
    (r"(\d+)号楼(\d+)单元(\d+)室?", (1, 2, 3)),
    (r"(\d+)[栋幢](\d+)-(\d+)", (1, 2, 3)),
    (r"(?i)room (\d+), unit (\d+), building (\d+)", (3, 2, 1)),
)
NUMBERS = (r"(\d+)号(?!楼)", r"(?i)no\. ?(\d+)")


def take_cards(erp_members: DataFrame) -> DataFrame:
    """Loyalty cards; a card is its own member number."""
    return erp_members.select(
        *name_account("erp", clean("member_id")),
        F.col("registration_date").alias("_seen_date"),
        F.col("registration_date").cast("timestamp").alias("_said_at"),
        *map(clean, PERSONAL),
        clean("document_number"),
        clean("address"),
        clean("member_id"),
        *PRECEDENCE,
    )


def take_crm_records(crm_members: DataFrame) -> DataFrame:
    """Records of the CRM, exported again and again."""
    return crm_members.select(
        *name_account("crm", clean("crm_id")),
        as_typed("registered_on", "date").alias("_seen_date"),
        F.col("_file_date").cast("timestamp").alias("_said_at"),
        *map(clean, PERSONAL),
        clean("email"),
        clean("document_number"),
        clean("address"),
        clean("member_id"),
        *PRECEDENCE,
    )


def take_app_users(app_users: DataFrame) -> DataFrame:
    """Accounts of the app; most give their own name as the nickname."""
    return app_users.select(
        *name_account("app", clean("openid")),
        F.col("registration_date").alias("_seen_date"),
        as_typed("registered_at", "timestamp").alias("_said_at"),
        clean("nickname").alias("name"),
        clean("phone"),
        clean("birthday").alias("birth_date"),
        clean("member_no").alias("member_id"),
        clean("unionid"),
        *PRECEDENCE,
    )


def take_tmall_buyers(tmall_orders: DataFrame) -> DataFrame:
    """Buyers by their orders' receivers."""
    return tmall_orders.select(
        *name_account("tmall", clean("buyer_nick")),
        F.col("order_date").alias("_seen_date"),
        as_typed("modified", "timestamp").alias("_said_at"),
        clean("receiver_name").alias("name"),
        clean("receiver_mobile").alias("phone"),
        clean("receiver_address").alias("address"),
        *PRECEDENCE,
    )


def take_jd_buyers(jd_orders: DataFrame) -> DataFrame:
    """Buyers by their orders' receivers."""
    receiver = F.from_json("consignee_info", "fullname string, mobile string, fullAddress string")
    return jd_orders.withColumn("_receiver", receiver).select(
        *name_account("jd", clean("pin")),
        F.col("order_date").alias("_seen_date"),
        as_typed("modified", "timestamp").alias("_said_at"),
        F.col("_receiver.fullname").alias("name"),
        F.col("_receiver.mobile").alias("phone"),
        F.col("_receiver.fullAddress").alias("address"),
        *PRECEDENCE,
    )


def take_followers(social_interactions: DataFrame) -> DataFrame:
    """Users of social platforms: a handle, and on WeChat perhaps a union id."""
    # What was told once is not taken back by silence.
    told = F.max(F.get_json_object("social_user", "$.unionid")).over(Window.partitionBy("account_id"))
    handle = F.nullif(F.trim(F.get_json_object("social_user", "$.handle")), F.lit(""))
    named = F.concat(F.lower(clean("platform")), F.lit(":"), handle)
    return social_interactions.withColumn("account_id", named).select(
        *name_account("social", F.col("account_id")),
        F.col("interaction_date").alias("_seen_date"),
        as_typed("occurred_at", "timestamp").alias("_said_at"),
        told.alias("unionid"),
        *PRECEDENCE,
    )


def name_account(system: str, native_id: Column) -> tuple[Column, Column]:
    """The pair that names a registration."""
    return F.lit(system).alias("account_system"), native_id.alias("account_id")


def find_first_day(told: DataFrame) -> DataFrame:
    """The earliest day that the data tell of a registration: it comes from the facts, so that no run decides it."""
    earliest = F.coalesce(F.min("_seen_date"), F.min("_file_date"))
    return told.groupBy(*KEYS).agg(earliest.alias("first_seen_date"))


def conform(accounts: DataFrame) -> DataFrame:
    """Every field in one way of writing."""
    name = F.regexp_replace("name", r"[\s\u3000]", "")
    address = F.trim(F.translate("address", "０１２３４５６７８９　", "0123456789 "))
    joined = F.regexp_replace(address, r"\s", "")
    return accounts.select(
        *KEYS,
        "first_seen_date",
        F.when(~name.rlike(TITLES), F.lower(F.nullif(name, F.lit("")))).alias("name"),
        keep_phone(F.col("phone")).alias("phone"),
        mask_phone(F.col("phone")).alias("phone_fragment"),
        F.lower(F.col("email")).alias("email"),
        keep_birth_date(F.col("birth_date")).alias("birth_date"),
        F.when(F.upper("gender").isin("F", "M"), F.upper("gender")).alias("gender"),
        F.when(F.upper("document_number").rlike(r"^\d{17}[\dX]$"), F.upper("document_number")).alias("document_number"),
        address.alias("address"),
        find(joined, r"^(\p{IsHan}{2,3}省|\p{IsHan}{2,5}自治区|内蒙古|广西|西藏|宁夏|新疆)").alias("province"),
        find(
            joined, r"^(?:\p{IsHan}{2,3}省|\p{IsHan}{2,5}自治区|内蒙古|广西|西藏|宁夏|新疆)?(\p{IsHan}{2,4}?市)"
        ).alias("city"),
        find_home(address).alias("home_key"),
        "member_id",
        F.nullif(F.trim("unionid"), F.lit("")).alias("unionid"),
    )


def as_digits(phone: Column) -> Column:
    """A phone without its country's prefix and what is written between digits; stars hide digits and stay."""
    return F.regexp_replace(F.regexp_replace(phone, r"[^\d*]", ""), r"^(00)?86(?=1[\d*]{10}$)", "")


def keep_phone(phone: Column) -> Column:
    """A whole number that could be somebody's."""
    digits = as_digits(phone)
    return F.when(digits.rlike(r"^\d{7,15}$") & ~digits.rlike(PLACEHOLDER_PHONES), digits)


def mask_phone(phone: Column) -> Column:
    """What a marketplace shows of a number: the first three digits and the last four."""
    digits = as_digits(phone)
    is_masked = digits.rlike(r"^\d{3}\*+\d{4}$")
    seen = F.when(is_masked, digits).otherwise(keep_phone(phone))
    return F.concat(F.substring(seen, 1, 3), F.lit("****"), F.right(seen, F.lit(4)))


def keep_birth_date(birth_date: Column) -> Column:
    """A date that somebody gave."""
    return F.when(~birth_date.isin(*PLACEHOLDER_DATES), birth_date.try_cast("date"))


def find_home(address: Column) -> Column:
    """`239/19-4-703`: road number, building, unit and room, however they are written; null without a flat."""
    ways = [[F.regexp_extract(address, pattern, group) for group in order] for pattern, order in FLATS]
    flat = F.coalesce(*[F.when(way[0] != "", F.concat_ws("-", *way)) for way in ways])
    number = F.coalesce(*[find(address, pattern) for pattern in NUMBERS], F.lit(""))
    return F.concat(number, F.lit("/"), flat)


def find(text: Column, pattern: str) -> Column:
    """What the first group of a pattern matches, or null."""
    return F.nullif(F.regexp_extract(text, pattern, 1), F.lit(""))
