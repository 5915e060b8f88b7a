"""The ASGI application: REST under /api, DICOMweb under /dicom-web, live events, the built pages."""
