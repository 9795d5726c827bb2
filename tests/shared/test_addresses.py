"""shared/addresses.py: paths and addresses are told apart, and no secret of an address is shown."""

from pathlib import Path

from shared.addresses import is_address, local_path, names_a_machine, shown, without_secrets


def test_a_secret_in_an_address_is_not_shown() -> None:
    assert shown("https://me:secret@host/a.zip?X-Signature=secret#secret") == "https://host/a.zip"
    assert shown("data/a?b#c@d.zip") == "data/a?b#c@d.zip"


def test_a_message_of_others_loses_the_secrets_of_every_address_in_it() -> None:
    signed = "https://me:pass%2Fword@host/a.zip?sig=one%2Ftwo"
    text = f"500, url=URL('https://host/a.zip?sig=one/two'), {signed}, s3://k:w@b/c#d, GET /a.zip?sig=one%2Ftwo failed"

    told = without_secrets(text, signed)

    assert told == "500, url=URL('https://host/a.zip https://host/a.zip, s3://b/c GET /a.zip?... failed"
    assert without_secrets("/a/b?c#d", "/a") == "/a/b?c#d"


def test_a_file_address_is_a_path() -> None:
    assert local_path("file:///data/a%20b.zip") == Path("/data/a b.zip")
    assert local_path("data/a%20b.zip") == Path("data/a%20b.zip")
    assert local_path("s3://bucket/a.zip") is None


def test_a_file_address_of_two_slashes_names_another_machine() -> None:
    assert names_a_machine("file://data/flowers")
    assert not names_a_machine("file:///data") and not names_a_machine("file://localhost/data")
    assert not names_a_machine("data/flowers") and not names_a_machine("s3://data/flowers")


def test_an_address_has_a_scheme() -> None:
    assert is_address("s3://bucket") and is_address("HTTPS://host")
    assert not is_address("C:/pictures") and not is_address("a/b://c") and not is_address("pictures")
