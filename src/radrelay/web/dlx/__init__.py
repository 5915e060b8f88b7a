"""Links as providers of DICOM Link Exchange hand them out (DIN/TS 19455; `importer.dlx.contract`).

::

    asking        the questions of a link, and the answers that let a program in
    handing_out   what a program finds that was let in, and takes away
"""

from fastapi import APIRouter

from radrelay.importer.dlx import contract
from radrelay.web.dlx import asking, handing_out
from radrelay.web.problems import RESPONSES

router = APIRouter(prefix=contract.BASE, tags=["dlx"], responses=RESPONSES)
router.include_router(asking.router)
router.include_router(handing_out.router)

__all__ = ["router"]
