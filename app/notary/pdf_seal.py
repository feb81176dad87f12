"""The firm's seal on its PDFs: PAdES B-B with a certificate that the firm gave itself. No network, no time service.

X.509 readers know no secp256k1, so this is a key of its own (P-256), made with the firm and wrapped like its others. The
certificate only says who claims to have sealed; what proves an agreement is the evidence file inside the PDF.
"""

import datetime as dt
import io

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.core import clock
from app.notary.keys import PdfKey

VALID = dt.timedelta(days=30 * 365)
FIELD = "Siegel"
MOST_IN_NAME = 64


def make_pdf_key(address: str) -> PdfKey:
    """A new key; the subject of its certificate is the firm's address."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return PdfKey(private, _certificate(key, address).public_bytes(Encoding.PEM).decode())


def seal_pdf(pdf: bytes, key: PdfKey) -> bytes:
    """The PDF with the firm's seal over all of it, as an increment: the pages stay byte for byte what they were."""
    # half a second and 40 MB: only for those who seal
    from asn1crypto import keys as asn1_keys
    from asn1crypto import pem
    from asn1crypto import x509 as asn1_x509
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import signers
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    certificate = asn1_x509.Certificate.load(pem.unarmor(key.certificate.encode())[2])
    private = asn1_keys.PrivateKeyInfo.load(pem.unarmor(key.private)[2])
    signer = signers.SimpleSigner(certificate, private, SimpleCertificateStore())
    how = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    sealed = signers.PdfSigner(how, signer).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)))
    return bytes(sealed.getvalue())


def _certificate(key: ec.EllipticCurvePrivateKey, address: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address[:MOST_IN_NAME])])
    now = clock.now().replace(microsecond=0)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
