"""`python -m counterfoil` is the command `counterfoil`."""

from counterfoil.cli.main import main

main()
