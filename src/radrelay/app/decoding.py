"""The decoder processes of a role: installed by what needs them, for they bring numpy, which receiving does without."""

from __future__ import annotations

import sys

from radrelay.settings import Settings

POOL = "radrelay.dicom.decoder_pool"


def install(settings: Settings) -> None:
    """Have foreign code streams decoded by processes of their own, within the limits of the settings."""
    from radrelay.dicom import decoder_pool  # noqa: PLC0415 -- as said above

    limits = settings.decoding
    decoder_pool.install(decoder_pool.DecoderLimits(limits.deadline_s, limits.processes, limits.memory_bytes))


def close() -> None:
    """End the decoder processes, if there are any."""
    if POOL in sys.modules:
        sys.modules[POOL].close()
