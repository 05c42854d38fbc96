"""The generation number that the workers of one service share in memory.

Each worker writes only its own place, and the newest of all places is in force, so no lock is needed and no
write is lost. A place is 8 aligned bytes: a reader never sees half a number.
"""

from array import array
from collections.abc import MutableSequence


class Generations:
    """What each worker has seen of the store.

    Args:
        places: One unsigned 64-bit integer for each worker, in memory that all of them share.
        mine: The index of this worker's.
    """

    def __init__(self, places: MutableSequence[int] | None = None, mine: int = 0) -> None:
        self._places = array("Q", [0]) if places is None else places
        self._mine = mine

    def newest(self) -> int:
        """Return the newest generation that any worker has seen."""
        return max(self._places)

    def saw(self, generation: int) -> None:
        """Tell the others that the store has come to ``generation``."""
        self._places[self._mine] = generation
