"""An account explained as one page that needs nothing else: no script, no font, no address outside itself."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from worker.reading.explain.telling import PostingTold, Told
from worker.reading.explain.words import Words

_STYLE = """
:root { color-scheme: light dark; --line: #d9dde3; --soft: #5b6472; --late: #9a4a00; --plus: #0a6b3d; --minus: #a3202a;
  --card: #fff; --page: #f5f6f8; }
@media (prefers-color-scheme: dark) { :root { --line: #3a404a; --soft: #a5adba; --late: #f0a860; --plus: #62c795;
  --minus: #f28b93; --card: #1d2026; --page: #14161a; } }
body { margin: 0; background: var(--page); line-height: 1.65; font-family: "Hiragino Sans", "Yu Gothic UI", "Yu Gothic", Meiryo,
  "Noto Sans JP", "Noto Sans CJK JP", "IPAexGothic", system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.35rem; margin: 0; }
.who { color: var(--soft); margin: .2rem 0 1rem; }
.balances { display: flex; gap: .75rem; flex-wrap: wrap; margin: 0 0 1.5rem; }
.balances div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem;
  min-width: 7rem; }
.balances dt { color: var(--soft); font-size: .8rem; }
.balances dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
h2 { font-size: .95rem; color: var(--soft); margin: 1.5rem 0 .5rem; font-weight: 600; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: 0 0 .6rem; }
article.late { border-left: .3rem solid var(--late); }
h3 { font-size: 1rem; margin: 0; }
.up { color: var(--plus); } .down { color: var(--minus); }
.cause, .rule { color: var(--soft); font-size: .88rem; margin: .15rem 0; }
ul { margin: .3rem 0; padding-left: 1.2rem; font-variant-numeric: tabular-nums; }
.note { color: var(--late); }
.says { margin: .1rem 0 0; font-size: .92rem; }
@media print { body { background: none; } article { break-inside: avoid; } }
"""


def page(told: Told) -> str:
    """The whole explanation as an HTML document."""
    return "\n".join(_page(told, Words(told.language)))


def _page(told: Told, words: Words) -> Iterator[str]:
    title = escape(words.label("title", program=told.name))
    yield f'<!doctype html>\n<html lang="{told.language}">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>"
    who = words.label("member", member=told.member_id, at=told.at[:16].replace("T", " "))
    order = f" · {words.label('order', order=told.order_id)}" if told.order_id is not None else ""
    yield f'<p class="who">{escape(who + order)}</p>'
    yield '<dl class="balances">'
    for bucket, points in told.balances:
        yield f"<div><dt>{escape(told.words[bucket])}</dt><dd>{points:,}</dd></div>"
    yield "</dl>"
    yield from (f'<p class="note">{escape(note)}</p>' for note in told.notes)
    if not told.postings:
        yield f"<p>{escape(words.label('nothing'))}</p>"
    for day, postings in groupby(told.postings, key=lambda each: each.at[:10]):
        yield f"<section>\n<h2>{day}</h2>"
        for posting in postings:
            yield from _posting(posting, words)
        yield "</section>"
    yield "</main>\n</body>\n</html>"


def _posting(posting: PostingTold, words: Words) -> Iterator[str]:
    yield f'<article class="{"late" if posting.late else "plain"}">'
    direction = "up" if posting.target == "available" else "down" if posting.source == "available" else "still"
    yield f'<h3 class="{direction}">{escape(posting.title)}</h3>'
    yield f'<p class="cause"><time datetime="{posting.at}">{posting.at[11:16]}</time> · {escape(posting.cause)}</p>'
    if posting.how or posting.late:
        yield "<ul>"
        yield from (f"<li>{escape(line)}</li>" for line in posting.how)
        yield from (f'<li class="note">{escape(line)}</li>' for line in posting.late)
        yield "</ul>"
    rule = posting.rule
    if rule.says:
        yield f'<p class="says">{escape(rule.says)}</p>'
    if rule.gap:
        yield f'<p class="says">! {escape(rule.gap)}</p>'
    place = f" · {escape(rule.document)}, {escape(rule.section or '')}" if rule.document else ""
    yield f'<p class="rule">{escape(words.label("rule"))} {escape(rule.id)}{place}</p>'
    yield "</article>"
