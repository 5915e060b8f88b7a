"""The standard's codes for what is written (PS3.16 Annex D, CID 7180, 7181), and ours where it has none."""

from __future__ import annotations

from highdicom.sr import CodedConcept

from radrelay.dicom.measurement_codes import PRIVATE_SCHEME

QUANTITIES = {
    "CBF": CodedConcept("113055", "DCM", "Regional Cerebral Blood Flow"),
    "CBV": CodedConcept("113056", "DCM", "Regional Cerebral Blood Volume"),
    "MTT": CodedConcept("113052", "DCM", "Mean Transit Time"),
    "TTP": CodedConcept("113069", "DCM", "Time To Peak"),
    "Tmax": CodedConcept("113084", "DCM", "Tmax"),
    "ADC": CodedConcept("113041", "DCM", "Apparent Diffusion Coefficient"),
}
# CID 7180 lists these for flow and volume of any region beside the codes of the brain's.
EQUIVALENT = {
    "CBF": CodedConcept("126390", "DCM", "Absolute Regional Blood Flow"),
    "CBV": CodedConcept("126391", "DCM", "Absolute Regional Blood Volume"),
}
SECONDS = CodedConcept("s", "UCUM", "second")
MILLILITRE = CodedConcept("ml", "UCUM", "milliliter")
RATIO = CodedConcept("{ratio}", "UCUM", "ratio")
FLOW = CodedConcept("ml/[100]g/min", "UCUM", "milliliter per 100 gram per minute")
UNITS = {
    "CBF": FLOW,
    "CBV": CodedConcept("ml/[100]g", "UCUM", "milliliter per 100 gram"),
    "MTT": SECONDS,
    "TTP": SECONDS,
    "Tmax": SECONDS,
    "ADC": CodedConcept("um2/s", "UCUM", "um2/s"),
}
PERFUSION_ANALYSIS = CodedConcept("129104", "DCM", "Perfusion image analysis")
ALTERED = CodedConcept("49755003", "SCT", "Morphologically Altered Structure")
INFARCT = CodedConcept("55641003", "SCT", "Infarct")
ISCHEMIA = CodedConcept("52674009", "SCT", "Ischemia")
BRAIN = CodedConcept("12738006", "SCT", "Brain")
VOLUME = CodedConcept("118565006", "SCT", "Volume")
DECONVOLUTION = CodedConcept("126311", "DCM", "Singular Value Decomposition (SVD) deconvolution")
COMMENT = CodedConcept("121106", "DCM", "Comment")
CLUSTERS = CodedConcept("123107", "DCM", "Cluster Analysis")
MISMATCH_VOLUME = CodedConcept("MISMATCHVOLUME", PRIVATE_SCHEME, "Mismatch volume")
MISMATCH_RATIO = CodedConcept("MISMATCHRATIO", PRIVATE_SCHEME, "Mismatch ratio")
INTENSITY_RATIO = CodedConcept("HYPOPERFUSIONINT", PRIVATE_SCHEME, "Hypoperfusion intensity ratio")
