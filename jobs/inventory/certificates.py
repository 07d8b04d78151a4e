"""TLS files as a check needs them: when they end, and whether key and certificate belong together.

In: a host's folder with ca.pem, cert.pem and key.pem. Out: Findings. A key is read here, and never told.
"""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from imker.protocol.values import Finding

EXPIRY_WARN_DAYS = 30  # days before its end at which a certificate is worth a word
RENEW_HINT = "Make new ones from the fleet's CA, for the Engine and for Imker, and restart the Engine."


def check_certificates(host: str, folder: Path, now: datetime) -> tuple[Finding, ...]:
    try:
        ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        client_certificate = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
        fits = _key_matches(client_certificate, (folder / "key.pem").read_bytes())
    except (OSError, ValueError, TypeError) as error:
        text = f"cannot be read ({type(error).__name__})"
        return (Finding(f"TLS of {host}", "block", text, f"See ca.pem, cert.pem and key.pem in {folder}."),)
    findings = [
        _check_expiry(host, name, certificate, now)
        for name, certificate in (("ca.pem", ca), ("cert.pem", client_certificate))
    ]
    if not fits:
        text = "key.pem is not cert.pem's key"
        findings.append(Finding(f"TLS of {host}", "block", text, f"Put the pair that belongs together into {folder}."))
    if (folder / "key.pem").stat().st_mode & 0o077:
        findings.append(
            Finding(f"TLS of {host}", "warn", "key.pem can be read by others", f"chmod 600 {folder / 'key.pem'}")
        )
    return tuple(findings)


def _check_expiry(host: str, name: str, certificate: x509.Certificate, now: datetime) -> Finding:
    """`now`: with a time zone."""
    end = certificate.not_valid_after_utc
    day, days_left = end.strftime("%Y-%m-%d"), (end - now).days
    if end <= now:
        return Finding(f"TLS of {host}", "block", f"{name} ended on {day}", RENEW_HINT)
    if certificate.not_valid_before_utc > now:
        begin = certificate.not_valid_before_utc.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
        hint = "See that the clocks are right, here and where it was made."
        return Finding(f"TLS of {host}", "block", f"{name} begins on {begin} UTC only", hint)
    level = "warn" if days_left < EXPIRY_WARN_DAYS else "pass"
    return Finding(f"TLS of {host}", level, f"{name} ends on {day}", RENEW_HINT if level == "warn" else "")  # type: ignore[arg-type]


def _key_matches(certificate: x509.Certificate, key: bytes) -> bool:
    public = load_pem_private_key(key, None).public_key()
    key_format = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public.public_bytes(*key_format) == certificate.public_key().public_bytes(*key_format)
