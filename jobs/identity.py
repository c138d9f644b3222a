"""Which accounts are one person's: rules first, then Splink over DuckDB on all that a block brings together.

Plain functions from Arrow to Arrow, for silver.identity_links and silver.identities; docs/identity.md says the rules in
words. The links are a function of the accounts: these are sorted, samples are taken by hash, weights are counted rather
than learnt by iteration, and probabilities are rounded, so the same accounts give the same links on any day.
"""

import logging
import re
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pypinyin import lazy_pinyin
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

# A pair is linked if it is right with the precision that is wanted, so that the links as a whole are.
LINK_AT = 0.99
REVIEW_AT = 0.50
# A value that more accounts share than a family has is a placeholder, a shop's own phone, a dormitory: no evidence.
MAX_HOLDERS = 25
SYSTEMS = ("erp", "crm", "app", "tmall", "jd", "social")  # of accounts of one day the first founds the customer
ELDEST_FIRST = f"first_seen_date, list_position({list(SYSTEMS)}, account_system), account_id"
PROBABILISTIC, OWN = "probabilistic", "own"

_NAMED = ("account_system", "account_id", "first_seen_date")
_KEYS = ("phone", "email_name", "home", "unionid", "document_number", "card")
_FEW = f"count(*) OVER (PARTITION BY {{}}) <= {MAX_HOLDERS}"
_HELD = ", ".join(f"CASE WHEN {_FEW.format(key)} THEN {key} END AS {key}" for key in _KEYS)
_RECORDS = f"""
CREATE TABLE record AS
SELECT row_number() OVER (ORDER BY {ELDEST_FIRST}) AS id, account_system, account_id, first_seen_date,
       name, sound, birth_date, {_HELD},
       CASE WHEN t.phone IS NULL OR {_FEW.format("t.phone")} THEN phone_fragment END AS phone_fragment
FROM (SELECT *, member_id AS card, home_key AS home, split_part(email, '@', 1) AS email_name FROM given) t
LEFT JOIN sound USING (name)"""

# What two records' fields say of each other; null where nothing is known of one of them.
_SAME_SCRIPT = "(regexp_matches(l.name, '^[a-z]') = regexp_matches(r.name, '^[a-z]'))"
# Of a given name of two characters one may be mistyped; of one character nothing would be left. (Edit distances of
# DuckDB go by bytes, of which such a character has three.)
_APART = (
    "(CASE WHEN greatest(length(l.name), length(r.name)) > 4 THEN damerau_levenshtein(l.name, r.name) = 1 ELSE "
    "least(length(l.name), length(r.name)) > 2 AND "
    + " + ".join(f"(l.name[{i}] <> r.name[{i}])::INT" for i in (1, 2, 3, 4))
    + " = 1 END)"
)
_NAMES_DIFFER = f"(l.sound <> r.sound AND {_SAME_SCRIPT} AND NOT {_APART})"
_SWAPPED = (
    "(year(l.birth_date) = year(r.birth_date) AND month(l.birth_date) = day(r.birth_date) "
    "AND day(l.birth_date) = month(r.birth_date))"
)
_BIRTHS_DIFFER = f"(l.birth_date <> r.birth_date AND NOT {_SWAPPED})"

# Families share a home, phones, and characters of their names: a name that is not alike needs what only one has.
_COULD_BE_FAMILY = """(NOT coalesce(l.sound = r.sound, false) AND NOT coalesce(l.email_name = r.email_name, false)
    AND NOT coalesce(
        l.birth_date = r.birth_date AND (l.sound IS NULL OR r.sound IS NULL OR l.phone = r.phone), false))"""

# The rules, strongest first: what must be equal, and what else must hold. A phone alone is a family.
RULES = {
    "card": ("card", "true"),
    "unionid": ("unionid", "true"),
    "document": ("document_number", "true"),
    "phone_and_name": ("phone", f"l.sound = r.sound AND NOT coalesce({_BIRTHS_DIFFER}, false)"),
    "phone_and_birth": ("phone", f"l.birth_date = r.birth_date AND NOT coalesce({_NAMES_DIFFER}, true)"),
    "email_and_name": ("email_name", "l.sound = r.sound"),
    "home_and_name": ("home", f"l.sound = r.sound AND NOT coalesce({_BIRTHS_DIFFER}, false)"),
}
_KEYED = 3  # the first rules go by a key that is one person's by its nature, whatever else was told
_RULED = "CREATE TABLE ruled AS " + " UNION ALL ".join(
    f"""SELECT l.id AS l, r.id AS r, {rank} AS rank, '{rule}' AS link_rule,
    coalesce({_NAMES_DIFFER}, false) AND coalesce({_BIRTHS_DIFFER}, true)
    AND coalesce(l.phone_fragment <> r.phone_fragment, true) AND coalesce(l.home <> r.home, true) AS is_contradicted
    FROM record l JOIN record r ON l.{key} = r.{key} AND l.id < r.id WHERE {also}"""
    for rank, (rule, (key, also)) in enumerate(RULES.items())
)

# Per field what cannot be compared, and the levels of what can: the first that holds counts. Of each, m (how often one
# person's accounts are so) and u (how often two persons' are), as is common: a typing error in a percent or two, half a
# million phones, twenty thousand birthdays. What these accounts show outweighs it (_measure).
_LEVELS: dict[str, tuple[str, dict[str, tuple[str, float, float]]]] = {
    "name": (
        # A name in Latin letters may be in another order: then nothing is known.
        f"l.name IS NULL OR r.name IS NULL OR (l.sound <> r.sound AND NOT {_SAME_SCRIPT})",
        {
            "equal": ("l.name = r.name", 0.95, 5e-4),
            "sounds equal": ("l.sound = r.sound", 0.035, 1e-4),
            "a character apart": (_APART, 0.01, 1e-2),
            "differ": ("ELSE", 0.005, 0.99),
        },
    ),
    "phone": (
        "l.phone IS NULL OR r.phone IS NULL",
        {
            "equal": ("l.phone = r.phone", 0.90, 1e-6),
            "a digit apart": ("damerau_levenshtein(l.phone, r.phone) = 1", 0.02, 1e-6),
            "differ": ("ELSE", 0.08, 1.0),
        },
    ),
    "phone_fragment": (  # where one is masked
        "l.phone_fragment IS NULL OR r.phone_fragment IS NULL OR (l.phone IS NOT NULL AND r.phone IS NOT NULL)",
        {
            "equal": ("l.phone_fragment = r.phone_fragment", 0.92, 1e-5),
            "differ": ("ELSE", 0.08, 1.0),
        },
    ),
    "birth_date": (
        "l.birth_date IS NULL OR r.birth_date IS NULL",
        {
            "equal": ("l.birth_date = r.birth_date", 0.98, 5e-5),
            "swapped": (_SWAPPED, 0.01, 2e-5),
            "differ": ("ELSE", 0.01, 1.0),
        },
    ),
    "email_name": (  # domains are mistyped
        "l.email_name IS NULL OR r.email_name IS NULL",
        {"equal": ("l.email_name = r.email_name", 0.98, 1e-6), "differ": ("ELSE", 0.02, 1.0)},
    ),
    "home": (
        "l.home IS NULL OR r.home IS NULL",
        {"equal": ("l.home = r.home", 0.92, 1e-5), "differ": ("ELSE", 0.08, 1.0)},
    ),
}
# How many pairs the stated m and u weigh as much as.
_M_WEIGHT, _U_WEIGHT = 200, 1e6
_SAMPLE = 2_000
_BLOCKS = (
    ("phone",),
    ("phone_fragment", "sound"),
    ("phone_fragment", "home"),
    ("email_name",),
    ("sound", "birth_date"),
    ("sound", "home"),
    ("home", "birth_date"),
)


def link(accounts: pa.Table) -> pa.Table:
    """Pairs of accounts that are or may be one person's, the elder left, and each account with itself."""
    with duckdb.connect() as db:
        db.sql("SET enable_progress_bar = false")
        db.register("given", accounts)
        db.register("sound", _sounds(_rows(db, "SELECT DISTINCT name FROM given WHERE name IS NOT NULL")))
        db.sql(_RECORDS)
        db.sql(_RULED)
        _score(db)
        return db.sql(_DECIDED).to_arrow_table()


def _sounds(names: list[tuple[str]]) -> pa.Table:
    """How each name sounds, tones left aside; one in Latin letters sounds as it is written."""
    sound = {c: lazy_pinyin(c)[0] for c in {c for (name,) in names for c in name}}
    said = ["".join(sound[c] for c in name).replace("lyu", "lv").replace("nyu", "nv") for (name,) in names]
    return pa.table({"name": pa.array([name for (name,) in names], pa.string()), "sound": pa.array(said, pa.string())})


def _score(db: duckdb.DuckDBPyConnection) -> None:
    """Make `scored`: what Splink thinks of every pair that a block brings together."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    db.sql("CREATE VIEW named AS FROM record WHERE coalesce(name, phone_fragment, email_name, home) IS NOT NULL")
    count = _rows(db, "SELECT count(*) FROM named")[0][0]
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        probability_two_random_records_match=min(0.1, 2 / max(count, 1)),  # most persons have two accounts or three
        comparisons=_measure(db),
        blocking_rules_to_generate_predictions=[block_on(*keys) for keys in _BLOCKS],
        retain_matching_columns=False,
    )
    found = Linker(DuckDBAPI(db).register("named"), settings, log_level=None).inference.predict(REVIEW_AT)
    db.sql(
        "CREATE TABLE scored AS SELECT least(id_l, id_r) AS l, greatest(id_l, id_r) AS r, "
        f"round(match_probability, 6) AS p FROM {found.physical_name}"
    )


def _measure(db: duckdb.DuckDBPyConnection) -> list[Any]:
    """Splink's comparisons, with the m and u of these accounts.

    m is counted on pairs tied by a key, which no compared field made. u of what few share is counted on pairs whose
    names differ, u of names on pairs whose birth dates do: they are two persons. (Splink's own sample of random pairs
    would not do: of those that agree in a phone most are one person's.)
    """
    found: list[Any] = []
    for field, (unknown, levels) in _LEVELS.items():
        case = " ".join(f"WHEN {sql} THEN '{k}'" if sql != "ELSE" else f"ELSE '{k}'" for k, (sql, *_) in levels.items())
        level = f"CASE WHEN {unknown} THEN NULL {case} END"
        same = dict(_rows(db, _SAME.format(level=level)))
        others = dict(_rows(db, (_OTHERS_NAMES if field == "name" else _OTHERS).format(level=level, field=field)))
        pairs = others.pop(None, 0)
        made = [_level(unknown, "not known", is_null_level=True)]
        for label, (sql, m, u) in levels.items():
            m = (same.get(label, 0) + m * _M_WEIGHT) / (sum(same.values()) + _M_WEIGHT)
            if label in others or label == "equal":
                u = (others.get(label, 0) + u * _U_WEIGHT) / (pairs + _U_WEIGHT)
            rare = {"tf_adjustment_column": "name", "tf_minimum_u_value": 1e-6} if sql == "l.name = r.name" else {}
            made.append(_level(sql, label, m_probability=m, u_probability=u, **rare))
        found.append({"output_column_name": field, "comparison_levels": made})
    return found


_BY_HASH = "ORDER BY md5(account_system || '|' || account_id)"
_SAME = f"""
SELECT {{level}} AS level, count(*) FROM (SELECT DISTINCT l, r FROM ruled WHERE rank < {_KEYED} AND NOT is_contradicted)
JOIN record l ON l.id = l JOIN record r ON r.id = r WHERE level IS NOT NULL GROUP BY level"""
_OTHERS = f"""
WITH sampled AS (FROM record WHERE {{field}} IS NOT NULL AND name IS NOT NULL {_BY_HASH} LIMIT {10 * _SAMPLE})
SELECT 'equal', count(*) FROM sampled l JOIN record r ON l.{{field}} = r.{{field}} WHERE {_NAMES_DIFFER}
UNION ALL
SELECT NULL, (SELECT count(*) FROM sampled) * (SELECT count({{field}}) FROM record)"""
_OTHERS_NAMES = f"""
WITH sampled AS (FROM record WHERE name IS NOT NULL AND birth_date IS NOT NULL {_BY_HASH} LIMIT {_SAMPLE}),
pair AS (SELECT {{level}} AS level FROM sampled l JOIN sampled r ON l.id < r.id WHERE {_BIRTHS_DIFFER})
SELECT level, count(*) FROM pair WHERE level IS NOT NULL GROUP BY level
UNION ALL SELECT NULL, count(*) FROM pair"""


def _level(sql: str, label: str, **more: Any) -> dict[str, Any]:
    """A level as Splink writes it: `l.name` is `name_l` there."""
    return {"sql_condition": re.sub(r"\b([lr])\.(\w+)", r"\2_\1", sql), "label_for_charts": label, **more}


def _rows(db: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    return db.sql(sql).fetchall()


_SIDES = ", ".join(f"{side}.{c} AS {name}_{c}" for side, name in (("l", "left"), ("r", "right")) for c in _NAMED)
_DECIDED = f"""
WITH rule AS (
    SELECT l, r, arg_min(link_rule, rank) AS link_rule, bool_and(is_contradicted) AS is_contradicted
    FROM ruled GROUP BY l, r
), pair AS (
    FROM rule FULL JOIN scored USING (l, r)
), judged AS (
    SELECT pair.*, CASE
        WHEN is_contradicted THEN 'the key says one person, all else two'
        WHEN link_rule IS NOT NULL THEN NULL
        WHEN {_NAMES_DIFFER} THEN 'names differ'
        WHEN {_COULD_BE_FAMILY} THEN 'may be another of the family'
        WHEN p < {LINK_AT} THEN 'not sure enough' END AS reason
    FROM pair JOIN record l ON l.id = pair.l JOIN record r ON r.id = pair.r
)
SELECT {_SIDES}, link_rule, match_probability, decision, reason
FROM (
    SELECT l, r, coalesce(link_rule, '{PROBABILISTIC}') AS link_rule,
           CASE WHEN link_rule IS NULL THEN p END AS match_probability,
           CASE WHEN reason IS NULL THEN 'link' ELSE 'review' END AS decision, reason
    FROM judged
    UNION ALL
    SELECT id, id, '{OWN}', NULL, 'link', NULL FROM record
) JOIN record l ON l.id = l JOIN record r ON r.id = r ORDER BY l, r"""


def cluster(links: pa.Table) -> pa.Table:
    """Each account with the founder of its cluster: the eldest of all that links tie it to, however indirectly."""
    with duckdb.connect() as db:
        db.sql("SET enable_progress_bar = false")
        db.register("link", links)
        db.sql(_NODES)
        found = db.sql(_EDGES).fetchnumpy()
        size = len(found["l"]) + 1
        graph = coo_matrix((np.ones(len(found["l"]), bool), (found["l"], found["r"])), shape=(size, size))
        _, label = connected_components(graph, directed=False)
        db.register("component", pa.table({"id": np.arange(size), "component": label}))
        return db.sql(_CLUSTERED).to_arrow_table()


_NODES = f"""
CREATE TABLE node AS
SELECT row_number() OVER (ORDER BY {ELDEST_FIRST}) AS id, *
FROM (SELECT {", ".join(f"left_{c} AS {c}" for c in _NAMED)} FROM link WHERE link_rule = '{OWN}')"""
_EDGES = """
SELECT l.id AS l, r.id AS r FROM link
JOIN node l ON l.account_system = left_account_system AND l.account_id = left_account_id
JOIN node r ON r.account_system = right_account_system AND r.account_id = right_account_id
WHERE decision = 'link'"""
_CLUSTERED = f"""
WITH tie AS (
    SELECT unnest([left_account_system, right_account_system]) AS account_system,
           unnest([left_account_id, right_account_id]) AS account_id, link_rule, match_probability,
           list_position({[*RULES, PROBABILISTIC]}, link_rule) AS rank
    FROM link WHERE decision = 'link' AND link_rule <> '{OWN}'
), strongest AS (
    SELECT account_system, account_id, arg_min(link_rule, rank) AS link_rule,
           CASE WHEN min(rank) > {len(RULES)} THEN max(match_probability) END AS match_probability
    FROM tie GROUP BY ALL
), founded AS (SELECT *, min(id) OVER (PARTITION BY component) AS founder FROM node JOIN component USING (id))
SELECT a.account_system, a.account_id, a.first_seen_date,
       f.account_system AS founder_system, f.account_id AS founder_id,
       CASE WHEN a.id = f.id THEN '{OWN}' ELSE link_rule END AS link_method,
       CASE WHEN a.id <> f.id THEN match_probability END AS match_probability
FROM founded a JOIN node f ON f.id = a.founder
LEFT JOIN strongest s ON s.account_system = a.account_system AND s.account_id = a.account_id ORDER BY a.id"""
