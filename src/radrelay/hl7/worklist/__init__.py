"""The modality worklist: steps that orders schedule, kept, and found by modalities (PS3.4 annex K).

It stands beside HL7, for orders are all that it is made of; the network knows it as a Protocol alone.
"""

from radrelay.hl7.worklist.answering import Seeker, find_items, known_attributes
from radrelay.hl7.worklist.matching import Item, matches
from radrelay.hl7.worklist.ordering import OrderBook, forget_items
from radrelay.hl7.worklist.performing import change_step, create_step

__all__ = [
    "Item",
    "OrderBook",
    "Seeker",
    "change_step",
    "create_step",
    "find_items",
    "forget_items",
    "known_attributes",
    "matches",
]
