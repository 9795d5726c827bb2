"""Multipart bodies made by hand, right and wrong."""

FORM = "multipart/form-data; boundary=b"


def form(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    """A multipart body; a part's first half is what follows `form-data; `."""
    texts = [
        f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + data + b"\r\n"
        for disposition, data in parts
    ]
    return b"".join(texts) + end
