"""Show operators what Imker does: log lines, Prometheus metrics, and health over HTTP."""
