"""Template reports for those who open no dashboard: one per store, category, campaign, and a page for a small shop.

`read` takes what gold says, once for all reports; `figures` makes each report's numbers of it; `advice` what follows
from them; `texts`, `charts`, `pages` and `workbook` put them down, by the files in `templates/`, which anyone may
change (docs/reports.md); `write` does all of it.
"""
