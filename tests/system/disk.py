"""What a disk may hold after a power cut, from a trace of the calls that changed it.

The model, which is harsher than most file systems:

- What was written to a file, or cut off from it, is surely there once that file was synced.  Before that, each
  512-byte sector and each truncation is there or is not, in any combination.
- A name that was made, moved or removed is surely so once its folder was synced, to sync the file is not enough.
  Before that, the names are as they were at some moment since, in the order of the calls.
"""

import hashlib
import random
import re
from typing import NamedTuple

SECTOR_BYTES = 512
# The calls that the model understands; what else would change files must not stand in a trace unnoticed.
CALLS = (
    "openat", "?open", "?creat", "write", "writev", "pwrite64", "pwritev", "fsync", "fdatasync", "ftruncate", "?truncate", "fallocate", "?rename",
    "?renameat", "renameat2", "?link", "linkat", "?unlink", "unlinkat", "?mkdir", "mkdirat", "?rmdir", "copy_file_range", "sync_file_range", "sendto",
)  # fmt: skip
# With these options strace names files, not their numbers alone, and writes all bytes out.
OPTIONS = ("-y", "-xx", "-s", str(1 << 20))

_CALL = re.compile(r"\d+ +(?P<name>\w+)\((?P<arguments>.*)\) = (?P<result>-?\d+)")
_FILE = re.compile(r"\d+<((?:\\x[0-9a-f]{2})*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Call(NamedTuple):
    """A call that went well.

    Attributes:
        name: without what varies between machines: `rename` for all its kinds.
        file: the name of the file that was written or synced.
        texts: further names, or the bytes that were written.
        number: the last argument, an offset or a length.
        flags: all arguments, as they stand.
    """

    name: str
    file: str
    texts: list[bytes]
    number: int
    flags: str


def calls_in(trace):
    """Yield the calls of a trace, in order."""
    for line in trace:
        match = _CALL.match(line)
        if match is None:
            assert line.split()[1] in {"+++", "---"}, line
            continue
        if int(match["result"]) < 0:
            continue
        arguments = match["arguments"]
        name = re.sub("(at2?|64)$", "", match["name"])
        file = _FILE.match(arguments)
        texts = [_decoded(text) for text in _TEXT.findall(arguments)]
        last = arguments.rpartition(", ")[2]
        yield Call(
            name,
            _decoded(file[1]).decode() if file else "",
            texts,
            int(last) if last.isdecimal() else 0,
            arguments,
        )


def _decoded(text):
    return bytes.fromhex(text.replace("\\x", ""))


class _File:
    def __init__(self, content=b""):
        self.synced = content
        self.content = bytearray(content)
        self.pending = []

    def write(self, offset, data):
        self._put(self.content, offset, data)
        end = offset + len(data)
        while offset < end:
            border = min(end, (offset // SECTOR_BYTES + 1) * SECTOR_BYTES)
            piece, data = data[: border - offset], data[border - offset :]
            self.pending.append((offset, piece))
            offset = border

    def truncate(self, size):
        self._put(self.content, size, None)
        self.pending.append((size, None))

    def sync(self):
        self.synced = bytes(self.content)
        self.pending = []

    def image(self, chosen):
        content = bytearray(self.synced)
        for offset, data in self.pending:
            if chosen():
                self._put(content, offset, data)
        return bytes(content)

    @staticmethod
    def _put(content, offset, data):
        content.extend(bytes(max(0, offset - len(content))))
        if data is None:
            del content[offset:]
        else:
            content[offset : offset + len(data)] = data


_FOLDER = None


class Disk:
    """A folder on a disk that does what it is told, and forgets what it need not remember."""

    def __init__(self, home):
        """Begin with a folder as it is, all of it synced."""
        self._home = f"{home}/"
        self._names = {
            str(path.relative_to(home)): _FOLDER if path.is_dir() else _File(path.read_bytes())
            for path in sorted(home.rglob("*"))
        }
        self._synced = dict(self._names)
        self._moves = []

    def do(self, call):
        """Take a call; return whether it may have changed anything."""
        if call.name in {"open", "mkdir", "rename", "unlink", "rmdir"}:
            names = [text.decode() for text in call.texts]
            return any(map(self._is_ours, names)) and self._name(
                call, [name.removeprefix(self._home) for name in names]
            )
        if self._is_ours(call.file):
            return self._change(call, self._names.get(call.file.removeprefix(self._home)))
        if f"{call.file}/" == self._home:
            self._sync_names()
            return True
        return False

    def least(self):
        """Return the least that may be left: name -> bytes, None for a folder."""
        return self._image(0, lambda: False)

    def most(self):
        """Return all that was done, in the same form."""
        return self._image(len(self._moves), lambda: True)

    def by_chance(self, rng):
        """Return something in between: often nearly the least, or nearly all."""
        share = rng.random()
        return self._image(rng.randint(0, len(self._moves)), lambda: rng.random() < share)

    def _image(self, moves, chosen):
        names = dict(self._synced)
        for move in self._moves[:moves]:
            _move(names, *move)
        return {name: file if file is _FOLDER else file.image(chosen) for name, file in names.items()}

    def _is_ours(self, name):
        return name.startswith(self._home)

    def _name(self, call, names):
        if call.name == "open":
            if "O_CREAT" not in call.flags or names[0] in self._names:
                assert "O_TRUNC" not in call.flags
                return False
            names = [names[0], _File()]
        elif call.name == "mkdir":
            names.append(_FOLDER)
        move = (call.name, *names)
        _move(self._names, *move)
        self._moves.append(move)
        return True

    def _change(self, call, file):
        if call.name in {"fsync", "fdatasync"}:
            if file is _FOLDER:
                self._sync_names()
            else:
                file.sync()
        elif call.name == "write":
            # Files that are not written at a place are new ones, written from their beginning.
            file.write(len(file.content), call.texts[0])
        elif call.name == "pwrite":
            file.write(call.number, call.texts[0])
        else:
            assert call.name == "ftruncate", call.name
            file.truncate(call.number)
        return True

    def _sync_names(self):
        # One journal for all folders of a file system: what was done before is done, too.
        self._synced = dict(self._names)
        self._moves = []


def _move(names, kind, name, other=None):
    if kind in {"open", "mkdir"}:
        names[name] = other
    elif kind == "rename":
        for moved in [each for each in names if each == name or each.startswith(f"{name}/")]:
            names[other + moved.removeprefix(name)] = names.pop(moved)
    else:
        del names[name]


def images(home, trace, seed, count):
    """Yield what a power cut may leave after each call of a trace: how many answers were sent by then, and an image.

    Each of the least and of everything that may be left, and so many by chance; each image once for every number of answers.
    """
    disk = Disk(home)
    rng = random.Random(seed)  # noqa: S311  -- the same images each time
    answers, seen = 0, set()
    for call in calls_in(trace):
        if call.name == "sendto":
            answers, seen = answers + 1, set()
        elif not disk.do(call):
            continue
        for image in (disk.least(), disk.most(), *(disk.by_chance(rng) for _ in range(count))):
            digest = hashlib.blake2b(repr(sorted(image)).encode())
            for name in sorted(image):
                digest.update(image[name] or b"")
            if digest.digest() not in seen:
                seen.add(digest.digest())
                yield answers, image


def lay_out(image, folder):
    """Write an image into a new folder."""
    folder.mkdir()
    for name, content in sorted(image.items()):
        path = folder / name
        if content is None:
            path.mkdir(mode=0o700)
        else:
            path.write_bytes(content)
            path.chmod(0o600)
    return folder
