"""One file that reopens the same picture: where its slides lie, and all that was made of them."""

from napari_ims_tumor.io.session_file.addresses import (
    address_of,
    change_of,
    is_other_slide,
    not_found,
    places_of,
)
from napari_ims_tumor.io.session_file.session_file import (
    ENDING,
    read_session,
    session_bytes,
    write_session,
)
from napari_ims_tumor.io.session_file.stored import (
    SlideAddress,
    StoredPrediction,
    StoredSession,
    StoredSlide,
)

__all__ = [
    "ENDING",
    "SlideAddress",
    "StoredPrediction",
    "StoredSession",
    "StoredSlide",
    "address_of",
    "change_of",
    "is_other_slide",
    "not_found",
    "places_of",
    "read_session",
    "session_bytes",
    "write_session",
]
