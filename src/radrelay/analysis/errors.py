"""What stands against an analysis: asking for it, or its end."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound, RadrelayError


class AnalysisUnknown(NotFound):
    """There is no such analysis on this installation."""

    code = "analysis-unknown"


class AnalysisRunNotFound(NotFound):
    """There is no such run."""

    code = "analysis-run-not-found"


class NoFindings(NotFound):
    """This run has left no findings."""

    code = "analysis-no-findings"


class AnalysisOff(Forbidden):
    """This analysis is not switched on here."""

    code = "analysis-off"


class ParametersInvalid(Invalid):
    """This is no value of this parameter."""

    code = "analysis-parameters-invalid"


class SettingInvalid(Invalid):
    """This is no setting of an analysis."""

    code = "analysis-setting-invalid"


class NothingToAnalyse(Invalid):
    """The study has no images that this analysis takes."""

    code = "analysis-nothing-to-analyse"


class RunUnderWay(Conflict):
    """This run has not ended."""

    code = "analysis-run-under-way"


class RunOver(Conflict):
    """This run has ended."""

    code = "analysis-run-over"


class AnalysisFailed(RadrelayError):
    """The analysis ended with an error."""

    code = "analysis-failed"


class OutOfMemory(AnalysisFailed):
    """The analysis needed more memory than it may have."""

    code = "analysis-out-of-memory"


class TookTooLong(AnalysisFailed):
    """The analysis took longer than it may."""

    code = "analysis-too-long"


class OutputTooLarge(AnalysisFailed):
    """The analysis wrote more than it may."""

    code = "analysis-output-too-large"


class OutputInvalid(AnalysisFailed):
    """The analysis wrote something that is no result; nothing of it was kept."""

    code = "analysis-output-invalid"


class OutputOfAnother(AnalysisFailed):
    """The analysis wrote images of another patient or study; nothing of it was kept."""

    code = "analysis-output-of-another"


class NoOutput(AnalysisFailed):
    """The analysis ended without a result."""

    code = "analysis-no-output"


class GaveUp(AnalysisFailed):
    """The analysis broke off several times without an answer."""

    code = "analysis-gave-up"


class HeldAfterRestore(AnalysisFailed):
    """A backup was restored while this run was open: its results may have been sent since; retry if they were not."""

    code = "analysis-held-after-restore"


class StudyRestricted(Forbidden):
    """The processing of this study is restricted."""

    code = "analysis-study-restricted"
