"""What a world is planted with: nothing, unless it is to show that a bug would be found."""

from contextlib import contextmanager


class Plant:
    """No bug.

    Attributes:
        promises: those of which one is broken by it.
        exact_clock: whether times are held against the very reading of the clock; where that would give the bug away
            at once, the promises that users rely on have to do it.
    """

    promises = ()
    exact_clock = True

    @contextmanager
    def patched(self, _world):
        """Change the engine while a world runs."""
        yield

    def store(self, _process, store):
        """Return the store that a process works with."""
        return store


class Changed:
    """A store or a transaction of which some methods are others."""

    def __init__(self, inner, **methods):
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def with_write(store, write):
    """Return the store with another `write()`: a generator, given the store as it was."""
    return Changed(store, write=contextmanager(lambda: write(store)))
