"""Certificates as docker-machine creates them: for 1080 days, without key identifiers."""

import datetime
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY_DAYS = 1080


@dataclass(frozen=True)
class CertificateWithKey:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form, unencrypted = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, form, unencrypted).decode()


def create_authority(organisation: str) -> CertificateWithKey:
    key = _generate_key()
    builder = _builder(organisation, organisation, key).add_extension(x509.BasicConstraints(True, None), True)
    return CertificateWithKey(builder.sign(key, hashes.SHA256()), key)


def issue_certificate(ca: CertificateWithKey, organisation: str, address: str = "") -> CertificateWithKey:
    """Issue a client certificate or, with an address, a host's."""
    key, issuer = _generate_key(), ca.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
    builder = _builder(organisation, str(issuer), key)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] if address else [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    if address:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return CertificateWithKey(builder.sign(ca.key, hashes.SHA256()), key)


def _generate_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _builder(subject: str, issuer: str, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_x509_name(subject))
        .issuer_name(_x509_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=VALIDITY_DAYS))
    )


def _x509_name(organisation: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])
