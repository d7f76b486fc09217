"""What stands on a line cannot be read as something else."""

import pytest

from counterfoil.cli.output import in_unit


@pytest.mark.parametrize("unit", ["credits", "EUR", "api_calls", "GPU-hours", "$", "%", "kWh/month"])
def test_a_unit_stands_behind_its_amount(unit):
    assert in_unit("490", unit) == f"490 {unit}"


@pytest.mark.parametrize("unit", ["000", ",000", ".5", "e3", "E3", "-1", "'000", "(000)"])
def test_a_unit_that_may_be_read_as_more_of_the_amount_stands_in_quotes(unit):
    assert in_unit("490", unit) == f'490 "{unit}"'


def test_a_unit_of_quotes_is_escaped():
    assert in_unit("490", 'a"b') == '490 "a\\"b"'
