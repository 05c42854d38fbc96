"""The command line. Answers are one JSON line on stdout; words for people go to stderr."""
