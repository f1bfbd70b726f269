"""What a support agent reads to a customer: the numbers of the terms' own examples, in both languages."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from tests.explain.story import ExplainedStory
from tests.rules.story import line, pieces
from worker.programs.terms_file import read, shipped, text_of, versions
from worker.reading.explain import LANGUAGES, Language, page, text
from worker.reading.explain.words import ANY_TITLE, BUCKETS, CAUSES, EVENTS, LABELS, LINES, ROUNDING, TITLES


def lenovo(**changes: object) -> ExplainedStory:
    story = ExplainedStory("lenovo-pro", {path.replace("__", "."): value for path, value in changes.items()})
    story.registered("2024-01-04")
    story.enrolled("2024-01-05")
    return story


def test_the_base_amount_the_rate_and_the_rounding_are_told() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(12_345))
    assert (
        story.how("123 points granted, not usable yet", "2024-03-02")[0]
        == "12,345 yen × 1% = 123.45, rounded down: 123 (rank Pro)"
    )
    assert (
        story.how("123ポイント付与（付与待ち）", "2024-03-02", "ja")[0]
        == "12,345円 × 1% = 123.45 → 切り捨て 123 (会員ランク Pro)"
    )


def test_one_point_is_told_in_the_singular() -> None:
    story = lenovo(reversal__used_points__0__days=1)
    story.tell("points.adjusted", "2024-02-01", member_id="M1", points=1, reason="sorry")
    story.order("A", "2024-03-01", line(100), points_used=1)
    story.cancelled("A", "2024-03-02")
    assert [posting.title for posting in story.told("2024-03-04").postings] == [
        "1 point granted by hand",
        "1 point used",
        "1 point granted, not usable yet",
        "1 point taken back before the first day of use",
        "1 used point came back",
    ]
    back = story.how("1 used point came back", "2024-03-04")
    assert "SKU: 1 of 1 piece, 1 point on it → 1" in back


def test_where_a_rule_stands_is_told_in_the_language_of_the_reader() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(12_345))
    places = {}
    for language in LANGUAGES:
        told = story.told("2024-03-02", language)
        rule = told.postings[0].rule
        places[language] = (rule.document, rule.section)
        place = f"({rule.document}, {rule.section})"
        assert place in text(told)
        assert str(rule.section) in page(told)
    assert places == {"ja": ("Lenovo Pro リワード FAQ", "Q14とQ26"), "en": ("Lenovo Pro Rewards FAQ", "Q14 and Q26")}


def test_a_cap_tells_its_limit_what_was_used_and_the_room_left() -> None:
    story = lenovo(earning__caps=[{"rule": "LEN-11", "points": 500_000}])
    story.order("A", "2024-03-01", line(49_995_000))
    story.order("B", "2024-03-02", line(12_345))
    assert story.how("50 points granted, not usable yet", "2024-03-03") == [
        "12,345 yen × 1% = 123.45, rounded down: 123 (rank Pro)",
        "the goods bring 123; held so far 0; difference +123",
        "limit 500,000 for 2024, used before 499,950: of 123 there was room for 50",
        "from the grant of 2024-03-02 (regular), its last day is known once it is known when they can be used",
    ]


def test_maturity_names_the_event_and_the_days_and_lapse_the_last_day() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    assert story.how("100 points became usable", "2024-12-01")[0] == "from 2024-04-01: 30 days after the shipment (2024-03-02)"
    assert story.how("100 points lapsed", "2024-12-01")[0] == "the last day, 2024-10-31, is over"


def test_a_return_tells_pieces_points_on_the_line_and_what_comes_back() -> None:
    story = ExplainedStory("belle-maison")
    story.registered("2026-01-01")
    story.tell("points.adjusted", "2026-01-02", member_id="M1", points=200, reason="sorry")
    story.order("A", "2026-01-03", line(1_000), line(1_000, 10), points_used=110)
    story.shipped("A", "2026-01-04")
    story.returned("A", "2026-01-10", pieces("2", 3))
    assert story.how("30 used points came back", "2026-01-11")[:2] == [
        "SKU: 3 of 10 pieces, 100 points on it → 30",
        "30 in all, 0 dealt with before: 30 now",
    ]
    (taken,) = [each for each in story.told("2026-01-11").postings if each.reason == "revoke"]
    assert taken.how[:2] == (
        "8,000 yen holds 200 yen in full 40 times: 40 × 1 = 40 (stage S0)",
        "the goods bring 40; held so far 55; difference -15",
    )
    assert (taken.rule.id, taken.rule.says) == ("BEL-09", "Points issued for returned goods are cancelled.")
    (sorry,) = [each for each in story.told("2026-01-11").postings if each.reason == "adjust"]
    assert sorry.how[0] == "reason: sorry"


def test_a_campaign_is_named() -> None:
    double = {"id": "spring", "rule": "LEN-11", "effect": "multiply", "times": "2", "when": {"since": "2024-03-01"}}
    story = lenovo(earning__campaigns=[double])
    story.order("A", "2024-03-01", line(10_000))
    assert story.how("200 points granted, not usable yet", "2024-03-02")[0] == "10,000 yen × 2% = 200 (rank Pro, campaign spring)"


def test_a_correction_tells_what_came_late_and_what_it_changed() -> None:
    story = ExplainedStory("belle-maison")
    story.registered("2026-01-01")
    story.order("A", "2026-01-03", line(10_000, line_id="1"), line(10_000, line_id="2"))
    story.shipped("A", "2026-01-20")
    story.tell(
        "order.cancelled",
        "2026-01-10",
        recorded="2026-02-01",
        order_id="A",
        reason="customer_request",
        lines=[{"line_id": "1", "quantity": 1}],
    )
    (corrected,) = [each for each in story.told("2026-02-02").postings if each.correction]
    assert corrected.title == "Correction, undone: 50 points granted, usable at once"
    assert corrected.late == (
        "posted on 2026-02-01 12:00",
        "was 100, is now 50",
        "came late: Cancel of order A (of 2026-01-10 12:00)",
    )
    assert len(corrected.how) == 2
    assert corrected.how[0] == "10,000 yen holds 200 yen in full 50 times: 50 × 1 = 50 (stage S0)"
    assert corrected.recorded_at.startswith("2026-02-01")
    (first,) = [each for each in story.told("2026-02-02").postings if not each.correction]
    assert first.how[0] == "20,000 yen holds 200 yen in full 100 times: 100 × 1 = 100 (stage S0)"


def test_a_correction_of_what_lies_before_other_facts_names_those_alone_that_came_late() -> None:
    story = ExplainedStory("belle-maison")
    story.order("A", "2026-01-03", line(10_000, 2))
    story.shipped("A", "2026-01-20")
    story.order("B", "2026-01-25", line(10_000))
    story.shipped("B", "2026-01-26")
    story.cancelled("A", "2026-01-10", pieces("1"), recorded="2026-02-01")
    (corrected,) = [each for each in story.told("2026-02-02").postings if each.correction]
    assert corrected.late[2:] == ("came late: Cancel of order A (of 2026-01-10 12:00)",)


def test_points_that_are_taken_by_hand_are_not_explained_by_the_order_before() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.adjusted("all", "2024-03-02")
    granted, voided = story.told("2024-03-03").postings
    assert granted.how[0].startswith("10,000 yen")
    assert not any("yen" in each for each in voided.how)


def test_bonus_points_of_a_product_are_told_with_the_pieces_that_brought_them() -> None:
    story = ExplainedStory("belle-maison")
    story.order("A", "2026-01-03", line(100, 3, bonus_points=[{"points": 100}]))
    story.shipped("A", "2026-01-20", pieces("1"))
    story.shipped("A", "2026-01-21", pieces("1", 2))
    told = {each.title: each.how for each in story.told("2026-01-22").postings}
    assert told["33 points granted, usable at once"][0] == "100 bonus points of the product, for 1 of 3 pieces: 33"
    assert told["67 points granted, usable at once"][:2] == (
        "100 bonus points of the product, for 3 of 3 pieces: 100",
        "of which earlier parts of the order hold 33; this part 67",
    )


def test_only_an_order_is_told_where_it_is_asked_for() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.order("B", "2024-03-02", line(20_000))
    story.shipped("A", "2024-03-02")
    told = story.told("2024-06-01", order_id="A")
    assert {each.order_id for each in told.postings} == {"A"}
    assert [each.reason for each in told.postings] == ["earn", "mature"]


class Checked(HTMLParser):
    """Reads a page: every tag is closed, and nothing is fetched from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href", "onload"} & {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_json_and_page_tell_the_same_postings(language: str) -> None:
    story = lenovo()
    story.order("<b>A&B</b>", "2024-03-01", line(10_000))
    told = story.told("2024-03-02", "ja" if language == "ja" else "en")
    titles = [each.title for each in told.postings]
    assert titles
    assert [each["title"] for each in json.loads(json.dumps(told.as_json()))["postings"]] == titles
    assert all(title in text(told) for title in titles)
    html = page(told)
    assert all(title in html for title in titles)
    assert "<b>" not in html
    assert "http" not in html
    checked = Checked()
    checked.feed(html)
    assert not checked.open


def test_both_languages_have_the_same_places_for_values() -> None:
    for words in (TITLES, BUCKETS, CAUSES, EVENTS, LINES, ROUNDING, LABELS, {"any": ANY_TITLE}):
        for name, (ja, en) in words.items():
            assert places(ja) == places(en), name


def places(pattern: str) -> set[str]:
    """Values that a text takes. Names of the shop's (`…_word`) may be in one language alone."""
    names = {part.split("}")[0].partition(":")[0] for part in pattern.split("{")[1:]}
    return {name for name in names if not name.endswith("_word")}


def test_things_are_called_what_the_shop_calls_them() -> None:
    scolar = ExplainedStory("scolar")
    scolar.registered("2026-01-01")
    scolar.order("A", "2026-01-03", line(10_000))
    assert scolar.how("100ポイント付与（有効待ち）", "2026-01-04", "ja")[0].endswith("(ステージ Member)")
    told = scolar.told("2026-01-04", "ja")
    assert told.as_json()["words"] == {"available": "利用可能", "pending": "有効待ち", "held": "保留・取り置き"}
    assert "利用可能 500　有効待ち 100　保留・取り置き 0" in text(told)
    assert "<dt>有効待ち</dt><dd>100</dd>" in page(told)
    scolar.cancelled("A", "2026-01-05")
    assert scolar.told("2026-01-06", "ja").postings[-1].title == "有効待ちの100ポイント無効"
    ansage = ExplainedStory("ansage")
    ansage.registered("2026-01-01")
    ansage.adjusted(800, "2026-01-02")
    ansage.tell("reward.requested", "2026-01-03", member_id="M1", request_id="R", reward_sku="CUTTING_BOARD", quantity=1)
    assert {posting.cause for posting in ansage.told("2026-01-04", "ja").postings} == {
        "手動の調整",
        "ポイント対象商品との交換",
    }


def spoken(code: str) -> list[str]:
    """What the rules and cases of a program say in Japanese."""
    found: list[str] = []
    for version in versions(read(text_of(shipped()[code]))):
        found += [rule.says.told("ja") for rule in version.rules]
        found += [case.says.told("ja") for case in version.cases]
    return found


POLITE = ("です", "ます", "ません", "ました")


@pytest.mark.parametrize("code", shipped())
def test_rules_and_cases_speak_to_members_politely(code: str) -> None:
    for said in spoken(code):
        for sentence in filter(None, said.split("。")):
            assert sentence.rstrip("）").endswith(POLITE), sentence


def test_words_that_members_should_not_read_are_not_used() -> None:
    texts = [ja for words in (TITLES, BUCKETS, CAUSES, EVENTS, LINES, LABELS) for ja, _ in words.values()]
    texts += [said for code in shipped() for said in spoken(code)]
    for word in ("定め。", "没収", "口座", "請求せず", "希望", "共同購入", "再販", "代わりの品", "活動"):
        assert [each for each in texts if word in each] == [], word


def split_story() -> ExplainedStory:
    story = ExplainedStory("belle-maison")
    story.order("A", "2024-08-01", line(10_000, line_id="1"), line(4_000, line_id="2"), store="bellemaison")
    into = [{"order_id": name, "lines": [pieces(key)]} for name, key in (("A1", "1"), ("A2", "2"))]
    story.tell("order.split", "2024-08-02", order_id="A", into=into)
    story.tell("shipment.dispatched", "2024-08-05", order_id="A1", lines="all")
    return story


@pytest.mark.parametrize(
    ("language", "note", "how", "goes_on"),
    [
        (
            "en",
            "Order A1 was split from order A at 2024-08-02 12:00; its points are posted as those of order A.",
            "order A1 was split from order A",
            "Order A was split and goes on as A1, A2.",
        ),
        (
            "ja",
            "注文 A1 は注文 A の分割（2024-08-02 12:00）でできた注文です。ポイントは注文 A として記帳します。",
            "注文 A1 は注文 A の分割でできた注文です",
            "注文 A は A1　A2 に分割されました。",
        ),
    ],
)
def test_of_a_part_it_is_told_from_which_order_it_was_split(language: Language, note: str, how: str, goes_on: str) -> None:
    story = split_story()
    told = story.told("2024-08-10", language, "A1")
    assert (told.order_id, told.notes[0]) == ("A1", note)
    # 10,000 yen of which a point is half a percent
    assert [(each.points, each.order_id, each.how[0]) for each in told.postings] == [(50, "A", how)]
    assert story.told("2024-08-10", language, "A").notes[0] == goes_on
