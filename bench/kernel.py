"""What the kernel counts about processes and cores: CPU time, memory, children."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, from the scheduler's count in nanoseconds.

    A kernel without schedstat gives utime + stime instead, in ticks of 10 ms.
    """
    try:
        stats = [stat.read_text() for stat in (PROC / str(pid) / "task").glob("*/schedstat")]
    except FileNotFoundError:
        stats = []
    if stats:
        return sum(int(stat.split()[0]) for stat in stats) / 1e9
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


class Waits:
    """How long this thread has been ready to run while something else ran on its core. The file stays open, so that
    asking takes a microsecond."""

    def __init__(self) -> None:
        self._file = (PROC / "thread-self/schedstat").open("rb", buffering=0)

    def seconds(self) -> float:
        """Return the sum since the thread began."""
        return int(os.pread(self._file.fileno(), 100, 0).split()[1]) / 1e9


def cpu_of(pids: list[int]) -> float:
    """Return the CPU time of several processes. One that has ended counts nothing."""
    return sum(cpu_seconds(pid) for pid in pids if is_alive(pid))


def rss_kib(pid: int) -> int:
    """Return the resident memory of a process. The kernel's socket buffers are not in it."""
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def pss_kib(pid: int) -> int:
    """Return the proportional memory of a process: pages that n processes share count one n-th."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def tcp_sockets(pid: int) -> int:
    """Return how many TCP sockets a process has open, listening ones too."""
    process = PROC / str(pid)
    lines = [line for name in ("tcp", "tcp6") for line in (process / "net" / name).read_text().splitlines()[1:]]
    inodes = {f"socket:[{line.split()[9]}]" for line in lines}
    found = 0
    for descriptor in (process / "fd").iterdir():
        try:
            found += descriptor.readlink().name in inodes
        except FileNotFoundError:  # closed since
            continue
    return found


def is_listening(port: int) -> bool:
    """Return whether somebody listens on a TCP port. No connection is made, which a TLS server would log."""
    lines = (PROC / "net" / "tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == LISTEN for line in lines)


def children(pid: int) -> list[int]:
    """Return the process ids of all direct children."""
    found = []
    for task in (PROC / str(pid) / "task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    """Return the process ids of all children, their children, and so on."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def command(pid: int) -> str:
    """Return a process's command line, empty for one that has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_text().replace("\0", " ").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Return whether a process exists."""
    return (PROC / str(pid)).exists()


def pin(pid: int, cores: set[int]) -> None:
    """Let all threads of a process run on these cores only. Threads that they start later inherit it."""
    for task in (PROC / str(pid) / "task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


@dataclass(frozen=True)
class CoreTime:
    """Seconds since boot that cores were busy, and in all."""

    busy: float
    total: float

    def busy_since(self, before: "CoreTime") -> float:
        """Return the share of the time since `before` in which the cores were busy, 0 to 1."""
        total = self.total - before.total
        return (self.busy - before.busy) / total if total else 0.0


def core_time(cores: set[int]) -> CoreTime:
    """Return how busy these cores have been."""
    busy = total = 0
    for line in (PROC / "stat").read_text().splitlines():
        name, *counts = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            ticks = [int(count) for count in counts[:8]]  # guest time is in user time already
            total += sum(ticks)
            busy += sum(ticks) - ticks[3] - ticks[4]  # idle, iowait
    return CoreTime(busy / TICKS_A_SECOND, total / TICKS_A_SECOND)
