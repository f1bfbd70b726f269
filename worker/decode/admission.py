"""Whether an event may come in by the topic that brought it: by its type, its source, its points, and its signature."""

from __future__ import annotations

from fnmatch import fnmatchcase

from contracts.events import OURS, TOPIC_OF, ActivityCompleted, Event, OrderAmended, OrderPlaced, PointsAdjusted, SurveyWon
from worker.decode.record import Admission, Broken


def refusal(event: Event, signature: str | None, topic: str, admission: Admission) -> Broken | None:
    """Why this event may not come by this topic; None if it may."""
    if event.type not in admission.types.get(topic, frozenset()):
        return Broken("wrong_topic", "type should be one that counts on this topic, is not", "type")
    if event.source.startswith(OURS) and event.type in TOPIC_OF:
        return Broken("wrong_source", f"source should not begin with {OURS}, as what the ledger says itself does", "source")
    bound = {name: any(fnmatchcase(event.source, each) for each in patterns) for name, patterns in admission.sources.items()}
    if not bound.get(topic, not any(bound.values())):
        return Broken("wrong_source", "source should be one that may send to this topic, is not", "source")
    if _moved(event) > admission.points_max:
        return Broken("above_ceiling", f"an event should give or take at most {admission.points_max:,} points, does more")
    return None if admission.signatures is None else admission.signatures.refusal(event, signature, topic)


def _moved(event: Event) -> int:
    """The points that an event gives or takes by what it says, not by a rule of its program."""
    match event.data:
        case PointsAdjusted(points=int(points)):
            return abs(points)
        case SurveyWon(points=points):
            return points
        case ActivityCompleted(points=int(points)):
            return points
        case OrderPlaced(lines=lines) | OrderAmended(lines=lines):
            return sum(bonus.points for line in lines for bonus in line.bonus_points)
        case _:
            return 0
