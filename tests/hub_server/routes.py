"""Which method and path is which route; the first that matches answers."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub_server import reading, writing
from hub_server.messages import Reply, Request

if TYPE_CHECKING:
    from hub_server.server import Hub

API = r"/api/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+/[^/]+)"
WEB = r"/(?P<kind>datasets/|spaces/)?(?P<repo>[^/]+/[^/]+)"
AT = r"/(?P<revision>[^/]+)"
OBJECT = r"/lfs/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+/[^/]+)/(?P<oid>[0-9a-f]{64})"
ROUTES: list[tuple[str, str, Callable[["Hub", Request, re.Match[str]], Reply]]] = [
    ("GET", "/api/whoami-v2", reading.whoami),
    ("POST", "/api/validate-yaml", writing.validate_yaml),
    ("POST", "/api/repos/create", writing.create_repo),
    ("DELETE", "/api/repos/delete", writing.delete_repo),
    ("POST", API + "/preupload" + AT, writing.preupload),
    ("POST", WEB + r"\.git/info/lfs/objects/batch", writing.lfs_batch),
    ("PUT", OBJECT, writing.lfs_put),
    ("POST", OBJECT + "/verify", writing.lfs_verify),
    ("POST", API + "/commit" + AT, writing.commit),
    ("GET", API + "(?:/revision" + AT + ")?", reading.describe),
    ("GET", API + "/tree" + AT + "(?P<path>/.*)?", reading.tree),
    ("POST", API + "/paths-info" + AT, reading.paths_info),
    ("GET", API + "/refs", reading.refs),
    ("GET", API + "/commits" + AT, reading.commits),
    ("POST", API + "/(?P<ref>tag|branch)" + AT, writing.create_ref),
    ("DELETE", API + "/(?P<ref>tag|branch)" + AT, writing.delete_ref),
    ("GET", API + "/xet-(?P<access>read|write)-token" + AT, reading.xet_token),
    ("GET", WEB + "/resolve" + AT + "/(?P<path>.+)", reading.resolve),
]
