"""DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS and delete, under `/dicom-web`."""

from fastapi import APIRouter

from radrelay.web.dicomweb import qido, stow, wado

router = APIRouter(prefix="/dicom-web")
router.include_router(qido.router)
router.include_router(stow.router)
router.include_router(wado.router)

__all__ = ["router"]
