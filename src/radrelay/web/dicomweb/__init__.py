"""DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS and delete, under `/dicom-web`."""

from fastapi import APIRouter

from radrelay.web.dicomweb import deleting, documents, qido, rendered, stow, thumbnails, wado

router = APIRouter(prefix="/dicom-web")
for part in (qido, stow, documents, rendered, thumbnails, wado, deleting):
    router.include_router(part.router)

__all__ = ["router"]
