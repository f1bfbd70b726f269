"""An account explained in words: as text, JSON or a page, in Japanese or English, from what `worker.decide.explain` found."""

from worker.reading.explain.page import page
from worker.reading.explain.telling import PostingTold, Told, tell
from worker.reading.explain.text import text
from worker.reading.explain.words import LANGUAGES, Language

__all__ = ["LANGUAGES", "Language", "PostingTold", "Told", "page", "tell", "text"]
