"""One row per text that a person wrote: review, service ticket, survey answer or comment under a post.

What a person could be found by is masked before anything reads the text: mail addresses, identity documents, telephone
numbers, order numbers (and any other run of digits as long as one, say a bank card) and the handles of others. A review
or an answer without words is still a rating, and stays.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import ORIGIN, as_typed, clean, keep_newest


def build(
    reviews: DataFrame, service_tickets: DataFrame, survey_answers: DataFrame, social_interactions: DataFrame
) -> DataFrame:
    """The sources in one set of columns, masked."""
    told = (
        conform_reviews(reviews),
        conform_tickets(service_tickets),
        conform_answers(survey_answers),
        conform_comments(social_interactions),
    )
    return (
        reduce(DataFrame.unionByName, told)
        .where("coalesce(content, string(stars), string(survey_score)) is not null")
        .withColumn("content", mask(F.col("content")))
        .withColumn("language", name_language(F.col("content")))
    )


def conform_reviews(reviews: DataFrame) -> DataFrame:
    """Of an article in an order, with stars."""
    return take_texts(
        reviews,
        "review",
        text_id="review_id",
        text_date="review_date",
        written_at=as_typed("written_at", "timestamp"),
        text_channel=clean("platform"),
        order_id=clean("order_no"),
        product_id=clean("sku"),
        stars=as_typed("stars", "int"),
        content=clean("content"),
    )


def conform_tickets(service_tickets: DataFrame) -> DataFrame:
    """Of an order; sent when opened and again when settled."""
    return take_texts(
        service_tickets,
        "ticket",
        text_id="ticket_id",
        text_date="opened_date",
        written_at=as_typed("opened_at", "timestamp"),
        text_channel=clean("channel"),
        order_id=clean("order_id"),
        content=F.nullif(F.concat_ws("\n", clean("subject"), clean("body")), F.lit("")),
    )


def conform_answers(survey_answers: DataFrame) -> DataFrame:
    """Of an order, with a score; of their time only the day is told."""
    return take_texts(
        survey_answers,
        "survey",
        text_id="answer_id",
        text_date="answer_date",
        order_id=clean("order_no"),
        survey_score=as_typed("score", "int"),
        content=clean("comment"),
    )


def conform_comments(social_interactions: DataFrame) -> DataFrame:
    """Of no order, but of a known handle; what else people do under a post is no text."""
    handle = F.nullif(F.trim(F.get_json_object("social_user", "$.handle")), F.lit(""))
    return take_texts(
        social_interactions.where("interaction_type = 'comment'"),
        "comment",
        text_id="interaction_id",
        text_date="interaction_date",
        written_at=as_typed("occurred_at", "timestamp"),
        text_channel=clean("platform"),
        account_system=F.when(handle.isNotNull(), F.lit("social")),
        account_id=F.concat(clean("platform"), F.lit(":"), handle),
        content=clean("comment_text"),
    )


SAID = {  # what a source may say of a text beside its id and date
    "text_channel": "string",
    "written_at": "timestamp",
    "account_system": "string",
    "account_id": "string",
    "order_id": "string",
    "product_id": "string",
    "stars": "int",
    "survey_score": "int",
    "content": "string",
}


def take_texts(rows: DataFrame, text_type: str, *, text_id: str, text_date: str, **said: Column) -> DataFrame:
    """The newest row of each text; what its source does not say is null."""
    nothing = F.lit(None)
    return (
        rows.withColumn("text_id", clean(text_id))
        .transform(keep_newest, text_date, "text_id")
        .select(
            F.lit(text_type).alias("text_type"),
            "text_id",
            F.col(text_date).alias("text_date"),
            *[said.get(column, nothing).cast(type_).alias(column) for column, type_ in SAID.items()],
            *ORIGIN,
        )
    )


# The longest number first: within an identity document there is a telephone number. A number ends where its digits do,
# for people write it without a blank beside Chinese and, at times, beside Latin letters ("call13812345678"); only
# capitals before it are part of an order's number. Whatever its kind, no run of nine digits is left.
BEGIN, END = "(?<![0-9])", "(?![0-9])"
MASKS = {
    "[mail]": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
    "[mention]": r"@[\p{L}\p{N}_-]{1,30}",
    "[document]": BEGIN + r"([0-9]{17}[0-9Xx]|(?<![A-Za-z])[A-Za-z][0-9]{8})" + END,
    "[phone]": r"(?<![0-9A-Z])(((\+|00)?86[ -]?)?1[3-9][0-9][ .-]?[0-9]{4}[ .-]?[0-9]{4}"
    r"|\(?0[0-9]{2,3}[) -]{0,2}[0-9]{7,8})" + END,
    "[order]": BEGIN + r"([A-Za-z]{0,3}[0-9]{9,}(-[0-9]+)?|[0-9]{4}([ -][0-9]{4}){2,}([ -]?[0-9]{1,3})?" + END + ")",
}


def mask(text: Column) -> Column:
    """The text with each kind of number, address or handle replaced by its name; full-width digits become plain."""
    plain = F.translate(text, "０１２３４５６７８９＠－", "0123456789@-")
    return reduce(lambda left, kind: F.regexp_replace(left, MASKS[kind], kind), MASKS, plain)


def name_language(text: Column) -> Column:
    """By its characters, masks aside: zh (Chinese), en (Latin letters), mixed, or none of the two."""
    words = F.regexp_replace(text, r"\[(mail|mention|document|phone|order)\]", "")
    has_chinese, has_latin = (F.coalesce(words.rlike(s), F.lit(False)) for s in (r"\p{IsHan}", "[A-Za-z]"))
    return F.when(has_chinese & has_latin, "mixed").when(has_chinese, "zh").when(has_latin, "en").otherwise("none")
