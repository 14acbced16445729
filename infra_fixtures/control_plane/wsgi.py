"""An API call as moto, which is a WSGI application, takes it."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from infra_fixtures.control_plane.backend import HOP_BY_HOP, Call


def environ_of(call: Call) -> dict[str, Any]:
    """The WSGI environment of a call, as moto's own server makes it."""
    path, _, query = call.raw_path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": call.raw_path,
        "REQUEST_URI": call.raw_path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    preserved: dict[str, str] = {}
    for name, value in call.headers.items():
        lower = name.lower()
        if lower in HOP_BY_HOP:
            continue
        if "_" in name:
            # WSGI cannot tell "_" from "-"; moto keeps the spelling of S3 metadata alone (its MotoRequestHandler).
            if not lower.startswith("x-amz-meta-"):
                continue
            preserved[_key(name)] = name
        key = _key(name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ["CONTENT_LENGTH"] = str(len(call.body))
    environ["moto.preserved_header_names"] = preserved
    return environ


def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
