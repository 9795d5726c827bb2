"""The bytes of a sample's file, as the manifest knows them: nothing is learned from a picture that was changed."""

from shared.files import sha256_of
from trainer.errors.features import PictureNoLongerUsable
from trainer.samples import Sample


def read_sample(sample: Sample) -> bytes:
    """The encoded picture, whose digest is still that of the sample.

    Raises:
        PictureNoLongerUsable: it was changed or removed since the manifest was made, or cannot be read.
    """
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise PictureNoLongerUsable(sample.name, f"cannot be read: {error.strerror or error}") from error
    if sha256_of(data) != sample.digest:
        raise PictureNoLongerUsable(sample.name, "changed while this command ran")
    return data
