"""A query cut into parts gives the rows of the whole; DuckDB runs both."""

from __future__ import annotations

import duckdb

from ingot.engines.transform.spark_parts import MOST_RELATIONS, parts_of

READERS = MOST_RELATIONS + 1
BASE = " UNION ALL ".join(["SELECT n FROM numbers"] * READERS)
WHOLE = (
    f"WITH many AS ({BASE}), few AS (SELECT n FROM numbers), "
    "twice AS (SELECT a.n FROM many AS a JOIN few AS b ON a.n = b.n UNION ALL SELECT n FROM few) "
    "SELECT count(*) AS rows, sum(twice.n) AS total FROM twice JOIN many ON many.n = twice.n"
)


def test_only_a_large_cte_with_several_readers_is_a_part() -> None:
    assert [name for name, _ in parts_of(WHOLE, inputs={"numbers"}).shared] == ["many"]


def test_a_cte_with_the_name_of_an_input_stays_in_the_query() -> None:
    assert parts_of(WHOLE, inputs={"numbers", "many"}).shared == ()


def test_parts_one_after_the_other_give_the_rows_of_the_whole() -> None:
    parts = parts_of(WHOLE, inputs={"numbers"})
    with duckdb.connect() as engine:
        engine.execute("CREATE VIEW numbers AS SELECT * FROM range(1, 4) AS r(n)")
        for name, text in parts.shared:
            engine.execute(f"CREATE TABLE {name} AS {text}")
        found = engine.execute(parts.query).fetchall()
    # `twice` has each number 9 + 1 times, and each row meets 9 of `many`: 3 * 10 * 9 rows.
    assert found == [(270, 540)]
