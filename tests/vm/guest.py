"""A virtual machine of the tests' own. It runs in emulation: all is slow, and needs no rights."""

from __future__ import annotations

import io
import shlex
import socket
import subprocess
import tarfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOT = 240.0
# However the tests end, what they started does not outlive them.
TIED = ("setpriv", "--pdeathsig=KILL")
# On a busy host the guest would take its timer for broken, and panic.
KERNEL = "no_timer_check mitigations=off net.ifnames=0"
QEMU = (
    *TIED,
    "qemu-system-x86_64",
    *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3072"),
    *("-nodefaults", "-display", "none"),
    *("-append", f"root=/dev/vda rw console=ttyS0 quiet {KERNEL}"),
    *("-device", "virtio-net-pci,netdev=n,romfile=", "-device", "virtio-rng-pci"),
)


class GuestError(AssertionError):
    """A command in the guest failed, or the guest itself."""


class Guest:
    """One machine. Its disk is as built at each ``boot``, and keeps changes over ``reboot``."""

    def __init__(self, folder: Path, release: str = "bookworm", cpus: int = 2) -> None:
        """Prepare, building the disk if there is none; nothing runs yet.

        *release* is one of Debian's. All *cpus* are cores of one socket, and so share a cache.
        """
        self.folder = folder
        self.release, self.image = release, built(release)
        self.cpus = cpus
        self.port = _free_port()
        self._machine: subprocess.Popen[bytes] | None = None
        self._master: subprocess.Popen[bytes] | None = None

    @property
    def python(self) -> str:
        """The version of its Python: 3.11."""
        return (self.image / "python").read_text().strip()

    # --- life ---------------------------------------------------------------------------------

    def boot(self) -> None:
        """Switch it on and wait until all its services are up."""
        disk = f"file={self.image}/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe"
        network = f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        kernel = ("-kernel", f"{self.image}/vmlinuz", "-initrd", f"{self.image}/initrd")
        cores = ("-smp", f"{self.cpus},sockets=1,cores={self.cpus}")
        command = [*QEMU, *cores, *kernel, "-drive", disk, "-netdev", network]
        command += ["-serial", f"file:{self.folder}/console"]
        with (self.folder / "qemu").open("wb") as log:
            self._machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        self._connect()

    def reboot(self) -> None:
        """Restart the guest's system; what is on its disk stays."""
        before = self.run("cat /proc/sys/kernel/random/boot_id")
        with suppress(GuestError):  # the connection may end before the command does
            self.run("systemctl reboot", check=False)
        self._hang_up()
        end = time.monotonic() + BOOT
        while True:
            self._connect()
            if self.run("cat /proc/sys/kernel/random/boot_id") != before:
                return
            self._hang_up()
            if time.monotonic() > end:
                raise GuestError(f"the guest did not reboot\n{self.console()}")
            time.sleep(1)

    def shutdown(self) -> None:
        """Switch it off; what was done to its disk is gone."""
        self._hang_up()
        if self._machine:
            self._machine.kill()
            self._machine.wait(30)
            self._machine = None

    def console(self) -> str:
        """Return the end of what the guest and its emulator said."""
        files = (self.folder / "console", self.folder / "qemu")
        return "\n".join(f.read_text(errors="replace")[-3000:] for f in files if f.exists())

    # --- talking to it ------------------------------------------------------------------------

    def run(self, command: str, seconds: float = 60, *, check: bool = True, user: str = "") -> str:
        """Run a shell command as root or *user*; returns what it printed, without the last newline.

        What it says on stderr is part of it only if the command fails or *check* is off.
        """
        done = self.call(command, seconds, user=user)
        if check and done.returncode:
            raise GuestError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return (done.stdout if check else done.stdout + done.stderr).strip()

    def call(
        self, command: str, seconds: float = 60, *, user: str = "", data: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root or *user*, whatever becomes of it."""
        words = ["timeout", "--kill-after=5", f"{seconds:g}"]
        words += ["runuser", "-u", user, "--"] if user else []
        line = shlex.join([*words, "sh", "-c", command])
        done = self._ssh([line], seconds + 20, data or b"")
        if done.returncode == 255:
            raise GuestError(f"no connection for {command}: {done.stderr!r}\n{self.console()}")
        out, err = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    def write(self, path: str, text: str) -> None:
        """Write a file at one stroke."""
        target = shlex.quote(path)
        make = f"mkdir -p $(dirname {target}) && cat > {target}.new && mv {target}.new {target}"
        done = self.call(make, data=text.encode())
        if done.returncode:
            raise GuestError(f"cannot write {path}: {done.stderr}")

    def copy(self, folder: Path, to: str) -> None:
        """Copy a folder's content into the guest's folder *to*."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
            archive.add(folder, arcname=".")
        target = shlex.quote(to)
        unpack = f"mkdir -p {target} && tar -C {target} --no-same-owner -xf -"
        done = self.call(unpack, 120, data=packed.getvalue())
        if done.returncode:
            raise GuestError(f"cannot copy {folder}: {done.stderr}")

    # --- ssh ----------------------------------------------------------------------------------

    def _options(self) -> list[str]:
        quiet = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        bounds = ("ConnectTimeout=20", "ServerAliveInterval=20", "ServerAliveCountMax=3")
        options = ["-F", "/dev/null", "-i", f"{self.image}/key", "-p", str(self.port)]
        options += ["-S", f"{self.folder}/ssh", "-o", "BatchMode=yes"]
        return options + [word for each in (*quiet, *bounds) for word in ("-o", each)]

    def _ssh(
        self, words: list[str], seconds: float, data: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["ssh", *self._options(), "root@127.0.0.1", *words]
        return subprocess.run(
            command, input=data, capture_output=True, timeout=seconds, check=False
        )

    def _connect(self) -> None:
        """Wait until it lets us in and has finished its start."""
        end = time.monotonic() + BOOT
        while not self._let_in():
            self._hang_up()
            if time.monotonic() > end or not self._machine or self._machine.poll() is not None:
                raise GuestError(f"the guest did not come up\n{self.console()}")
            time.sleep(1)
        self.run("systemctl is-system-running --wait || true", BOOT)

    def _let_in(self) -> bool:
        master = [*TIED, "ssh", "-M", "-N", *self._options(), "root@127.0.0.1"]
        quiet = subprocess.DEVNULL
        self._master = subprocess.Popen(master, stdin=quiet, stdout=quiet, stderr=quiet)
        end = time.monotonic() + 30
        while self._master.poll() is None and time.monotonic() < end:
            if (self.folder / "ssh").exists():
                return self._ssh(["true"], 30).returncode == 0
            time.sleep(0.1)
        return False

    def _hang_up(self) -> None:
        if self._master:
            self._master.kill()
            self._master.wait(30)
            self._master = None
        (self.folder / "ssh").unlink(missing_ok=True)


def built(release: str = "bookworm") -> Path:
    """Return the folder of the guest's files, building them if there are none."""
    command = [str(ROOT / "scripts/guest"), release]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    return Path(done.stdout.strip())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
