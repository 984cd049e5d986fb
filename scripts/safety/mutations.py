"""Break files of every format that is read: nothing worse than a refusal may come.

Each broken file is opened in a process of its own, whose memory is limited and which is
ended after some seconds. What is allowed: it is read, or a `ResultsError` says why not.
What is a fault: any other exception, a signal, a hang, memory over the limit, and other
voxels than nibabel reads. The same seed breaks the same files in the same way:

    python mutations.py --images 1500 --texts 500
    python mutations.py --only nii.gz --from 731 --images 732 --keep /tmp/broken

Linux and macOS; limits on memory are Linux's.
"""

from __future__ import annotations

import os

# One thread: a forked process has no others, and those of BLAS reserve memory.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import argparse
import ctypes
import gc
import json
import random
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from mutated_images import Format, check_causes, compressed, image_formats
from mutated_texts import text_formats

from napari_neurosynth_results.errors import ResultsError

MIB = 1 << 20
#: Of glibc's malloc.h.
_M_ARENA_MAX = -8
_NUMBERS = (
    *(0, 1, -1, 2, 4, 7, 8, 127, 128, 255, 256, 348, 352, 540, 1000, 16384, 32767),
    *(65535, 2**24, 2**31 - 1, -(2**31), 2**32, 2**62, 2**63 - 1, -(2**63)),
    *(0.5, -0.5, 1e-45, 1e10, 1e38, float("nan"), float("inf"), float("-inf")),
)
_WORDS = (
    *("\0", "\ufeff", "\u202e", "\u2028", "\r", "\n", "\t", " ", '"', "'", "{", "}"),
    *("[", "]", "\\", "%", "$", "&", "#", ",", ";", "=", "@", "<", ">", "-", "NaN"),
    *("1e999", "-1", "0", "9" * 400, "null", "true", "[]", "{}", '""', "\\ud800"),
    *("\\href", "\\begin{", "\\citep{", "@article{", "//", "../", "~", "file://"),
    *("&amp;", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "=cmd()", "\U0001f9e0", "e\u0301"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, [], {}, "", 0, -1, 1e308, 2**63, 10**400, "1e999", "\ud800", "\0"),
    *([[]] * 3, {"a": {"b": []}}, "x" * 30_000, "../../x", float("nan"), ["a"], [None]),
)
#: So often a piece may be repeated: what takes its square is a hang.
_TIMES = (2, 3, 10, 100, 1000, 20_000)
_MOST = 4 << 20
#: Where a file costs no disk, if there is such a place.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# --- how a file is broken -------------------------------------------------------------


def broken(form: Format, dice: random.Random) -> dict[str, bytes]:
    """Return a seed of a format with one of its files broken, in some ways."""
    files = dict(dice.choice(form.seeds))
    endings = form.broken or ("",)
    ending = dice.choice(endings)
    name = dice.choice([one for one in sorted(files) if one.endswith(ending)])
    raw = files[name]
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if form.text and dice.random() < 0.8:
            raw = _broken_text(raw, dice)
        elif not form.text and dice.random() < 0.5:
            raw = _edited(raw, dice)
        else:
            raw = _damaged(raw, dice)
    for one in files:
        if form.zipped and one.endswith(form.zipped):
            content = raw if one == name else files[one]
            packed = compressed(content, dice.choice((0, 1, 9)))
            raw = _damaged(packed, dice) if dice.random() < 0.2 else packed
    return files | {name: raw[:_MOST]}


def _edited(raw: bytes, dice: random.Random) -> bytes:
    """Set a number of the header, or of what begins like one, to an extreme."""
    kind = dice.choice(("h", "i", "q", "f", "d", "B"))
    size = struct.calcsize(kind)
    most = min(len(raw), 700) - size
    if most < 0:
        return raw
    at = dice.randrange(most + 1) // size * size
    value = dice.choice(_NUMBERS)
    if kind not in "fd":
        whole = int(value) if value == value and abs(value) < 1e300 else 0
        bits = 8 * size
        value = whole % 2**bits
        value -= 2**bits * (kind != "B" and value >= 2 ** (bits - 1))
    try:
        packed = struct.pack(dice.choice("<>") + kind, value)
    except OverflowError:
        packed = struct.pack("<" + kind, 0)
    return raw[:at] + packed + raw[at + size :]


def _damaged(raw: bytes, dice: random.Random) -> bytes:
    """Flip, cut, insert, overwrite, drop, repeat or append bytes."""
    size = len(raw) or 1
    places = (dice.randrange(size), dice.randrange(min(size, 560)), size - 1)
    at = max(0, dice.choice(places) - dice.choice((0, 0, dice.randrange(64))))
    some = dice.randbytes(dice.choice((1, 4, 40)))
    length = dice.choice((1, 2, 8, 100, 600))
    match dice.randrange(7):
        case 0:
            return raw[:at] + bytes([raw[at] ^ some[0]]) + raw[at + 1 :] if raw else raw
        case 1:
            return raw[:at]
        case 2:
            return raw[:at] + some + raw[at:]
        case 3:
            return raw[:at] + some + raw[at + len(some) :]
        case 4:
            return raw[:at] + raw[at + length :]
        case 5:
            times = min(dice.choice(_TIMES), _MOST // length)
            return raw[:at] + raw[at : at + length] * times + raw[at:]
        case _:
            return raw + some


def _broken_text(raw: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.5:
        try:
            return _broken_json(json.loads(raw), dice)
        except (ValueError, RecursionError):
            pass
    text = raw.decode("utf-8", "surrogateescape")
    at = dice.randrange(len(text) + 1)
    word = dice.choice(_WORDS)
    lines = text.splitlines(keepends=True) or [""]
    row = dice.randrange(len(lines))
    times = min(dice.choice(_TIMES), _MOST // max(1, len(lines[row]), len(word)))
    match dice.randrange(7):
        case 0:
            text = text[:at] + word + text[at:]
        case 1:
            text = text[:at] + word * times + text[at:]
        case 2:
            text = text[:at] + word + text[at + dice.choice((1, 5, 50)) :]
        case 3:
            text = "".join([*lines[:row], *[lines[row]] * times, *lines[row + 1 :]])
        case 4:
            text = "".join(lines[:row] + lines[row + 1 :])
        case 5:
            dice.shuffle(lines)
            text = "".join(lines)
        case _:
            mark = dice.choice("\t,;\n{}[]()\"'=: ")
            text = text.replace(mark, word, dice.choice((1, -1)))
    coding = dice.choice(("utf-8",) * 8 + ("utf-16", "latin-1"))
    errors = "surrogateescape" if coding == "utf-8" else "replace"
    return text.encode(coding, errors)[:_MOST]


def _broken_json(value: Any, dice: random.Random) -> bytes:
    """Put something else for a part of a document, or leave it out."""
    places = list(_places(value))
    if not places:
        return json.dumps(dice.choice(_VALUES)).encode()
    holder, key = dice.choice(places)
    match dice.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder += [holder[key]] * dice.choice(_TIMES[:5])
        case 1:
            holder[f"{key}{dice.choice(_WORDS)}"] = holder[key]
        case 2:
            other, at = dice.choice(places)
            # As text, because a part within itself has no end.
            holder[key] = json.loads(
                json.dumps(other.get(at) if isinstance(other, dict) else None)
            )
        case _:
            holder[key] = dice.choice(_VALUES)
    text = json.dumps(value)
    if dice.random() < 0.1:
        deep = dice.choice((50, 900, 100_000))
        text = text.replace("null", "[" * deep + "]" * deep, 1)
    return text.encode("utf-8", "surrogatepass")[:_MOST]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    found = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in list(found):
        yield value, key
        yield from _places(inner)


# --- what comes of it -----------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of one broken file.

    Attributes
    ----------
    said : str
        ``read``, ``refused`` ..., or what went wrong.
    fault : str
        Empty when all is well; else what is not allowed.
    seconds : float
        Of the processor.
    mib : float
        Memory beyond that of a process that opens nothing.
    """

    said: str
    fault: str = ""
    seconds: float = 0.0
    mib: float = 0.0


@dataclass(frozen=True)
class Limits:
    """What a process may take: MiB of address space more, and seconds."""

    mib: int = 512
    seconds: float = 10.0


def _space() -> int:
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _in_child(form: Format, folder: Path, pipe: int, limits: Limits) -> None:
    """Open what is in a folder, tell what came of it, and end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    if sys.platform == "linux":
        # Else each thread reserves 64 MiB of addresses, which is no memory.
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        most = _space() + limits.mib * MIB
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    said, fault = "refused", ""
    try:
        said = form.open(folder)
    except ResultsError as error:
        try:
            check_causes(error)
        except MemoryError:
            fault = "memory, called a broken file\n" + traceback.format_exc()
    except MemoryError:
        fault = "memory\n" + traceback.format_exc()
    except BaseException:
        fault = traceback.format_exc()
    os.write(pipe, json.dumps([said, fault[-6000:]]).encode())
    os._exit(0)


def open_broken(form: Format, files: Mapping[str, bytes], limits: Limits) -> Outcome:
    """Open a broken file in a process of its own."""
    outer = Path(tempfile.mkdtemp(prefix="mutation-", dir=_MEMORY))
    folder = outer / "result"
    try:
        _write(files, folder)
        return _watch(form, folder, limits)
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _waited(process: int) -> float:
    """Return for how many seconds a process had no processor, because others had it."""
    try:
        with open(f"/proc/{process}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


def _watch(form: Format, folder: Path, limits: Limits) -> Outcome:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _in_child(form, folder, theirs, limits)
        finally:
            os._exit(99)
    os.close(theirs)
    told = b""
    start = time.monotonic()
    hang = False
    while True:
        # On a machine that others use too it is given what they took from it.
        left = start + limits.seconds + _waited(child) - time.monotonic()
        if left > 0 and not select.select([ours], [], [], left)[0]:
            continue
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            hang = True
            break
        piece = os.read(ours, 1 << 16)
        if not piece:
            break
        told += piece
    os.close(ours)
    _, status, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    kib = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    if hang:
        return Outcome("", f"no answer in {limits.seconds:g} s", seconds, kib / 1024)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return Outcome("", f"the process died of {name}", seconds, kib / 1024)
    if not told:
        return Outcome("", "the process ended without a word", seconds, kib / 1024)
    said, fault = json.loads(told)
    return Outcome(said, fault, seconds, kib / 1024)


def try_format(
    name: str, form: Format, numbers: range, seed: int, limits: Limits, keep: str = ""
) -> dict[str, Any]:
    """Break files of one format; say what came of them.

    Returns
    -------
    dict
        ``said`` (how often), ``faults`` (number of the file -> what happened), the most
        seconds and MiB that one took.
    """
    said: Counter[str] = Counter()
    faults: dict[int, str] = {}
    most = [0.0, 0.0]
    idle = _watch(Format((), (), lambda folder: "idle"), Path(), limits).mib
    for number in numbers:
        files = broken(form, random.Random(f"{seed} {name} {number}"))
        outcome = open_broken(form, files, limits)
        most = [max(most[0], outcome.seconds), max(most[1], outcome.mib - idle)]
        said[outcome.said or "fault"] += 1
        if outcome.fault:
            faults[number] = outcome.fault
            if keep:
                _write(files, Path(keep, f"{name}-{number}"))
    return {
        "tried": len(numbers),
        "said": dict(said.most_common()),
        "faults": faults,
        "most_seconds": round(most[0], 2),
        "most_mib": round(most[1], 1),
    }


def open_whole(form: Format) -> None:
    """Open the seeds of a format as they are, which has to work.

    In this process, which has then loaded what those for broken files need.
    """
    for seed in form.seeds:
        with tempfile.TemporaryDirectory() as outer:
            folder = Path(outer, "result")
            files = {
                name: compressed(raw, 1) if form.zipped else raw
                for name, raw in seed.items()
            }
            _write(files, folder)
            with suppress(ResultsError):  # surfaces, which are named
                form.open(folder)
    gc.collect()
    gc.freeze()


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main(arguments: list[str] | None = None) -> int:
    """Break files, print what came of them, and return 1 if anything was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1500, metavar="N")
    parser.add_argument("--texts", type=int, default=500, metavar="N")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", nargs="*", default=[], metavar="FORMAT")
    parser.add_argument("--mib", type=int, default=Limits().mib)
    parser.add_argument("--seconds", type=float, default=Limits().seconds)
    parser.add_argument("--keep", default="", metavar="DIR", help="keep what fails")
    parser.add_argument("--json", metavar="FILE", help="write all that was found")
    options = parser.parse_args(arguments)
    limits = Limits(options.mib, options.seconds)
    print(json.dumps(asdict(limits) | {"seed": options.seed}))
    images = image_formats() if options.images else {}
    asks_texts = options.texts and not (
        options.only and set(options.only) <= set(images)
    )
    formats = images | (text_formats() if asks_texts else {})
    wanted = options.only or list(formats)
    found: dict[str, Any] = {}
    n_faults = 0
    for name in wanted:
        form = formats[name]
        open_whole(form)
        count = options.texts if form.text else options.images
        numbers = range(options.first, max(options.first, count))
        got = try_format(name, form, numbers, options.seed, limits, options.keep)
        found[name] = got
        n_faults += len(got["faults"])
        said = ", ".join(f"{n} {what}" for what, n in got["said"].items())
        print(
            f"{name}: {got['tried']} tried: {said}; {len(got['faults'])} faults; at "
            f"most {got['most_seconds']} s and {got['most_mib']} MiB more",
            flush=True,
        )
        for number, fault in list(got["faults"].items())[:5]:
            print(f"  {number}: {fault.strip().splitlines()[-1][:200]}", flush=True)
    total = sum(one["tried"] for one in found.values())
    print(f"{total} files of {len(found)} formats, {n_faults} faults")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))
    return bool(n_faults)


if __name__ == "__main__":
    sys.exit(main())
