"""What messages say, typed and frozen: patients, visits, orders, reports."""

from radrelay.hl7.content.reading import Content, change_of, read
from radrelay.hl7.content.views import (
    Adt,
    Change,
    Document,
    Merge,
    Order,
    Patient,
    PatientEvent,
    Report,
    Visit,
)

__all__ = [
    "Adt",
    "Change",
    "Content",
    "Document",
    "Merge",
    "Order",
    "Patient",
    "PatientEvent",
    "Report",
    "Visit",
    "change_of",
    "read",
]
