"""Real inputs: what people's data and models' answers look like, made for these tests.

`TEXTS` are values of fields, `SHEETS` spreadsheets as programs save them, `PICTURES`
pictures, `demos()` and `rows()` many of them. Nothing here was copied from anywhere,
and what is big is generated. Whatever takes inputs goes through all of it: adapters,
cache, saved state, `dspex.load`, and later journal, exports and pages.
"""

from tests.corpus.pictures import PICTURES
from tests.corpus.sheets import SHEETS, Sheet
from tests.corpus.texts import TEXTS, demos, prose, rows, seen

__all__ = ["PICTURES", "SHEETS", "TEXTS", "Sheet", "demos", "prose", "rows", "seen"]
