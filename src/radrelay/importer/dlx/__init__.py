"""DICOM Link Exchange (DIN/TS 19455): its contract, a provider that can be told to fail, and the conformance kit."""
