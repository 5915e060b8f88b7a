"""DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS and delete, under `/dicom-web`."""

from fastapi import APIRouter

from radrelay.web.dicomweb import deleting, documents, qido, rendered, stow, thumbnails, wado
from radrelay.web.short_way import Endpoint, ShortRoute, short_routes

router = APIRouter(prefix="/dicom-web")
for part in (qido, stow, documents, rendered, thumbnails, wado, deleting):
    router.include_router(part.router)


def hot_routes() -> list[ShortRoute]:
    """Return the routes that are asked most often, for the short way."""
    hot: tuple[tuple[APIRouter, tuple[Endpoint, ...]], ...] = (
        (wado.router, (wado.retrieve_frames, wado.retrieve_instance, wado.retrieve_series, wado.retrieve_study)),
        (thumbnails.router, (thumbnails.frame_thumbnail, thumbnails.instance_thumbnail, thumbnails.series_thumbnail)),
        (documents.router, (documents.series_metadata, documents.instance_metadata, documents.study_metadata)),
    )
    searches = (qido.search_studies, qido.search_series, qido.search_instances)
    return [
        *(short for part, endpoints in hot for short in short_routes(router.prefix, part, endpoints)),
        *short_routes(router.prefix, qido.router, searches, "search"),
    ]


__all__ = ["hot_routes", "router"]
