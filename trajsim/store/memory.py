"""Files in memory that h5py writes to: HDF5 itself never writes to a disk that may be full."""


class Memory:
    """File object for h5py in memory that is reused for the next file.

    HDF5's own files in memory must be copied to get their bytes, and allocating both copies takes
    longer than filling them.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = self._size = 0

    def clear(self, room: int) -> None:
        """Start an empty file of at most some `room` bytes."""
        self._at = self._size = 0
        self._reserve(room)

    def image(self) -> memoryview:
        """The file; valid until it is cleared."""
        return memoryview(self._bytes)[: self._size]

    def _reserve(self, size: int) -> None:
        if size > len(self._bytes):
            self._bytes.extend(bytes(size - len(self._bytes)))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Like `seek` of a file."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """Like `tell` of a file."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Like `truncate` of a file; new bytes are 0."""
        size = self._at if size is None else size
        self._reserve(size)
        if size > self._size:
            self._bytes[self._size : size] = bytes(size - self._size)
        self._size = size
        return size

    def write(self, data: memoryview) -> int:
        """Like `write` of a file."""
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
        """Like `readinto` of a file."""
        count = max(0, min(len(into), self._size - self._at))
        into[:count] = self._bytes[self._at : self._at + count]
        self._at += count
        return count

    def read(self, size: int = -1) -> bytes:
        """Like `read` of a file."""
        end = self._size if size < 0 else min(self._size, self._at + size)
        data = bytes(self._bytes[self._at : end])
        self._at += len(data)
        return data

    def flush(self) -> None:
        """Nothing is buffered."""


class Journal:
    """File object for h5py that stores what is written as pieces, without memory for holes.

    Attributes
    ----------
    pieces : (offset, bytes) in the order in which they were written
    size : of the file
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.size = self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Like `seek` of a file."""
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        """Like `tell` of a file."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Like `truncate` of a file; HDF5 writes nothing beyond the last size."""
        self.size = self._at if size is None else size
        return self.size

    def write(self, data: memoryview) -> int:
        """Like `write` of a file."""
        self.pieces.append((self._at, bytes(data)))
        self._at += len(data)
        self.size = max(self.size, self._at)
        return len(data)

    def readinto(self, into: memoryview) -> int:
        """Like `readinto` of a file."""
        data = self.read(len(into))
        into[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Like `read` of a file; holes are zeros."""
        begin = self._at
        end = self.size if size < 0 else min(self.size, begin + size)
        data = bytearray(max(0, end - begin))
        for offset, piece in self.pieces:
            first, last = max(offset, begin), min(offset + len(piece), end)
            if first < last:
                data[first - begin : last - begin] = piece[first - offset : last - offset]
        self._at += len(data)
        return bytes(data)

    def flush(self) -> None:
        """Nothing is buffered."""
