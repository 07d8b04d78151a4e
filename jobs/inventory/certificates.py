"""Check TLS files: their expiry, their permissions, and that key and certificate match.

In: a host's folder with ca.pem, cert.pem, and key.pem. Out: findings, which never include a key.
"""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from imker.protocol.values import Finding

EXPIRY_WARN_DAYS = 30  # days before a certificate's expiry from which it is a warning
RENEW_HINT = "Renew it with the fleet's CA, for the Engine and for Imker, then restart the Engine."


def check_certificates(host: str, folder: Path, now: datetime) -> tuple[Finding, ...]:
    """Check a host's TLS folder. `now`: with a time zone."""
    try:
        ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        client_certificate = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
        key_matches = _key_matches(client_certificate, (folder / "key.pem").read_bytes())
    except (OSError, ValueError, TypeError) as error:
        text = f"cannot be read ({type(error).__name__})"
        return (Finding(f"TLS of {host}", "block", text, f"Check ca.pem, cert.pem, and key.pem in {folder}."),)
    findings = [
        _check_expiry(host, name, certificate, now)
        for name, certificate in (("ca.pem", ca), ("cert.pem", client_certificate))
    ]
    if not key_matches:
        text = "key.pem does not match cert.pem"
        findings.append(Finding(f"TLS of {host}", "block", text, f"Put the matching pair into {folder}."))
    if (folder / "key.pem").stat().st_mode & 0o077:
        findings.append(
            Finding(
                f"TLS of {host}", "warn", "key.pem is readable by other users", f"Run: chmod 600 {folder / 'key.pem'}"
            )
        )
    return tuple(findings)


def ending_certificates(folder: Path, before: float) -> dict[str, float]:
    """Return the certificates of a host's TLS folder that end before this time, by file. Both in UNIX seconds."""
    ends = {name: _end_of(folder / name) for name in ("ca.pem", "cert.pem")}
    return {name: end for name, end in ends.items() if end is not None and end < before}


def _end_of(path: Path) -> float | None:
    """Return when the certificate ends, None if it cannot be read: the doctor says so."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None


def _check_expiry(host: str, name: str, certificate: x509.Certificate, now: datetime) -> Finding:
    """Return a finding about the certificate's validity period. `now`: with a time zone."""
    end = certificate.not_valid_after_utc
    day, days_left = end.strftime("%Y-%m-%d"), (end - now).days
    if end <= now:
        return Finding(f"TLS of {host}", "block", f"{name} expired on {day}", RENEW_HINT)
    if certificate.not_valid_before_utc > now:
        begin = certificate.not_valid_before_utc.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
        hint = "Check the clocks of this machine and of the one that created the certificate."
        return Finding(f"TLS of {host}", "block", f"{name} is not valid before {begin} UTC", hint)
    level = "warn" if days_left < EXPIRY_WARN_DAYS else "pass"
    return Finding(f"TLS of {host}", level, f"{name} expires on {day}", RENEW_HINT if level == "warn" else "")  # type: ignore[arg-type]


def _key_matches(certificate: x509.Certificate, key: bytes) -> bool:
    public = load_pem_private_key(key, None).public_key()
    key_format = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public.public_bytes(*key_format) == certificate.public_key().public_bytes(*key_format)
