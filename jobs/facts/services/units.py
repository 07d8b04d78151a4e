"""Format amounts of memory and processors. Pure."""

UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def format_memory(size: int) -> str:
    """Return "2 GiB", "1.5 GiB", "300 MiB"."""
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} B"


def format_cpus(nano_cpus: int) -> str:
    """Return "0.5", "2"."""
    return f"{nano_cpus / 1e9:.2f}".rstrip("0").rstrip(".")
