"""The package's face: its example runs, and every public name is there."""

import doctest

import counterfoil


def test_the_example_in_the_package_docstring_runs():
    result = doctest.testmod(counterfoil)
    assert result.attempted > 5
    assert result.failed == 0


def test_every_public_name_can_be_had():
    for name in counterfoil.__all__:
        assert getattr(counterfoil, name) is not None
