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


def format_seconds(seconds: float) -> str:
    """Return "41 s", "2 min 5 s"."""
    rounded = max(0, round(seconds))
    return f"{rounded // 60} min {rounded % 60} s" if rounded >= 60 else f"{rounded} s"
