"""What a column is made of is read from the engine's own plan."""

import json

from typer.testing import CliRunner

from jobs import cli
from jobs.kit.column_lineage import columns_of


def test_values_are_followed_through_joins_aggregates_and_windows(spark):
    found = columns_of(spark, "silver.stores")
    assert found["store_id"] == ["bronze.store_master.store_id", "silver.orders.store_id"]  # either may know it
    assert found["opened_date"] == ["bronze.store_master.opened_on"]
    assert found["last_order_date"] == ["silver.orders.order_date"]
    assert found["trading_day_count"] == ["silver.orders.order_date"]


def test_all_branches_of_a_union_are_named(spark):
    tables = {origin.rpartition(".")[0] for origin in columns_of(spark, "silver.order_lines")["net_amount"]}
    assert tables == {
        *("bronze.pos_lines", "bronze.app_orders", "bronze.tmall_orders", "bronze.jd_orders"),
        "silver.refund_lines",
    }


def test_what_was_computed_of_several_columns_names_them_and_a_count_none(spark):
    found = columns_of(spark, "gold.sales_daily")
    assert found["returned_amount"] == ["silver.order_lines.line_type", "silver.order_lines.net_amount"]
    assert found["line_count"] == []


def test_where_a_model_is_an_input_nothing_is_claimed(spark):
    assert columns_of(spark, "scoring.churn_scores") == {}


def test_the_command_tells_both_directions(spark):
    told = json.loads(CliRunner().invoke(cli.app, ["explain", "silver.sessions", "--columns", "--json"]).stdout)
    assert all(origin.split(".")[0] in ("bronze", "silver") for c in told.values() for origin in c["made_of"])
    assert any(goes for c in told.values() for goes in c["goes_into"])
    assert "gold.funnel_daily.cart_session_count" in told["has_cart"]["goes_into"]
