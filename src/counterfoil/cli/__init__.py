"""The command line: one module a topic, each loaded when one of its commands is called."""
