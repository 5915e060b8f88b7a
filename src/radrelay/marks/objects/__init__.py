"""Marks as DICOM objects: structured report, softcopy presentation state, key object selection. No database."""
