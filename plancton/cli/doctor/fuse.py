"""The doctor's look at FUSE inside pilots: the kernel's module, the device, the right to mount."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plancton.cli.doctor.check import Check
from plancton.config.restrictions import capability, is_root
from plancton.config.schema import Profile
from plancton.runtime import fuse


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the node has for mounts inside containers."""

    module: fuse.Module
    trouble: str
    """Why the device cannot be used; empty: it can."""
    apparmor: bool
    """AppArmor confines containers."""


def fuse_checks(profile: Profile, kernel: Kernel) -> Iterator[Check]:
    """Yield what the profile's pilots need, if they ask for the device."""
    if fuse.is_used_by(profile):
        yield _module(kernel)
        yield _rights(profile, kernel)


def _module(kernel: Kernel) -> Check:
    if kernel.module is fuse.Module.MISSING:
        mend = "install the modules of the running kernel, then modprobe fuse"
        return Check("fuse", "FAIL", "this kernel has no FUSE", mend)
    if kernel.module is fuse.Module.LOADABLE:
        # Where systemd has made the device, its first use loads the module.
        verdict = "FAIL" if kernel.trouble else "WARN"
        mend = "modprobe fuse (plancton bootstrap does so, and at each boot)"
        return Check("fuse", verdict, "the module fuse is not loaded", mend)
    if kernel.trouble:
        return Check(
            "fuse", "FAIL", f"{fuse.DEVICE}: {kernel.trouble}", f"mknod {fuse.DEVICE} c 10 229"
        )
    return Check("fuse", "OK", f"{fuse.DEVICE} is there, the module is loaded")


def _rights(profile: Profile, kernel: Kernel) -> Check:
    """Judge whether a pilot that has the device may mount."""
    name = profile.name
    if not may_mount(profile):
        found = f"pilots of {name} may not mount: they lack SYS_ADMIN"
        return Check("fuse", "FAIL", found, f"{name}: cap_add: [SYS_ADMIN]")
    if not is_root(profile.user):
        return _not_root(profile)
    if kernel.apparmor and not profile.privileged and not _own_apparmor(profile):
        found = f"pilots of {name} may not mount: AppArmor's docker-default forbids it"
        mend = f"{name}: security_opt: [apparmor=plancton-fuse], see docs/cvmfs.md"
        return Check("fuse", "FAIL", found, mend)
    return Check("fuse", "OK", f"pilots of {name} may mount")


def _not_root(profile: Profile) -> Check:
    name, user = profile.name, profile.user
    mend = f'{name}: user: "0:0", and become another after the mount'
    if "no-new-privileges" in profile.security_opt:
        found = f"pilots of {name} may not mount: SYS_ADMIN is root's alone, they are {user}"
        return Check("fuse", "FAIL", found, mend)
    found = f"pilots of {name} are {user}: they mount by a setuid fusermount3 or not at all"
    return Check("fuse", "WARN", found, mend)


def may_mount(profile: Profile) -> bool:
    """Say whether the profile has the right to mount, for its root."""
    added = {capability(each) for each in profile.cap_add}
    return profile.privileged or bool(added & {"SYS_ADMIN", "ALL"})


def _own_apparmor(profile: Profile) -> bool:
    chosen = [each[9:] for each in profile.security_opt if each[:9] in ("apparmor=", "apparmor:")]
    return bool(chosen) and chosen[-1] != "docker-default"
