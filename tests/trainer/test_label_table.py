"""trainer/label_table.py: the tables that people really have."""

from pathlib import Path

import pytest

from tests.trainer.tiny_bundle import paint
from trainer.errors.manifest import LabelTableInvalid
from trainer.label_table import TableRow, read_label_table
from trainer.manifest import read_manifest


def table(tmp_path: Path, content: str | bytes, name: str = "labels.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(rows: tuple[TableRow, ...]) -> list[tuple[str, str]]:
    return [(row.path, row.label) for row in rows]


CAT_AND_DOG = [("a.jpg", "cat"), ("b.jpg", "dog")]


@pytest.mark.parametrize(
    "content",
    [
        "a.jpg\tcat\nb.jpg\tdog\n",
        "a.jpg,cat\nb.jpg,dog",
        "a.jpg;cat\nb.jpg;dog\n",
        "a.jpg\tcat\r\nb.jpg\tdog\r\n",
        "\n\na.jpg\tcat  \n   \nb.jpg\tdog\t  \t    \n\t\t\n",
        "\ufeffa.jpg,cat\nb.jpg,dog\n",
        "path,label\na.jpg,cat\nb.jpg,dog\n",
        "ImagePath\tLabel\na.jpg\tcat\nb.jpg\tdog\n",
        "\ufeffLabel;File Name\r\ncat;a.jpg\r\ndog;b.jpg\r\n",
        "id,file_name,class,width\n7,a.jpg,cat,640\n8,b.jpg,dog,480\n",
        '"a.jpg","cat"\n"b.jpg", "dog" \n',
        '"a.jpg"\t"cat"\nb.jpg\tdog\n',
        "photograph,animal\na.jpg,cat\nb.jpg,dog\n",
    ],
)
def test_path_and_label_are_read_however_the_table_is_written(tmp_path: Path, content: str) -> None:
    assert pairs(read_label_table(table(tmp_path, content))) == CAT_AND_DOG


def test_a_utf_16_table_as_excel_writes_it_is_read(tmp_path: Path) -> None:
    content = "a.jpg\tcat\r\nb.jpg\tdog\r\n".encode("utf-16")

    assert pairs(read_label_table(table(tmp_path, content))) == CAT_AND_DOG


def test_labels_may_have_blanks_quotes_commas_and_letters_of_any_language(tmp_path: Path) -> None:
    content = 'a.jpg,"teddy  bear"\nb.jpg,"bread, sliced"\nc.jpg,"the ""best"" one"\nd.jpg,M\u0075\u0308ller\n'

    labels = [row.label for row in read_label_table(table(tmp_path, content))]

    assert labels == ["teddy bear", "bread, sliced", 'the "best" one', "M\u00fcller"]


def test_a_quote_among_tabs_is_just_a_character(tmp_path: Path) -> None:
    assert pairs(read_label_table(table(tmp_path, 'a.jpg\t5" pipe\nb.jpg\t"dog\n'))) == [
        ("a.jpg", '5" pipe'),
        ("b.jpg", '"dog'),
    ]


def test_commas_in_a_table_of_tabs_are_part_of_the_cells(tmp_path: Path) -> None:
    assert pairs(read_label_table(table(tmp_path, "a,1.jpg\tcat, black\n"))) == [("a,1.jpg", "cat, black")]


def test_a_third_column_is_the_split(tmp_path: Path) -> None:
    content = "a.jpg,cat,train\nb.jpg,cat,VAL\nc.jpg,cat,validation\nd.jpg,cat,Test\ne.jpg,cat,\nf.jpg,cat\n"

    splits = [row.split for row in read_label_table(table(tmp_path, content))]

    assert splits == ["train", "validation", "validation", "test", None, None]


def test_a_header_may_name_the_split_and_columns_in_any_order(tmp_path: Path) -> None:
    content = "split,label,path,note\ntest,cat,a.jpg,blurred\n,dog,b.jpg,\n"

    rows = read_label_table(table(tmp_path, content))

    assert rows == (TableRow(2, "a.jpg", "cat", "test"), TableRow(3, "b.jpg", "dog", None))


def test_a_row_without_a_label_is_kept_as_such(tmp_path: Path) -> None:
    assert pairs(read_label_table(table(tmp_path, "a.jpg,cat\nb.jpg,\nc.jpg\n"))) == [
        ("a.jpg", "cat"),
        ("b.jpg", ""),
        ("c.jpg", ""),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        ("\n \n\t\n", "no rows"),
        ("a.jpg\nb.jpg\n", "1 columns and no header"),
        ("a.jpg,cat,train,1\n", "4 columns and no header"),
        ("a.jpg,cat\nb.jpg,dog,0.93\n", "line 2: unknown split '0.93'"),
        ("path,label\n,cat\n", "line 2: the row names no file"),
        ('a.jpg,"cat\nb.jpg,dog\n', "quoted cell does not end"),
        ("a.jpg,cat\0\n", "not text"),
        ("a.jpg,M\u00fcller\n".encode("latin-1"), "save it again as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\xff", "it is a picture: to train, name the folder above it"),
        (b"\xff\xd8\xff\xe0\0", "it is a picture"),
        (b"GIF89a\0", "it is a picture"),
        (b"a.jpg,\xff\n", "UTF-8"),
        ("a.jpg," + "x" * 200_000, "no well-formed table"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(LabelTableInvalid, match=message) as caught:
        read_label_table(table(tmp_path, content))

    assert "labels.csv" in str(caught.value)
    assert "path, label and, if wanted, split" in str(caught.value)


def test_the_tables_of_the_ml_net_tutorials_are_read(shared_data: Path) -> None:
    folder = shared_data / "datasets" / "mlnet-transferlearning-tf"

    assert pairs(read_label_table(folder / "test-tags.tsv")) == [
        ("broccoli2.jpg", "food"),
        ("pizza3.jpg", "food"),
        ("teddy6.jpg", "toy"),
    ]


def test_rows_of_one_picture_that_are_of_two_groups_are_refused_when_groups_are_asked_for(tmp_path: Path) -> None:
    """The first would win in silence, and a picture of both patients be in two splits."""
    for number, colour in enumerate(("red", "red", "green", "green")):
        paint(tmp_path / "pictures" / f"{number}.png", colour, size=20 + number)
    rows = [f"{number}.png,{label},{number % 2}" for number, label in enumerate("aabb")]
    own = table(tmp_path / "pictures", "\n".join(["path,label,Patient", *rows, "./0.png,a,1"]))

    assert len(read_manifest(own, cache_dir=tmp_path / "cache").samples) == 4
    with pytest.raises(LabelTableInvalid, match=r"line 6: \./0\.png is of group '1' here, but of '0' on line 2"):
        read_manifest(own, group_by="column:patient", cache_dir=tmp_path / "cache")
