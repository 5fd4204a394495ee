"""An authority of the tests' own, and what it signs."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

_CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""


class Authority:
    """Signs certificates. All its files are in one folder."""

    def __init__(self, folder: Path) -> None:
        """Make its own certificate."""
        self.folder = folder
        folder.mkdir()
        (folder / "index").touch()
        (folder / "ca.cnf").write_text(_CONFIG.format(folder=folder))
        self.ca, self._key = folder / "ca.pem", folder / "ca-key.pem"
        command = ["openssl", "req", "-x509", *_new_key(self._key), "-days", "2", "-out"]
        command += [str(self.ca), "-subj", "/CN=tests", "-addext", "keyUsage=critical,keyCertSign"]
        subprocess.run(command, check=True, capture_output=True)

    def sign(self, folder: Path, use: str, *, names: str = "", expired: bool = False) -> Path:
        """Fill a folder with ca.pem, cert.pem and key.pem; *names* as in ``DNS:x,IP:1.2.3.4``."""
        folder.mkdir()
        shutil.copy(self.ca, folder)
        request, extensions = folder / "csr", folder / "extensions"
        command = ["openssl", "req", *_new_key(folder / "key.pem"), "-out", str(request)]
        subprocess.run([*command, "-subj", f"/CN={use}"], check=True, capture_output=True)
        alternatives = f"subjectAltName={names}\n" if names else ""
        extensions.write_text(f"extendedKeyUsage={use}Auth\n{alternatives}")
        begin = datetime.now(UTC) - timedelta(days=3 if expired else 1)
        command = ["openssl", "ca", "-batch", "-notext", "-config", str(self.folder / "ca.cnf")]
        command += ["-cert", str(self.ca), "-keyfile", str(self._key), "-in", str(request)]
        command += ["-out", str(folder / "cert.pem"), "-extfile", str(extensions)]
        command += ["-startdate", _stamp(begin), "-enddate", _stamp(begin + timedelta(days=2))]
        subprocess.run(command, check=True, capture_output=True)
        return folder


def _new_key(place: Path) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(place)]


def _stamp(time: datetime) -> str:
    return f"{time:%Y%m%d%H%M%SZ}"
