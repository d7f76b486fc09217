"""Counterfoil: receipts anybody can verify, for usage and balance records."""

__version__ = "0.1.0"
