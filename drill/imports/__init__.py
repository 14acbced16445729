"""Results of other load tools made into records that this harness judges: one tool a file, and marks from elsewhere.

A file is read as it stands and nothing is guessed: what a tool does not write (when a request was due, what survived) stays
unknown, and the judgement says so. docs/import.md tells for each tool what can be proved from its file.
"""
