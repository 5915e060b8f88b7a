"""Pictures that bear a slide's label: they may name the patient, so who sees by alias does not get them."""

from __future__ import annotations

from radrelay.archive.instances import InstanceRef
from radrelay.dicom.slides import SLIDE, is_labelled
from radrelay.web.reach import ReachedStudy
from radrelay.web.services import WebServices


def names_patient(services: WebServices, study: ReachedStudy, ref: InstanceRef) -> bool:
    """Say whether a picture must not be shown to whom this study's patient is shown by alias."""
    hidden = study.identity != "clear" and ref.sop_class_uid == SLIDE
    return hidden and is_labelled(services.renditions.header(ref))
