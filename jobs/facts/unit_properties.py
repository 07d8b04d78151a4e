"""Parse the properties of a systemd unit. Pure."""


def parse_properties(text: str) -> dict[str, str]:
    """Parse `systemctl show`, KEY=VALUE in each line. Values of a repeated key are joined with newlines."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values[key] = f"{values[key]}\n{value}" if key in values else value
    return values
