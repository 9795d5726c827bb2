"""Every error that the trainer raises on purpose, room by room, and the exit code each one ends a command with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from shared.errors import FinialError

_EXPECTED_TREE = """Expected one folder per label, with pictures inside:
  {folder}/
    cat/   one.jpg  two.jpg
    dog/   three.jpg  four.png
or train/, validation/ and test/ folders with such folders inside; or file names that start with the label
(cat.1.jpg, dog.1.jpg; `--labels prefix`); or a table of path, label and, if wanted, split (`--labels FILE.tsv`).
`python -m trainer sample DIR` writes pictures for a first try."""


class TrainerError(FinialError):
    """Root of the trainer's errors. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 3


class UsageError(TrainerError):
    """The command or a setting cannot be carried out as it was given."""

    exit_code: ClassVar[int] = 2


class BadData(TrainerError):
    """The pictures or their labels cannot be learned from as they are."""

    exit_code: ClassVar[int] = 3


class GateFailed(TrainerError):
    """A check that must pass before publishing did not; nothing was published."""

    exit_code: ClassVar[int] = 4


# --- manifest, picture files, label tables ---


class DataMissing(UsageError):
    """DATA, or the table named by --labels, does not exist."""

    def __init__(self, path: Path, *, instead: Sequence[str] = ()) -> None:
        choices = f", or choose one of {', '.join(instead)}" if instead else ""
        super().__init__(
            f"{path}: no such file or folder. Name a folder of pictures, or a TSV or CSV table of them{choices}."
        )


class LabelsFromDataTable(UsageError):
    """DATA is a table, and --labels asks for something else."""

    def __init__(self, data: Path, labels: str) -> None:
        super().__init__(
            f"--labels {labels}: the labels of {data} are those it lists. Leave --labels out, or name a folder as DATA."
        )


class LabelsAmbiguous(UsageError):
    """The labels can be read from the data in more than one way."""

    def __init__(self, folder: Path, readings: Sequence[str]) -> None:
        super().__init__(f"{folder}: the labels can be read in more than one way; say which: {'; or '.join(readings)}.")


class LabelsNotFound(BadData):
    """The pictures carry no label, or none in the way that was asked for."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(f"{folder}: {detail}. {_EXPECTED_TREE.format(folder=folder.name or folder)}")


class NoPictures(BadData):
    """There is nothing to learn from in the folder."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(f"{folder}: {detail}. {_EXPECTED_TREE.format(folder=folder.name or folder)}")


class LabelTableInvalid(BadData):
    """A TSV or CSV table that cannot be read as path, label and, if there is one, split."""

    def __init__(self, path: Path, detail: str, *, line: int | None = None) -> None:
        where = str(path) if line is None else f"{path}, line {line}"
        super().__init__(
            f"{where}: {detail}. Expected one row per picture: path, label and, if wanted, split (train, validation or "
            "test), separated by tabs or commas, with or without a header of these names."
        )


class NotALabelTable(LabelTableInvalid):
    """The table is about something else; one that is about labels, but faulty, is never passed over for a guess."""


class LabelNotPrintable(BadData):
    """A label holds a character that no bundle, table or terminal can show."""

    def __init__(self, label: str, *, picture: str, origin: str) -> None:
        super().__init__(
            f"{picture!r}: its label {label!r}, from {origin}, holds a control character. Expected text on one line: "
            "rename the folder or file, or mend the row of the table."
        )


class TooManyMissing(BadData):
    """More rows of a table name files that are not there than the limit allows."""

    def __init__(self, path: Path, missing: Sequence[str], *, rows: int, max_missing: float) -> None:
        super().__init__(
            f"{path}: {len(missing)} of {rows} rows name a file that is not there ({_some(missing)}); at most "
            f"{max_missing:.0%} may be missing. Paths are relative to the table's folder or the data folder: "
            "copy the pictures there, or raise --max-bad."
        )


# --- groups ---


class GroupsWithoutTable(UsageError):
    """--group-by names a column, and there is no table with a header."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"--group-by column:{column}: the labels come from no table whose header names its columns. Name the table "
            "as DATA or with --labels, or group by a regular expression on the pictures' names."
        )


class GroupColumnMissing(UsageError):
    """--group-by names a column that the table does not have."""

    def __init__(self, column: str, columns: Sequence[str]) -> None:
        super().__init__(f"--group-by column:{column}: the table has no such column; choose one of {_some(columns)}.")


class GroupingSaysNothing(UsageError):
    """--group-by puts every picture into one group, or every picture into a group of its own."""

    def __init__(self, group_by: str, group: str | None, example: str) -> None:
        found = f"puts all pictures into one group, {group!r}" if group else "finds no group for any picture"
        super().__init__(
            f"--group-by {group_by!r} {found} (the first picture is {example!r}), so nothing can be split. Expected a "
            "regular expression whose first parentheses hold what a group's pictures share, or column:NAME."
        )


# --- a named test set ---


class TwoTestSets(UsageError):
    """--test names a test set, and DATA gives one of its own."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"--test: DATA has a test split of its own ({len(names)} of its pictures, the first is {names[0]}), and "
            "there can be only one test set. Leave out --test, or let DATA be the pictures to learn from only."
        )


class UnknownTestLabels(BadData):
    """The named test set has labels that DATA has not."""

    def __init__(self, unknown: Mapping[str, int], *, known: Sequence[str]) -> None:
        named = _some([f"{label!r}, of {count}" for label, count in unknown.items()])
        super().__init__(
            f"pictures that --test names have labels that DATA has not: {named}; DATA has "
            f"{_some([repr(label) for label in known], most=12)}. A head cannot be right about a label that it never "
            "saw: add such pictures to DATA, take them out of the test set, or say with --test-labels where its "
            "labels come from."
        )


# --- archives, data elsewhere ---


class ArchiveDamaged(BadData):
    """An archive of pictures cannot be read to its end."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: the archive cannot be unpacked ({detail}). Expected a whole .zip, or a .tar, plain or "
            "packed with gz, xz or bz2: copy it again, or unpack it yourself and name the folder."
        )


class ArchiveEncrypted(BadData):
    """An archive of pictures asks for a password."""

    def __init__(self, origin: str, name: str) -> None:
        super().__init__(f"{origin}: {name} is encrypted. Unpack the archive yourself, and name the folder.")


class UnsafeName(BadData):
    """A file in an archive, or elsewhere, is to be written outside the folder that it is unpacked into."""

    def __init__(self, origin: str, name: str) -> None:
        super().__init__(
            f"{origin}: {name!r} would be written outside its folder. Expected relative names without '..': this is "
            "no archive of pictures as programs make them; find out where it comes from before you use it."
        )


class UnsafeRow(BadData):
    """A table that came with an archive, or from elsewhere, lists a file of this machine's own."""

    def __init__(self, table: Path, path: Path) -> None:
        super().__init__(
            f"{table}: it lists {path}, which did not come with it. Expected only files of that archive or address: "
            "find out where it comes from before you use it, or unpack it yourself and name the folder."
        )


class TooLarge(BadData):
    """What an archive, or a folder elsewhere, holds is more than may be put on the disk."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: it holds too much: {detail}. Nothing of it was kept. Free some space, name another disk with "
            "--cache-dir, or unpack what you need yourself and name the folder."
        )


class DataUnreachable(UsageError):
    """Data elsewhere cannot be read."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: cannot be read ({detail}). Check the address, the access rights and the network; "
            "what was fetched so far is kept, and the same command goes on from there."
        )


class ExtraMissing(UsageError):
    """A package that talks to where the data is is not installed."""

    def __init__(self, origin: str, *, package: str) -> None:
        super().__init__(f"{origin}: reading it needs the package {package}. Install it: pip install {package}.")


# --- sample pictures ---


class FolderNotEmpty(UsageError):
    """The sample pictures would be mixed with others."""

    def __init__(self, folder: Path, found: Sequence[str]) -> None:
        super().__init__(
            f"{folder}: there is something in it already ({_some(found)}). Name an empty or a new folder, so that "
            "the sample pictures stay by themselves."
        )


# --- audit ---


class NotFitForTraining(BadData):
    """The audit found something that makes training impossible or meaningless; it was told in full before."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__(f"not fit for training: {'; '.join(titles)}. Mend what the audit says under 'Stops training'.")


class SingleClass(BadData):
    """All samples have one label; there is nothing to tell apart."""

    def __init__(self, labels: Sequence[str], *, labels_from: str) -> None:
        found = f"every picture has the label {labels[0]!r}" if labels else "there is no labelled picture"
        super().__init__(
            f"{found}; labels were read from {labels_from}. At least two labels are needed: "
            "add pictures of another, or choose where labels come from with --labels folder, prefix or FILE."
        )


class ClassTooSmall(BadData):
    """A label has fewer samples than can be learned from and tested on."""

    def __init__(self, counts: Mapping[str, int], *, at_least: int) -> None:
        named = _some([f"{label!r} has {count}" for label, count in counts.items()])
        super().__init__(
            f"each label needs at least {at_least} different pictures: {named}. Add some, or leave the label out."
        )


class LabelNotInTrain(BadData):
    """The data puts every picture of a label into its validation or test split."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(
            f"no picture of {_some([repr(label) for label in labels])} is in the train split that the data gives "
            "(copies of validation or test pictures, and what is in a group with one, count as held out), so it could "
            "not be learned. Put some of its other pictures into train, or leave the label out."
        )


class ConflictingLabels(BadData):
    """Too many pictures appear, byte for byte, under more than one label."""

    def __init__(self, names: Sequence[str], *, total: int, max_conflicting: float) -> None:
        super().__init__(
            f"{len(names)} of {total} pictures appear, byte for byte, under more than one label ({_some(names)}); "
            f"at most {max_conflicting:.0%} may. Decide for one label each and remove the other copies."
        )


# --- split ---


class SharesInvalid(UsageError):
    """The shares of train, validation and test cannot be met."""

    def __init__(self, shares: Sequence[float]) -> None:
        super().__init__(
            f"shares {', '.join(f'{share:g}' for share in shares)} of train, validation and test; expected three "
            "numbers of at least 0 with a train share above 0, such as 0.7,0.15,0.15."
        )


# --- caches ---


class CacheNotWritable(UsageError):
    """Features or hashes cannot be stored."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(
            f"{folder}: the cache cannot be written ({detail}). Free some space, or name another folder "
            "with --cache-dir."
        )


class CachePartDamaged(TrainerError):
    """A part of the cache is not what was written."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: damaged part of the cache ({detail}).")


class CacheDamaged(BadData):
    """Files in the cache are not what they promise."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{folder}: {len(names)} damaged files ({_some(names)}). No run uses them, what they held is computed "
            "again. `cache prune` removes them; if this happens often, check the disk."
        )


class FingerprintNotFound(UsageError):
    """--fingerprint names nothing in the cache, or more than one thing."""

    def __init__(self, fingerprint: str, choices: Sequence[str], *, found: int) -> None:
        what = f"begins {found} names" if found else "begins no name"
        listed = _some([name[:12] for name in choices], most=8) or "nothing"
        super().__init__(
            f"--fingerprint {fingerprint}: it {what} in this cache ({listed}); expected the first letters of one. "
            "`cache list` shows them."
        )


# --- backbones ---


class UnknownBackbone(UsageError):
    """There is no backbone of this name, or of these names.

    Attributes:
        names: that nobody knows.
        choices: that are known.
    """

    def __init__(self, *names: str, choices: Sequence[str]) -> None:
        self.names, self.choices = names, choices
        told, one = ", ".join(map(repr, names)), len(names) == 1
        pairs = " Two side by side can be compared, with `compare`, but not trained." if "+" in "".join(names) else ""
        known = f"choose {'one ' if one else ''}of {', '.join(choices)}"
        super().__init__(f"unknown backbone{'' if one else 's'} {told}; {known}.{pairs}")


class SeveralUnusable(UsageError):
    """Several of the things that were named cannot be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(["Some of what was named cannot be used:", *problems]))


class BackboneNotRecognised(UsageError):
    """A weights file fits no backbone, and its name does not begin with one."""

    def __init__(self, path: Path, *, choices: Sequence[str]) -> None:
        super().__init__(
            f"{path}: these weights fit no backbone that Finial knows. Name the architecture with --backbone, "
            f"one of {', '.join(choices)}."
        )


class WeightsMissing(UsageError):
    """The weights of a backbone are not to be had."""

    def __init__(self, backbone: str, *, file: str, folder: Path, detail: str) -> None:
        super().__init__(
            f"{backbone}: no weights ({detail}). Put {file} into {folder} (a machine with a network gets it there with "
            f"`python -m trainer backbones fetch {backbone}`), or name any weights file that fits with --weights FILE, "
            "or take `--backbone nano`, which is embedded and needs no download."
        )


class WeightsUnreadable(UsageError):
    """A weights file cannot be read, or holds something else than weights."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"{path}: {detail}. Expected a state dict of tensors: a .pth file that torch.load reads with "
            "weights_only=True, or a .safetensors file."
        )


class WeightsDamaged(UsageError):
    """A weights file is not the one that its name, or whoever recorded it, says."""

    def __init__(self, path: Path, *, expected: str, found: str) -> None:
        super().__init__(
            f"{path}: SHA-256 starts {found[:12]}, expected {expected[:12]}. The file was probably not copied whole; "
            "remove it and fetch or copy it again (or rename it, if it is meant to be another file)."
        )


class WeightsDoNotFit(UsageError):
    """The tensors in a weights file are not those of the backbone."""

    def __init__(self, path: Path, *, backbone: str, differences: Sequence[str], fits: str | None) -> None:
        advice = f"They fit {fits}: use --backbone {fits}" if fits else "They fit no other backbone of the catalogue"
        super().__init__(f"{path}: these weights do not fit {backbone}: {_some(differences, most=6)}. {advice}.")


# --- features ---


class SizeRefused(UsageError):
    """The backbone cannot take pictures of this size."""

    def __init__(self, backbone: str, side_px: int, *, takes: str) -> None:
        super().__init__(
            f"--image-size {side_px}: {backbone} takes {takes}. Leave --image-size out, or name another backbone."
        )


class NoMiddleStage(UsageError):
    """The backbone has no middle stage that could be read beside the penultimate features."""

    def __init__(self, backbone: str) -> None:
        super().__init__(
            f"--taps middle: {backbone} has no middle stage to be read. Use --taps none, or name another backbone."
        )


class TapUnusable(UsageError):
    """A stage that was named is not there, or what it gives are no maps."""

    def __init__(self, backbone: str, stage: str, detail: str) -> None:
        super().__init__(
            f"--taps {stage}: {detail} in {backbone}. Name a module whose output are maps (C, H, W), "
            "or use --taps middle or none."
        )


class PictureNoLongerUsable(BadData):
    """A picture that was featurised at the start of this run cannot be featurised again."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}. It could be used when this run began; leave the pictures alone meanwhile.")


# --- replay ---


class NothingFastEnough(UsageError):
    """No backbone answers as fast as was asked for."""

    def __init__(self, max_latency_ms: float, *, fastest: str, latency_ms: float) -> None:
        super().__init__(
            f"--max-latency {max_latency_ms:g}ms: the fastest here is {fastest} with {latency_ms:.1f} ms a request. "
            "Allow more, take --precision int8, or give the weights of a smaller backbone."
        )


class NothingToCompare(UsageError):
    """`--backbone auto` and `compare` found no backbone that they could look at."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"nothing to compare: {detail}. Fetch weights (`python -m trainer backbones fetch NAME`), name a file with "
            "--weights FILE, or leave out the option that no backbone goes with."
        )


class ChartNotWritable(UsageError):
    """The chart of `compare` cannot be written where it should be."""

    def __init__(self, out: Path, detail: str) -> None:
        super().__init__(
            f"--out {out}: nothing can be written there ({detail}). Make the folder {out.parent}, or name another. "
            "Nothing was computed."
        )


class ReplayWeightsMissing(UsageError):
    """The weights that an earlier run used are not those that were found."""

    def __init__(self, bundle: Path, *, backbone: str, source: str, sha256: str, found: Exception | str) -> None:
        super().__init__(
            f"{bundle}: it was trained with weights of {backbone} ({source}) whose SHA-256 is {sha256}; {found} "
            "Name the file that has it with --weights FILE."
        )


class ReplayRefused(UsageError):
    """What an earlier run sets, and what was given beside it, do not go together."""

    def __init__(self, bundle: Path, detail: str, *, from_bundle: Sequence[str]) -> None:
        taken = f" From the bundle: {', '.join(from_bundle)}." if from_bundle else ""
        super().__init__(
            f"--from {bundle}: {detail}.{taken} Give another value beside it, or leave out what does not go with it."
        )


# --- graph, parity ---


class ExportFailed(TrainerError):
    """A backbone could not be written as one self-contained ONNX graph."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the backbone cannot be exported to ONNX: {detail}. Choose another backbone or image size.")


class QuantisationFailed(UsageError):
    """The backbone's graph has no int8 form."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"--precision int8: this backbone cannot be quantised: {detail}. Use --precision float32.")


class ParityFailed(GateFailed):
    """PyTorch and ONNX Runtime do not agree on what a backbone gives."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"PyTorch and ONNX Runtime disagree: {detail}. Nothing was published. The weights or the versions of torch,"
            " onnx and onnxruntime do not go together; install the tested versions (requirements/tested.txt)."
        )


# --- featurize ---


class FeaturesLost(TrainerError):
    """Features or statistics that were just stored cannot be read back."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(
            f"{folder}: {count} rows that were just stored are missing or damaged. Check the disk, or name another "
            "folder with --cache-dir."
        )


# --- backbones verify ---


class NoClassesFound(BadData):
    """No picture's label or name is that of a class of the weights."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"none of {count} pictures names a class of the weights. Expected labels or file names such as 'tench', "
            "'n01440764_tench' or class indices '0' to '999'."
        )


# --- train ---


class SgdDiverged(UsageError):
    """The SGD head's numbers grew beyond all bounds."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"--head sgd: in epoch {epoch + 1} the head's numbers are no numbers any more. The steps are too large: "
            "lower --learning-rate, or let it grow slowly with --warmup-epochs 5."
        )


class MlnetOptionsInvalid(UsageError):
    """The file with ML.NET's options has one that ML.NET has not, or cannot be read."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"--mlnet-options {path}: {detail}. docs/coming-from-mlnet.md lists every option; mend the file, "
            "or leave --mlnet-options out."
        )


class TooFewForFolds(BadData):
    """A label's groups cannot be spread over folds; a cross-validation cannot hold it out."""

    def __init__(self, label: str, groups: int = 1) -> None:
        few = "a single group" if groups == 1 else f"{groups} groups, some shared with other labels,"
        super().__init__(
            f"the label {label!r} has {few} of pictures (one picture and its copies, or what --group-by keeps "
            "together), so no fold can hold it out and still learn it. Add pictures of it, group finer, or leave out "
            "--folds."
        )


class ModelsDirNotWritable(UsageError):
    """Bundles cannot be published where they should be."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(
            f"{folder}: bundles cannot be published here ({detail}). Name another folder with --models-dir, or make "
            "this one writable. Nothing was computed."
        )


class TooManyUnusable(BadData):
    """More pictures cannot be used than the limit allows."""

    def __init__(self, names_and_reasons: Sequence[tuple[str, str]], *, total: int, max_bad: float) -> None:
        named = _some([f"{name}: {reason.partition('. ')[0]}" for name, reason in names_and_reasons], most=3)
        super().__init__(
            f"{len(names_and_reasons)} of {total} pictures cannot be used ({named}); at most {max_bad:.0%} may. "
            "Mend or remove them, or raise --max-bad."
        )


# --- evaluate, predict ---


class UnknownLabels(BadData):
    """Pictures carry labels that the bundle was not trained on."""

    def __init__(self, unknown: Sequence[str], *, known: Sequence[str]) -> None:
        super().__init__(
            f"the bundle does not know the labels {_some(list(unknown))}; it knows {_some(list(known), most=12)}. "
            "Choose where labels come from with --labels folder, prefix or FILE, or leave these pictures out."
        )


class NothingSelected(UsageError):
    """None of the pictures was in the split that was asked for."""

    def __init__(self, data: str, *, split: str) -> None:
        super().__init__(
            f"{data}: none of these pictures was in the {split} split of the bundle's training. "
            "Leave out --only, or name the pictures that the bundle was trained on."
        )


class NothingToPredict(UsageError):
    """No picture was found where one was named."""


class NothingPredicted(BadData):
    """Pictures were found, and none of them can be read; what is wrong with each was said."""

    def __init__(self, count: int) -> None:
        what = "the one picture could not be used" if count == 1 else f"none of {count:,} pictures could be used"
        super().__init__(f"nothing was predicted: {what}. Each line above says what is wrong.")


# --- gates ---


class AccuracyTooLow(GateFailed):
    """The lower bound of the accuracy's interval is below what was asked for."""

    def __init__(self, *, low: float, accuracy: float, wanted: float, n: int) -> None:
        super().__init__(
            f"accuracy {accuracy:.4f} on {n} pictures is at least {low:.4f} with 95 % confidence; --min-accuracy asks "
            f"for {wanted:.4f}. Nothing was published. Add pictures (the interval narrows) or choose another backbone."
        )


class NothingToMeasure(GateFailed):
    """--min-accuracy was asked for, but there is neither a test split nor a cross-validation."""

    def __init__(self) -> None:
        super().__init__(
            "--min-accuracy needs a test split or a cross-validation, this run has neither. Nothing was published. "
            "Give the test split a share, or add pictures."
        )


class WorseThanCurrent(GateFailed):
    """--not-worse was asked for, and the new model is worse than the current one beyond chance."""

    def __init__(self, numbers: str) -> None:
        super().__init__(
            f"the new model is worse than the current one: {numbers}; --not-worse refuses what is below 5 %. Nothing "
            "was published. Look at what changed (train --from BUNDLE tells), or publish it without --not-worse."
        )


class NothingInCommon(GateFailed):
    """--not-worse was asked for, but too little was held out both by this run and by the one that is current."""

    def __init__(
        self, version: str, *, held_out_before: int, held_out: int = 0, unknown: int = 0, n: int = 0, groups: int = 0
    ) -> None:
        reason = f"none of the {held_out_before} pictures that it held out is among the {held_out} held out now"
        if not held_out_before:
            reason = (
                "it does not say what its held-out pictures were taken for (an earlier trainer made it, or it had none)"
            )
        elif not held_out:
            reason = "this run has neither a test split nor a cross-validation"
        elif n:
            apart = f" in {groups} group{'s' * (groups > 1)}" if groups < n else ""
            reason = f"both held out only {n} picture{'s' * (n > 1)}{apart}; of fewer than 5, chance explains any loss"
        elif unknown:
            reason = f"it knows the label of none of the {unknown} pictures that both held out"
        super().__init__(
            f"--not-worse cannot compare with the current version {version}: {reason}. Nothing was published. Keep "
            "--split and --seed as they were, or publish once without --not-worse; later runs are compared with that."
        )


class CurrentUnreadable(GateFailed):
    """--not-worse was asked for, but the current bundle cannot be read."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"--not-worse cannot compare with the current version: {detail} Nothing was published. Repair it, roll "
            "back, or publish without --not-worse."
        )


class BundleFailsItsCheck(GateFailed):
    """The bundle that was just written does not pass the check that a service makes when it loads it."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the new bundle fails its own check: {detail} Nothing was published.")


def _some(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
