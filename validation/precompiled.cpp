// Nothing: a target needs a file, and test_headers holds the headers that all tests precompile.
