"""The AVX-512 kernel's own instructions, on whatever processor: in Bochs, which emulates an Ice Lake.

python scripts/campaign_ifma.py [--bochs PROGRAM] [--hours 3] [--record FILE] [TARGET[:FILTER]]...
                                              adds a section to docs/campaigns/ifma.md

The leaf's ordinary tests are built static and put into an initial file system; a Debian kernel boots in
Bochs, and its init runs them one after the other. ``--bochs`` is for a faster one than Debian's, which has a
debugger in it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
LEAF = ROOT / "packages/ron-kms-native"
WORK = LEAF / "target/emulated"
RECORD = ROOT / "docs/campaigns/ifma.md"
VECTORS = ROOT.parent / "shared/vectors"

HEAD = """\
# The AVX-512 kernel in an emulator

`make campaign-ifma` runs the leaf's tests on an emulated processor that has AVX-512 IFMA: lane by lane
against plain integers; field, points, scalars and SHA-512 against big integers and dalek; and verdicts
against `verify_strict`: published vectors, random ones and forgeries. Bochs executes the
instructions that an Ice Lake would, in the programs that cargo builds for tests; but it is no silicon, and
says nothing of speed.
"""

TARGETS: Final = ("ron_kms_native:kernel::", "vectors", "differential")
"""What runs unless told: the kernels' unit tests, and all of the tests on verdicts."""

LOADER: Final = (
    Path("/usr/lib/ISOLINUX/isolinux.bin"),
    Path("/usr/lib/syslinux/modules/bios/ldlinux.c32"),
)
PASSED: Final = "== all passed"

# fsrm: Bochs says that it has no fast strings (ERMS), whereupon this kernel's memmove goes astray with FSRM.
# pku, xsaves, xsavec: Bochs's CPUID leaf 13 is at odds with itself about them, and the kernel would give up
# XSAVE.
# reboot=t: a triple fault, which ends Bochs.
BOOT = """\
DEFAULT linux
LABEL linux
 KERNEL /vmlinuz
 INITRD /initrd
 APPEND quiet console=ttyS0 mitigations=off acpi=off noapic nolapic nosmp tsc=unstable no_timer_check \
clearcpuid=fsrm,pku,xsaves,xsavec panic=-1 reboot=t
"""

MACHINE = """\
config_interface: textconfig
{display}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: 1536
cpu: model=corei7_icelake_u, count=1, ips=100000000, reset_on_triple_fault=0
clock: sync=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{work}/boot.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="{work}/serial.txt"
log: "{work}/bochs.log"
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""

DEBIANS_DISPLAY: Final = 'display_library: rfb, options="timeout=0"\nsound: driver=dummy'

INIT = """\
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc; $bb mount -t devtmpfs dev /dev
$bb grep -m1 "model name" /proc/cpuinfo; $bb grep -m1 -o avx512ifma /proc/cpuinfo
export MUST_HAVE_AVX512=1 RUST_BACKTRACE=1 RUST_TEST_THREADS=1
passed=1
$bb grep -q avx512ifma /proc/cpuinfo || passed=0
"""


def main(argv: list[str]) -> int:
    """Run the tests in the emulator, print what they say, and add it to the record."""
    parser = argparse.ArgumentParser(description="Run the leaf's tests on an emulated Ice Lake.")
    parser.add_argument("--bochs", default="bochs")
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET[:FILTER]")
    asked = parser.parse_args(argv)

    sys.path.insert(0, str(ROOT / "tests/support"))
    from service import append  # noqa: PLC0415 - found since the line above

    WORK.mkdir(parents=True, exist_ok=True)
    _disk(asked.targets)
    began = datetime.now(UTC)
    said = _boot(asked.bochs, asked.hours * 3600)
    minutes = (datetime.now(UTC) - began).total_seconds() / 60
    print(said)
    text = f"\n## {began:%Y-%m-%d %H:%M} UTC\n\n`{' '.join(asked.targets)}`, {minutes:.0f} minutes.\n"
    text += f"\n```text\n{_in_short(said)}\n```\n"
    if PASSED not in said:
        text += "\n**It did not pass.**\n"
    append(asked.record, HEAD, text)
    return 0 if PASSED in said else 1


def _disk(targets: list[str]) -> None:
    """Make the disk to boot from."""
    root, iso = WORK / "root", WORK / "iso"
    for folder in (root, iso):
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "dev", "proc", "tmp", "tests"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    if VECTORS.exists():  # where the tests will look for them
        shutil.copytree(VECTORS, root / VECTORS.relative_to("/"))
    executables, init = _executables(), INIT
    for target in targets:
        name, _, only = target.partition(":")
        shutil.copy(executables[name], root / "tests" / name)
        init += f'echo "== {target}"; /tests/{name} {only} > /tmp/said || passed=0; $bb cat /tmp/said\n'
        init += "$bb grep -q '^test result: ok. [1-9]' /tmp/said || passed=0\n"  # none is not all
    init += f'[ $passed = 1 ] && echo "{PASSED}"; $bb sleep 1; $bb reboot -f\n'
    (root / "init").write_text(init)
    (root / "init").chmod(0o755)

    iso.mkdir()
    for file in [*LOADER, _kernel()]:
        shutil.copy(file, iso)
    (iso / "isolinux.cfg").write_text(BOOT)
    files = "\n".join(str(path.relative_to(root)) for path in root.rglob("*")).encode()
    made = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=files, stdout=-1, check=True
    )
    (iso / "initrd").write_bytes(made.stdout)
    boot = ["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"]
    boot += ["-boot-load-size", "4", "-boot-info-table"]
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", WORK / "boot.iso", *boot, iso],
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _executables() -> dict[str, str]:
    """Build the tests static, and return where each target's is."""
    triple = "x86_64-unknown-linux-gnu"
    # Joined with the flags in the leaf's own configuration, which RUSTFLAGS would replace.
    static = f"target.{triple}.rustflags=['-C', 'target-feature=+crt-static']"
    where = ["--target", triple, "--target-dir", str(WORK / "cargo"), "--config", static]
    command = ["cargo", "test", "--release", "--locked", "--no-run", "--message-format=json", "--lib"]
    built = subprocess.run([*command, "--test", "*", *where], cwd=LEAF, stdout=subprocess.PIPE, check=True)
    made = [json.loads(line) for line in built.stdout.splitlines()]
    return {one["target"]["name"]: one["executable"] for one in made if one.get("executable")}


def _kernel() -> Path:
    """Return Debian's kernel for virtual machines, unpacked and not installed."""
    kernel = WORK / "vmlinuz"
    if not kernel.exists():
        told = subprocess.run(
            ["apt-cache", "depends", "linux-image-cloud-amd64"], stdout=-1, text=True, check=True
        )
        package = next(line.split()[1] for line in told.stdout.splitlines() if "Depends:" in line)
        unpacked = WORK / "kernel"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        subprocess.run(
            ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package], cwd=unpacked, check=True
        )
        (archive,) = unpacked.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        (image,) = unpacked.glob("boot/vmlinuz-*")
        image.rename(kernel)
        shutil.rmtree(unpacked)
    return kernel


def _boot(bochs: str, limit_s: float) -> str:
    """Return what the machine said on its serial line until it went off."""
    display = DEBIANS_DISPLAY if bochs == "bochs" else "display_library: nogui"
    (WORK / "bochsrc").write_text(MACHINE.format(display=display, work=WORK))
    (WORK / "serial.txt").write_bytes(b"")
    with (WORK / "bochs.txt").open("wb") as output, (WORK / "continue").open("w+b") as commands:
        commands.write(b"c\n")  # to the debugger in Debian's
        commands.seek(0)
        emulator = subprocess.Popen(
            [bochs, "-q", "-f", WORK / "bochsrc"], stdin=commands, stdout=output, stderr=output
        )
        try:
            emulator.wait(limit_s)
        except subprocess.TimeoutExpired:
            print("campaign: it took too long", file=sys.stderr)
        finally:
            emulator.kill()
            emulator.wait()
    return (WORK / "serial.txt").read_text(errors="replace").replace("\r", "")


def _in_short(said: str) -> str:
    kept = ("model name", "avx512ifma", "test ", "== ", "failures", "panicked")
    return "\n".join(line for line in said.splitlines() if line.startswith(kept))


if __name__ == "__main__":
    if os.uname().machine != "x86_64":
        sys.exit("campaign: this is for x86-64")
    sys.exit(main(sys.argv[1:]))
