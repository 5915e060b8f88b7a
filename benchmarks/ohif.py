"""OHIF, the viewer that others use most, beside ours: its published build, unchanged, on our own DICOMweb.

Its package comes from the npm registry, checked against the digest below, into the cache folder of the measurements;
nothing of it is kept in the repository. A small server on loopback hands out its files as a good web server does
(compressed once, kept-alive connections) with a configuration of one data source: our `/dicom-web`, frames as they are
kept (`transfer-syntax=*`, so lossless HTJ2K), everything else as OHIF's own default has it. The token comes with each
of the page's requests; the browser is told not to ask whether another origin may be read, which saves OHIF its
preflights.

    python -m benchmarks.ohif PORT FOLDER DICOMWEB    serves it, until it is ended
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import mimetypes
import shutil
import subprocess
import sys
import tarfile
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.servers import HOST, Server, responds

OHIF = "OHIF"
VERSION = "3.13.2"
SHA512 = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
BROWSER = ("--disable-web-security",)
DRAWN = """() => {
  const canvas = document.querySelector('.cornerstone-viewport-element canvas, canvas.cornerstone-canvas');
  if (!canvas || !canvas.width) return false;
  const middle = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
  return middle[0] > 8;
}"""
TEXT = frozenset({".js", ".css", ".html", ".json", ".svg", ".wasm"})


def installed(cache: Path) -> Path:
    """Return the folder of OHIF's built files, fetched once; raises `RuntimeError` if the package is another one."""
    folder = cache / f"ohif-{VERSION}"
    built = folder / "package" / "dist"
    if (built / "index.html").exists():
        return built
    folder.mkdir(parents=True, exist_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("OHIF is fetched by npm, which is not installed")
    command = [npm, "pack", f"@ohif/app@{VERSION}", "--silent", "--pack-destination", str(folder)]
    name = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout.strip()
    package = folder / name
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise RuntimeError(f"{name} is not the OHIF that is measured: its SHA-512 is {digest}")
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
    package.unlink()
    return built


class Ohif(Server):
    """The server of its files."""

    def __init__(self, folder: Path, cache: Path, dicomweb: str) -> None:
        super().__init__(folder)
        self._files = installed(cache)
        self._dicomweb = dicomweb

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.ohif", str(self.web_port), str(self._files), self._dicomweb]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(Path(__file__).parent.parent)}

    def answers(self) -> bool:
        return responds(self.web + "/index.html")

    def viewer(self, study_uid: str) -> str:
        """Return the address of a study."""
        return f"{self.web}/viewer?StudyInstanceUIDs={study_uid}"


def configuration(dicomweb: str) -> str:
    """Return OHIF's `app-config.js`: its own defaults, and one data source."""
    source = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "radrelay",
        "configuration": {
            "friendlyName": "Radrelay", "name": "radrelay", "wadoUriRoot": dicomweb, "qidoRoot": dicomweb,
            "wadoRoot": dicomweb, "qidoSupportsIncludeField": True, "imageRendering": "wadors",
            "thumbnailRendering": "wadors", "enableStudyLazyLoad": True, "supportsFuzzyMatching": False,
            "supportsWildcard": True, "singlepart": "bulkdata,video", "bulkDataURI": {"enabled": True},
        },
    }  # fmt: skip
    settings = {
        "routerBasename": "/", "extensions": [], "modes": [], "customizationService": {}, "showStudyList": True,
        "maxNumberOfWebWorkers": 3, "showWarningMessageForCrossOrigin": False, "showCPUFallbackMessage": False,
        "showLoadingIndicator": True, "strictZSpacingForVolumeViewport": True, "groupEnabledModesFirst": True,
        "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 25},
        "defaultDataSourceName": "radrelay", "dataSources": [source],
    }  # fmt: skip
    return f"window.config = {json.dumps(settings)};"


class _Files(BaseHTTPRequestHandler):
    """Hands out files; an unknown address is the page's own."""

    protocol_version = "HTTP/1.1"
    root = Path()
    dicomweb = ""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].lstrip("/")
        if name == "app-config.js":
            self._answer(gzip.compress(configuration(self.dicomweb).encode()), "text/javascript", packed=True)
            return
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root) or not path.is_file():
            path = self.root / "index.html"
        self._answer(*_content(path))

    def _answer(self, body: bytes, kind: str, packed: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Say nothing."""


@lru_cache(maxsize=512)
def _content(path: Path) -> tuple[bytes, str, bool]:
    kind = {".wasm": "application/wasm"}.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    packed = path.suffix in TEXT
    content = path.read_bytes()
    return gzip.compress(content, 6) if packed else content, kind or "application/octet-stream", packed


def main() -> int:
    """Serve until the process is ended."""
    port, folder, dicomweb = sys.argv[1:]
    _Files.root, _Files.dicomweb = Path(folder).resolve(), dicomweb
    server = ThreadingHTTPServer((HOST, int(port)), _Files)
    server.daemon_threads = True
    for path in _Files.root.rglob("*"):  # compressed before the first page asks
        if path.suffix in TEXT and path.stat().st_size < 8 << 20:
            _content(path)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
