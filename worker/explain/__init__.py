"""An account explained in words: as text, JSON or a page, in Japanese or English, from what `worker.decide.explain` found."""

from worker.explain.page import page
from worker.explain.telling import Told, tell
from worker.explain.text import text
from worker.explain.words import LANGUAGES, Language

__all__ = ["LANGUAGES", "Language", "Told", "page", "tell", "text"]
