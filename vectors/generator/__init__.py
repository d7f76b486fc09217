"""The generator of the test vectors: a slow, obvious reference and the cases that are made with it.

It shares no code with `counterfoil`.  Trees follow the recursive definitions of RFC 6962 word for word, signatures
come from PyNaCl, canonical JSON from `rfc8785`.  Run it with `python vectors/generate.py`.
"""
