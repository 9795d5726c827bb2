"""trainer/locations.py: what a user may write for DATA, and what it is called."""

import pytest

from trainer.locations import archive_suffix, stem


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("data/flowers", "flowers"),
        ("data/flowers.zip", "flowers"),
        ("data/Flowers.TAR.GZ", "Flowers"),
        ("s3://bucket/sets/flowers.tar.xz", "flowers"),
        ("s3://bucket/sets/flowers/", "flowers"),
        ("s3://bucket", "bucket"),
        ("https://host:8080/a%20b/flowers.tgz?signature=x", "flowers"),
        ("https://host/flowers.csv", "flowers"),
        ("file:///data/flowers.zip", "flowers"),
        ("data/v1.2", "v1.2"),
    ],
)
def test_data_is_named_after_its_last_part(location: str, name: str) -> None:
    assert stem(location) == name


def test_the_longest_suffix_counts_in_any_case() -> None:
    assert [archive_suffix(name) for name in ("a.tar.gz", "A.ZIP", "a.gz", "a.jpg")] == [".tar.gz", ".zip", "", ""]
