"""The words in which postings are explained, Japanese and English side by side."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from contracts.counting import counted
from contracts.currencies import MINOR_DIGITS
from contracts.terms import ShopWords

Language = Literal["ja", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ja", "en")

Pair = tuple[str, str]
"""Japanese and English. In English `{n:point}` counts: "1 point", "2 points"; `{n:point is|points are}` says both forms.

`{pending_word}` and the like: what the shop calls a bucket, a tier, or asking for a reward item.
"""

TITLES: Final[Mapping[tuple[str, str, str], Pair]] = {
    ("earn", "granted", "pending"): ("{n}ポイント付与（{pending_word}）", "{n:point} granted, not usable yet"),
    ("earn", "granted", "available"): ("{n}ポイント付与（すぐに使えます）", "{n:point} granted, usable at once"),
    ("open", "granted", "available"): ("{n}ポイント繰越", "{n:point} taken over from before"),
    ("open", "granted", "pending"): ("{n}ポイント繰越（{pending_word}）", "{n:point} taken over from before, not usable yet"),
    ("mature", "pending", "available"): ("{n}ポイントが使えるようになりました", "{n:point} became usable"),
    ("split", "pending", "granted"): ("{n}ポイントを別の付与日へ移動", "{n:point} moved to another date"),
    ("split", "granted", "pending"): (
        "{n}ポイントは別の付与日まで{pending_word}です",
        "{n:point waits|points wait} for another date",
    ),
    ("lapse", "available", "lapsed"): ("{n}ポイントが失効しました", "{n:point} lapsed"),
    ("lapse", "spent", "lapsed"): (
        "使った{n}ポイントは、期限を過ぎていたため戻らずに失効しました",
        "{n:used point} had lapsed before coming back",
    ),
    ("lapse", "held", "lapsed"): (
        "取り置いた{n}ポイントは、期限を過ぎていたため戻らずに失効しました",
        "{n:point} set aside had lapsed before being let go",
    ),
    ("redeem", "available", "spent"): ("{n}ポイント利用", "{n:point} used"),
    ("redeem", "held", "spent"): (
        "取り置いた{n}ポイントを利用",
        "{n:point that was set aside is|points that were set aside are} used",
    ),
    ("reserve", "available", "held"): ("{n}ポイントを利用のため取り置き", "{n:point} set aside to be used"),
    ("hand_back", "spent", "available"): ("使った{n}ポイントが戻りました", "{n:used point} came back"),
    ("hand_back", "held", "available"): ("取り置いた{n}ポイントが戻りました", "{n:point} set aside came back"),
    ("forfeit", "spent", "forfeited"): ("使った{n}ポイントは戻りません", "{n:used point is|used points are} lost"),
    ("forfeit", "forfeited", "spent"): ("失効した{n}ポイントを再び利用", "{n:lost point is|lost points are} used again"),
    ("lapse", "lapsed", "spent"): ("失効した{n}ポイントを再び利用", "{n:lapsed point is|lapsed points are} used again"),
    ("void", "pending", "revoked"): (
        "{pending_word}の{n}ポイント{revoked_word}",
        "{n:point} taken back before the first day of use",
    ),
    ("revoke", "available", "revoked"): ("{n}ポイント{revoked_word}", "{n:point} taken back"),
    ("revoke", "held", "revoked"): ("{held_word}の{n}ポイント{revoked_word}", "{n:point} set aside taken back"),
    ("adjust", "adjusted", "available"): ("{n}ポイントを手動で付与", "{n:point} granted by hand"),
    ("adjust", "available", "adjusted"): ("{n}ポイントを手動で減算", "{n:point} deducted by hand"),
    ("hold", "available", "held"): ("{n}ポイントを保留", "{n:point} held"),
    ("release", "held", "available"): ("{n}ポイントの{held_word}を解除", "{n:point} released"),
    ("convert", "available", "spent"): ("{n}ポイントを交換", "{n:point} converted"),
    ("convert", "granted", "available"): ("交換により{n}ポイント付与", "{n:point} granted for others that were converted"),
    ("convert", "spent", "available"): ("交換した{n}ポイントが戻りました", "{n:converted point} came back"),
    ("pay_out", "available", "spent"): ("{n}ポイントを払い出し", "{n:point} paid out"),
}
"""What a movement is called, by its reason and buckets."""
ANY_TITLE: Final[Pair] = ("{n}ポイントが{source}から{target}へ", "{n:point} moved from {source} to {target}")
BACK_TITLE: Final[Pair] = ("訂正（取り消し）：{what}", "Correction, undone: {what}")
MORE_TITLE: Final[Pair] = ("訂正：{what}", "Correction: {what}")
REFOLD_BACK_TITLE: Final[Pair] = ("計算の訂正（取り消し）：{what}", "Calculation put right, undone: {what}")
REFOLD_TITLE: Final[Pair] = ("計算の訂正：{what}", "Calculation put right: {what}")

BUCKETS: Final[Mapping[str, Pair]] = {
    "pending": ("利用開始待ち", "pending"),
    "available": ("利用可能", "available"),
    "held": ("保留・取り置き", "set aside"),
    "granted": ("付与", "granted"),
    "spent": ("利用済み", "used"),
    "lapsed": ("失効", "lapsed"),
    "forfeited": ("失効（戻らないポイント）", "forfeited"),
    "revoked": ("取消", "taken back"),
    "adjusted": ("手動", "by hand"),
}

CAUSES: Final[Mapping[str, Pair]] = {
    "order.placed": ("注文 {id}", "Order {id}"),
    "order.amended": ("注文 {id} の変更", "Amendment of order {id}"),
    "order.split": ("注文 {id} の分割", "Split of order {id}"),
    "order.claimed": ("注文 {id} の注文者の決定", "Decision whose order {id} is"),
    "order.contested": ("注文 {id} の注文者の重複", "Somebody else was told to have placed order {id}"),
    "order.paid": ("注文 {id} の支払い", "Payment of order {id}"),
    "payment.failed": ("注文 {id} の支払いの不成立", "Payment of order {id} failed"),
    "payment.charged_back": ("注文 {id} の支払いのチャージバック", "Payment of order {id} charged back"),
    "order.rescheduled": ("注文 {id} の予定変更", "New dates for order {id}"),
    "shipment.dispatched": ("注文 {id} の出荷", "Shipment of order {id}"),
    "shipment.delivered": ("注文 {id} の配達", "Delivery of order {id}"),
    "order.cancelled": ("注文 {id} の取消", "Cancel of order {id}"),
    "order.reinstated": ("注文 {id} の取消の撤回", "Cancel of order {id} taken back"),
    "return.requested": ("注文 {id} の返品申込み", "Return of order {id} requested"),
    "return.received": ("注文 {id} の返品到着", "Return of order {id} received"),
    "refund.issued": ("注文 {id} の返金", "Refund of order {id}"),
    "return.withdrawn": ("注文 {id} の返品の取りやめ", "Return of order {id} withdrawn"),
    "exchange.requested": ("注文 {id} の交換申込み", "Exchange of order {id} requested"),
    "exchange.received": ("注文 {id} の交換元商品（返品商品）の到着", "Goods of order {id} to be exchanged received"),
    "exchange.shipped": ("注文 {id} の交換品の出荷", "Replacement for order {id} shipped"),
    "exchange.withdrawn": ("注文 {id} の交換の取りやめ", "Exchange of order {id} withdrawn"),
    "member.registered": ("会員登録", "Registration"),
    "member.enrolled": ("プログラムへの参加", "Joining the program"),
    "member.updated": ("会員情報の変更", "Change of what is known of the member"),
    "member.erased": ("会員情報の消去", "Erasure of the member"),
    "review.posted": ("レビューの投稿", "Review posted"),
    "survey.won": ("アンケートの当選", "Prize of a survey"),
    "activity.completed": ("対象アクションの完了", "Activity completed"),
    "balance.opened": ("開始残高", "Opening balance"),
    "points.adjusted": ("手動の調整", "Adjustment by hand"),
    "points.held": ("手動の保留", "Hold by hand"),
    "points.released": ("保留の解除", "Hold released"),
    "points.voided": ("付与の取消", "Grant taken back"),
    "reward.requested": ("{reward_word}", "{reward_word}"),
    "conversion.requested": ("ポイント交換の申込み", "Conversion of points requested"),
    "voucher.used": ("クーポンの利用", "Voucher used"),
    "voucher.voided": ("クーポンの無効化", "Voucher made void"),
    "subscription.points-set": ("定期便でのポイント利用設定", "Points set for a subscription"),
    "redemption.requested": ("ポイント利用の申込み", "Use of points requested"),
    "redemption.released": ("ポイント利用の取りやめ", "Use of points given up"),
}
REWARD: Final[Pair] = ("景品の申込み", "Reward item requested")
TIER: Final[Pair] = ("ランク", "tier")
CLOCK: Final[Pair] = ("期日の到来", "The date had come")

EVENTS: Final[Mapping[str, Pair]] = {
    "order": ("注文", "the order"),
    "payment": ("支払い", "the payment"),
    "shipment": ("出荷", "the shipment"),
    "delivery": ("配達", "the delivery"),
}

LINES: Final[Mapping[str, Pair]] = {
    "share_exact": ("{amount} × {rate} = {points}", "{amount} × {rate} = {points}"),
    "share": ("{amount} × {rate} = {exact} → {rounding} {points}", "{amount} × {rate} = {exact}, {rounding}: {points}"),
    "per": (
        "{amount}：{unit}ごとに{each}ポイント × {full} = {points}",
        "{amount} holds {unit} in full {full:time}: {full} × {each} = {points}",
    ),
    "count": (
        "{n}点：{unit}点ごとに{each}ポイント × {full} = {points}",
        "{n:piece} hold {unit} in full {full:time}: {full} × {each} = {points}",
    ),
    "measure": (
        "{n} {of}：{unit} {of}ごとに{each}ポイント × {full} = {points}",
        "{n} {of} hold {unit} in full {full:time}: {full} × {each} = {points}",
    ),
    "sum": ("合計 {points}", "together {points}"),
    "earlier": (
        "うち先の出荷分 {before}、この分 {points}",
        "of which earlier parts of the order hold {before}; this part {points}",
    ),
    "taken_off": ("うち返品分 {before}、残り {points}", "less {before} for what came back: {points}"),
    "tier": ("{tier_word} {tier}", "{tier_word} {tier}"),
    "campaign": ("キャンペーン {names}", "campaign {names}"),
    "bonus": (
        "商品のボーナス {bonus} のうち {of}個中{pieces}個分 = {points}",
        "{bonus:bonus point} of the product, for {pieces} of {of:piece}: {points}",
    ),
    "earns": (
        "この商品に付くのは {earned}、これまで {held}、差 {change}",
        "the goods bring {earned}; held so far {held}; difference {change}",
    ),
    "earns_less": (
        "この商品に付くのは {earned}、規約により {should}、これまで {held}、差 {change}",
        "the goods bring {earned}, of which the terms leave {should}; held so far {held}; difference {change}",
    ),
    "cap": (
        "{period} の上限 {limit}、それまでに {used}、付与対象 {wanted} のうち残り枠 {allowed}",
        "limit {limit} for {period}, used before {used}: of {wanted} there was room for {allowed}",
    ),
    "converted": (
        "交換「{into}」：{each}ポイント × {n} = {points}",
        "for {into}: {n} × {each} = {points}",
    ),
    "tallied": (
        "{challenge}（{period} から）：{of} {value}、これによる増減 {change}",
        "{challenge} (from {period}): {of} {value}, which brings {change}",
    ),
    "tallied_always": ("{challenge}：{of} {value}、これによる増減 {change}", "{challenge}: {of} {value}, which brings {change}"),
    "limited": ("上限により {wanted} のうち {points}", "of these {wanted} the limit leaves {points}"),
    "brought": ("これまでに {before}", "it had brought {before} before"),
    "lapsed": ("うち {n} はすでに失効", "{n} of them had lapsed already"),
    "revoked": ("うち {n} はすでに取消し済み", "{n} of them had been revoked already"),
    "written_off": ("うち {n} は利用済みのため差し引きません", "{n} of them had been spent; that is not claimed"),
    "parts": ("全部で {n}、ここはそのうち {points}", "{n} in all, of which {points} here"),
    "line": (
        "{line}：{quantity}個中{gone}個、割り当て {used} → {detached}",
        "{line}: {gone} of {quantity:piece}, {used:point} on it → {detached}",
    ),
    "by_cash": ("現金を先に返す計算で {detached}", "cash is refunded first: {detached}"),
    "by_points": ("ポイントを先に返す計算で {detached}", "points are refunded first: {detached}"),
    "done": ("合計 {detached}、すでに処理 {done}、今回 {rest}", "{detached} in all, {done} dealt with before: {rest} now"),
    "later": ("うち {n} は {date} に戻ります", "{n} of them due back on {date}"),
    "times": ("{each} × {times} = {amount}", "{each} × {times} = {amount}"),
    "each": ("{each}ポイント", "{each:point}"),
    "matures": ("{date} から：{event}（{happened}）の{days}日後", "from {date}: {days:day} after {event} ({happened})"),
    "matures_at_once": ("{date} から：{event}（{happened}）のとき", "from {date}: at {event} ({happened})"),
    "matures_business": (
        "{date} から：{event}（{happened}）の{days}営業日後",
        "from {date}: {days:business day} after {event} ({happened})",
    ),
    "matures_on": ("{date} から：付与は毎月{day}日", "from {date}: points come on day {day} of a month"),
    "matures_on_last": ("{date} から：付与は月末日", "from {date}: points come on the last day of a month"),
    "last_day": ("使える最後の日 {date} が過ぎました", "the last day, {date}, is over"),
    "pooled": ("残高全体の期限が過ぎました", "the last day of the whole balance is over"),
    "asked": ("注文で指定：{n}ポイント", "the order asked to use {n}"),
    "all_asked": ("注文ですべてのポイントを利用", "the order asked to use all points"),
    "all_lot": ("この付与分の残りすべて", "all that was left of this grant"),
    "no_lot": ("充てられるポイントがないため、残高から引きます", "no points were left to take it from: the balance goes down"),
    "since": ("{at} の{cause}から待っていた分です", "on their way since {at}: {cause}"),
    "reason": ("理由：{text}", "reason: {text}"),
    "lot": ("付与分 {kind}：{granted} に付与、{last}", "from the grant of {granted} ({kind}), {last}"),
    "until": ("{date} まで", "usable through {date}"),
    "until_pool": ("残高全体の期限まで", "to the last day of the whole balance"),
    "until_known": ("使える日が決まれば期限も決まります", "its last day is known once it is known when they can be used"),
    "for_ever": ("期限なし", "without a last day"),
    "changed": ("以前 {was} → 今 {now}", "was {was}, is now {now}"),
    "posted": ("{at} に記帳", "posted on {at}"),
    "late": ("遅れて届いた：{cause}（{at} の出来事）", "came late: {cause} (of {at})"),
    "terms": ("{since} から有効な規約が {at} に登録されました", "terms in force from {since} were registered on {at}"),
    "unknown": (
        "記帳時の規約と状態による計算は、今ある記録からは再現できません",
        "posted by terms and a state of then that are not to be worked out from what is recorded now",
    ),
    "refold": (
        "過去の計算を今の計算方法（第{fold}版）と今の規約で訂正した記帳です",
        "the past was worked out anew, by version {fold} of the calculation and the terms of now",
    ),
    "part": ("注文 {part} は注文 {order} の分割でできた注文です", "order {part} was split from order {order}"),
    "late_itself": ("この出来事は遅れて届きました", "this came late itself"),
}

MEASURES: Final[Mapping[str, Pair]] = {
    "amount": ("対象金額の合計", "amount"),
    "orders": ("ご注文の数", "orders"),
    "pieces": ("点数", "pieces"),
    "points": ("獲得ポイントの合計", "points earned"),
    "days": ("ご注文の日数", "different days"),
    "stores": ("店舗の数", "different stores"),
    "skus": ("商品の種類", "different products"),
}

PERIODS: Final[Mapping[str, Pair]] = {
    "order": ("このご注文", "this order"),
    "0001-01-01": ("全期間", "all time"),
}

ROUNDING: Final[Mapping[str, Pair]] = {
    "floor": ("切り捨て", "rounded down"),
    "half_up": ("四捨五入", "rounded half up"),
    "ceil": ("切り上げ", "rounded up"),
}

LABELS: Final[Mapping[str, Pair]] = {
    "title": ("{program}：ポイントの説明", "{program}: points explained"),
    "member": ("会員 {member}、{at} 現在", "Member {member}, as of {at}"),
    "order": ("注文 {order}", "Order {order}"),
    "between": ("　", ", "),
    "nothing": ("ポイントの動きはありません。", "No points have moved."),
    "unsettled": (
        "後から登録された規約による訂正は、まだ記帳されていません。",
        "What terms registered since change about it is not posted yet.",
    ),
    "part_of": (
        "注文 {part} は注文 {order} の分割（{at}）でできた注文です。ポイントは注文 {order} として記帳します。",
        "Order {part} was split from order {order} at {at}; its points are posted as those of order {order}.",
    ),
    "parts": ("注文 {order} は {parts} に分割されました。", "Order {order} was split and goes on as {parts}."),
    "rule": ("規約", "Rule"),
    "in_part": ("一部のみ対応しています：{gap}", "Carried out in part: {gap}"),
    "not_carried_out": ("対応していません：{gap}", "Not carried out: {gap}"),
    "lacking": ("日本語の文がない規約：{rules}", "Rules without words in English: {rules}"),
}


_USUAL: Final = ShopWords()


class _Number(int):
    """A whole number in a text: with commas, and with the noun that it counts."""

    def __format__(self, counts: str) -> str:
        one, _, many = counts.partition("|")
        return counted(int(self), one, many or None) if counts else f"{int(self):,}"


def _number(value: object) -> object:
    return _Number(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Words:
    """One language's words. `shop`: what the program calls things otherwise than others do."""

    def __init__(self, language: Language, shop: ShopWords = _USUAL) -> None:
        self.language = language
        self._place = LANGUAGES.index(language)
        usual = {**BUCKETS, "tier": TIER, "reward": REWARD}
        own = {name: getattr(shop, name) for name in type(shop).model_fields}
        self._names = {
            f"{name}_word": pair[self._place] if (text := own.get(name)) is None else text.told(language)
            for name, pair in usual.items()
        }

    def of(self, pair: Pair, /, **values: object) -> str:
        """A text with its values in place."""
        return pair[self._place].format(**self._names, **{name: _number(value) for name, value in values.items()})

    def line(self, name: str, /, **values: object) -> str:
        """One line of a working."""
        return self.of(LINES[name], **values)

    def label(self, name: str, /, **values: object) -> str:
        """Words of the frame around it."""
        return self.of(LABELS[name], **values)

    def bucket(self, name: str) -> str:
        """What a bucket is called."""
        return self._names[f"{name}_word"]

    def money(self, amount: int, currency: str) -> str:
        """An amount of a currency, given in its minor unit."""
        if currency == "JPY":
            return f"{amount:,}{('円', ' yen')[self._place]}"
        digits = MINOR_DIGITS.get(currency, 0)
        return f"{Decimal(amount).scaleb(-digits):,.{digits}f} {currency}"
