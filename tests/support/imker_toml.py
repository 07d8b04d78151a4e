"""Provide a valid configuration in two parts. `{folder}` holds the files that it names."""

VALID_CONFIG = """
[slack]
channels = ["C01OPS"]
[rights]
change = ["U01ALICE"]
accept = ["U02BOB"]
"""
HOST_CONFIG = """
[inventory]
known_hosts = "{folder}/known_hosts"
[hosts.kaditz]
address = "198.18.0.39"
ssh_key = "{folder}/key"
tls = "{folder}"
"""
