"""Files in memory that h5py writes to: HDF5 itself never meets a disk that is full or broken."""


class Memory:
    """What h5py asks of a file object, over memory that stays when the file is written anew.

    HDF5's own files in memory are copied to get at their bytes, and both copies are fresh memory,
    which takes longer to come by than to fill.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = self._size = 0

    def clear(self, room: int) -> None:
        """Begin an empty file; `room` bytes will do for it."""
        self._at = self._size = 0
        self._reserve(room)

    def image(self) -> memoryview:
        """The file; good until it is cleared."""
        return memoryview(self._bytes)[: self._size]

    def _reserve(self, size: int) -> None:
        if size > len(self._bytes):
            self._bytes.extend(bytes(size - len(self._bytes)))

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """As of a file."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """As of a file: what it grows by is zero."""
        size = self._at if size is None else size
        self._reserve(size)
        if size > self._size:
            self._bytes[self._size : size] = bytes(size - self._size)
        self._size = size
        return size

    def write(self, data: memoryview) -> int:
        """As of a file."""
        if len(data) == 0:
            return 0
        end = self._at + len(data)
        if self._at > self._size:
            self.truncate(self._at)
        self._reserve(end)
        self._bytes[self._at : end] = data
        self._at, self._size = end, max(self._size, end)
        return len(data)

    def readinto(self, into: memoryview) -> int:
        """As of a file."""
        count = max(0, min(len(into), self._size - self._at))
        into[:count] = self._bytes[self._at : self._at + count]
        self._at += count
        return count

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        end = self._size if size < 0 else min(self._size, self._at + size)
        found = bytes(self._bytes[self._at : end])
        self._at += len(found)
        return found

    def flush(self) -> None:
        """As of a file: nothing is held back."""


class Journal:
    """What h5py asks of a file object; what is written is kept piece by piece, holes take no room.

    Attributes
    ----------
    pieces : (offset, bytes) in the order in which they were written
    size : of the file
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.size = self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        """As of a file."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """As of a file; HDF5 writes nothing beyond the size that it asks for last."""
        self.size = self._at if size is None else size
        return self.size

    def write(self, data: memoryview) -> int:
        """As of a file."""
        self.pieces.append((self._at, bytes(data)))
        self._at += len(data)
        self.size = max(self.size, self._at)
        return len(data)

    def readinto(self, into: memoryview) -> int:
        """As of a file."""
        found = self.read(len(into))
        into[: len(found)] = found
        return len(found)

    def read(self, size: int = -1) -> bytes:
        """As of a file: holes read as zeros."""
        begin = self._at
        end = self.size if size < 0 else min(self.size, begin + size)
        found = bytearray(max(0, end - begin))
        for at, piece in self.pieces:
            first, last = max(at, begin), min(at + len(piece), end)
            if first < last:
                found[first - begin : last - begin] = piece[first - at : last - at]
        self._at += len(found)
        return bytes(found)

    def flush(self) -> None:
        """As of a file: nothing is held back."""
