"""Test vectors and the runner that holds any implementation to them.

Nothing here knows how a rule is decided: this package imports neither `core` nor what stands above it, so that it
judges our implementation as it judges everybody's.

Source: docs/spec/conformance.md.
"""
