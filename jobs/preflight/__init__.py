"""What a person should know before a host is touched: conditions read in one go, ports probed, and named checks."""
