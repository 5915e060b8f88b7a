"""Why images make up no study that can be analysed; each says it in words for who acquired them."""

from __future__ import annotations

from radrelay.analysis.perfusion.refusals import AnalysisRefused


class NothingToAnalyse(AnalysisRefused):
    """There is no series of images over time."""

    code = "perfusion-no-series"


class SeriesAmbiguous(AnalysisRefused):
    """Several series could be the perfusion: choose one of them."""

    code = "perfusion-series-ambiguous"


class SeriesUnknown(AnalysisRefused):
    """There is no series with this UID."""

    code = "perfusion-series-unknown"


class SeveralPatients(AnalysisRefused):
    """The images are of several patients or studies."""

    code = "perfusion-several-studies"


class OrientationMixed(AnalysisRefused):
    """The images of the series do not lie in parallel planes, or do not say where they lie."""

    code = "perfusion-mixed-orientation"


class SizesMixed(AnalysisRefused):
    """The images of the series differ in size."""

    code = "perfusion-mixed-sizes"


class RescaleWrong(AnalysisRefused):
    """The images' values are not in Hounsfield units: their rescale slope or intercept is missing or wrong."""

    code = "perfusion-rescale-wrong"


class RulesInvalid(AnalysisRefused):
    """The site's rules for series cannot be read."""

    code = "perfusion-rules-invalid"
