"""Marks: measurements and annotations on pictures, kept live in rows and filed as DICOM objects of their study."""
