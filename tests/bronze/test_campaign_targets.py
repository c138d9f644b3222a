"""Who was held out is said in words that are known, or the file is refused: nobody held out counts as sent to."""

from datetime import date

import pytest

from jobs.kit import lake as storage
from jobs.kit.run import run

HEADER = "campaign_id,member_id,test_group\n"


@pytest.mark.parametrize(("words", "rows"), [(["treatment", " Control", ""], 3), (["treatment", "holdout"], 0)])
def test_the_group_is_one_of_two_words_or_nothing(lake, words, rows):
    folder = lake / "drop" / "marketing" / "campaign_targets"
    folder.mkdir(parents=True)
    good = "".join(f"C1,M{n},treatment\n" for n in range(100))
    (folder / "campaign_targets_2025-05-30.csv").write_text(HEADER + good)
    text = "".join(f"C2,M{n},{word}\n" for n, word in enumerate(words))
    (folder / "campaign_targets_2025-05-31.csv").write_text(HEADER + text)
    (result,) = run("bronze.campaign_targets", date(2025, 6, 1))
    found = storage.read_small("bronze.campaign_targets")["campaign_id"].to_pylist()
    assert (found.count("C1"), found.count("C2")) == (100, rows), result
