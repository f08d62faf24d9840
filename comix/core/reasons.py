"""Every reason an item can fail or be skipped for, with what the user can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        # containers as a whole
        "archive_encrypted": "the archive has a password: unpack it with the password and pack it again without one",
        "archive_damaged": "the file is incomplete or broken: copy or download it again",
        "archive_empty": "the container holds no files: replace it or remove it from the library",
        "volume_missing": "parts of the set are not there: put all of its files into one folder",
        "volume_of_set": "read together with the first file of its set; nothing to do",
        "archive_no_images": "the container holds files but no page images: check that it is a comic",
        "archive_unsupported": "install a reader for this format: `bsdtar` (package libarchive-tools) or `unar`",
        "archive_bomb": "the content unpacks to a suspicious size: open it by hand and repack the pages",
        "too_many_members": "split the container: more than 100,000 files are not read from one book",
        "wrong_format": "not a comic container: expected ZIP, RAR, 7z, TAR, PDF, EPUB or a folder of images",
        "drm_protected": "the publisher's copy protection prevents reading: use a copy without DRM",
        "pdf_encrypted": "the PDF has a password: save a copy without one",
        "container_missing": "the file is gone: check that the drive is mounted and the path is right",
        "permission_denied": "the file may not be read: check its permissions",
        # single members of a container
        "member_encrypted": "this file inside the container has a password: repack without one",
        "member_damaged": "this file inside the container is broken: replace the container with an intact copy",
        "member_missing": "the container no longer holds this file: run `extract` again",
        "member_too_large": "this file inside the container is too large for a page image",
        # what is passed over inside a container
        "junk_macos": "file system leftovers of macOS; nothing to do",
        "junk_thumbnail": "thumbnails kept by a file browser; nothing to do",
        "metadata_file": "read as metadata, not as a page; nothing to do",
        "not_an_image": "not a page image; nothing to do",
        "nested_container": "a container inside a container is not opened: unpack it into the library",
        "not_a_comic": "neither a comic container nor a page image; nothing to do",
        "sidecar_image": "a picture that a library program put beside its books; nothing to do",
        "metadata_unreadable": "the metadata file is broken and was left out; the pages are not affected",
        "symlink_outside": "links to folders, and links that lead out of the library, are not followed: add their target",
        "symlink_broken": "the link leads nowhere: check that the drive is mounted, or remove it",
        "workspace": "a workspace or output folder of CoMix inside the library; nothing to do",
        "hidden_file": "the name starts with a dot; rename the file if it is a page",
        "marked_deleted": "ComicInfo.xml marks the page as deleted; change its page type there if it is a page",
        "not_in_spine": "the EPUB does not show this image as a page; nothing to do",
        "duplicate": "the same content was already taken from another place; nothing to do",
        # page images
        "image_unreadable": "no decoder accepts the image: replace it with an intact copy",
        "image_truncated": "the image ends too early: copy or download it again",
        "image_empty": "the file has 0 bytes: copy or download it again",
        "image_unknown_format": "named like an image, but in no image format known here: look at what it really is",
        "further_frames": "only the first picture is the page: if the others are pages too, split the file into one image each",
        "image_missing": "the page image is gone from the workspace: run `extract` again",
        "image_changed": "not the image its DataSpec was made from: put that back, or remove it and run `extract` again",
        "image_too_large": "the image has too many pixels: scale it down",
        "image_too_small": "the image is too small to be a page; nothing to do",
        # work on a page
        "no_panels": "no panel was found on the page: look at it, or try another detector",
        "no_text": "no text was found on the page; nothing to do if it has none",
        "upstream_failed": "an earlier stage failed for this page: see `comix failures`",
        "missing_input": "an earlier stage has not reached this page: run it first",
        "invalid_input": "the file is not what this stage expects: see the detail",
        "already_done": "finished by an earlier run; delete the output to do it again",
        "not_selected": "left out by the given list, limit or shard; nothing to do",
        "page_type": "covers, adverts and credits take no part here; change `page_types` to include them",
        # annotations of other tools
        "no_such_page": "no page of the workspace is meant: say image_root=, book= or book_map=; see unmatched.csv",
        "ambiguous_page": "several pages have this path: give page ids in the file; unmatched.csv lists them",
        "duplicate_entry": "several entries speak of the same page: leave one of them in the input",
        "size_mismatch": "the boxes were made on an image of another shape: is it the same page, or a spread or crop of it?",
        # readers over the network
        "reader_refused": "the model refused the page: try another model or prompt",
        "reader_bad_answer": "the model's answer could not be used: run again, or try another model or prompt",
        "reader_truncated": "the model's answer was cut off: raise `vlm.max_tokens_retry`",
        "reader_unavailable": "the service did not answer: check the address, the key and the network, then run again",
        "rate_limited": "the service asked to slow down for too long: run again later, or lower `vlm.concurrency`",
        "budget_spent": "the cost limit was reached: raise `vlm.max_usd` and run again",
        "in_batch": "sent in a batch whose reply is not here yet: fetch it with `vlm.batch=collect`",
        # the machine
        "timeout": "took longer than the time limit: raise `timeout_s` or look at the file",
        "worker_crashed": "the decoder crashed on this file: replace the file",
        "out_of_memory": "more memory was wanted than one worker may have: raise `memory_mb`, lower `workers`",
        "disk_full": "no space left: free some and run again, finished items are kept",
        "write_failed": "the result could not be written: check the workspace's disk and permissions",
        "interrupted": "the run was stopped: start the same command again",
        "internal_error": "a fault in CoMix: please report it with the traceback that `comix failures format=json` shows",
    }
)
"""Reason code -> standing hint, shown when the error itself carries none."""


def hint_for(reason: str) -> str:
    """Standing hint of a reason code, "" when the code is unknown.

    >>> hint_for("junk_macos")
    'file system leftovers of macOS; nothing to do'
    """
    return REASONS.get(reason, "")
