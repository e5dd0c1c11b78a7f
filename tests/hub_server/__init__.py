"""A small server on loopback that speaks the Hugging Face Hub's routes, so that unmodified clients can be tested.

`with Hub(folder) as hub:` serves at `hub.url`; writes need `hub.token`. It keeps contents as files under `folder`
and everything else in memory. Routes and answers follow what huggingface_hub 2.4, the `hf` command, `datasets` 5.2
and @huggingface/hub 2.17 call; test_hub_server.py runs these clients against it. A new route is a function of
`(hub, request, match)` that returns a `Reply`, in `reading.py` or `writing.py`, and one line in `ROUTES`.
"""

from hub_server.messages import Reply, Request
from hub_server.server import Hub

__all__ = ["Hub", "Reply", "Request"]
