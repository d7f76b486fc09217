"""The decisions: record, checkpoint, prove, verify, audit.  Knows no SQL, no HTTP and no command line."""
