"""A script of an ordinary role tries to reach processes, programs, the network, the kernel."""

from __future__ import annotations

import errno
import platform

import psycopg
import pytest
from attacks import run_attack

REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS}
TARGETS = ("backend", "postmaster", "victim_backend", "victim_engine", "zygote", "supervisor")

needs_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the numbers of system calls are x86-64's"
)

# With `pid`. Where there is a signal, it would end the process.
AGAINST_PROCESSES = {
    "kill": "os.kill(pid, 9)",
    "kill without a signal": "os.kill(pid, 0)",
    "killpg": "os.killpg(pid, 9)",
    "tgkill": "call('syscall', 234, pid, pid, 9)",
    "tkill": "call('syscall', 200, pid, 9)",
    "rt_sigqueueinfo": "call('syscall', 129, pid, 9, ctypes.create_string_buffer(128))",
    "rt_tgsigqueueinfo": "call('syscall', 297, pid, pid, 9, ctypes.create_string_buffer(128))",
    "pidfd_open": "call('syscall', 434, pid, 0)",
    "pidfd_send_signal": "call('syscall', 424, 0, 9, 0, 0)",
    "pidfd_getfd": "call('syscall', 438, 0, 1, 0)",
    "ptrace": "call('ptrace', 16, pid, 0, 0)",
    "ptrace seize": "call('ptrace', 0x4206, pid, 0, 0)",
    "process_vm_readv": """
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
call("process_vm_readv", pid, vector, 1, vector, 1, 0)
""",
    "process_vm_writev": """
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
call("process_vm_writev", pid, vector, 1, vector, 1, 0)
""",
    "process_madvise": "call('syscall', 440, 0, 0, 0, 9, 0)",
    "kcmp": "call('syscall', 312, os.getpid(), pid, 0, 0, 0)",
    "prlimit": "import resource; resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, 0))",
    "prlimit to read": "import resource; resource.prlimit(pid, resource.RLIMIT_NOFILE)",
    "setpriority": "os.setpriority(os.PRIO_PROCESS, pid, 19)",
    "sched_setaffinity": "os.sched_setaffinity(pid, {0})",
    "sched_setscheduler": "os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))",
    "ioprio_set": "call('syscall', 251, 1, pid, 3 << 13)",
    "SIGIO by F_SETOWN": "import fcntl; fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, pid)",
    "SIGIO by F_SETSIG": "import fcntl; fcntl.fcntl(os.pipe()[0], 10, 9)",
    "SIGIO by FIOSETOWN": """
import fcntl, socket, struct
fcntl.ioctl(socket.socketpair()[0], 0x8901, struct.pack("i", pid))
""",
    "migrate_pages": "call('syscall', 256, pid, 0, 0, 0)",
    "move_pages": "call('syscall', 279, pid, 0, 0, 0, 0, 0)",
    "perf_event_open": "call('syscall', 298, ctypes.create_string_buffer(128), pid, -1, -1, 0)",
    "setns by a path": "call('setns', os.open(f'/proc/{pid}/ns/user', 0), 0)",
    "setpgid": "os.setpgid(pid, pid)",
    "get_robust_list": "call('syscall', 274, pid, ctypes.byref(ctypes.c_long()), 0)",
}


@needs_x86_64
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("code", AGAINST_PROCESSES.values(), ids=AGAINST_PROCESSES.keys())
def test_against_process(code, target, scene):
    outcome = scene.attack(f"pid = pids[{target!r}]\n{code}\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED, outcome


def test_kill_everything(scene):
    for pid in (-1, 0):
        outcome = scene.attack(f"os.kill({pid}, 9); result = 1")
        assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome


PROGRAMS = {
    "exec": "os.execv('/bin/true', ['true'])",
    "exec of a setuid program": "os.execv('/usr/bin/passwd', ['passwd'])",
    "exec by the loader": "os.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/bin/true'])",
    "execveat": "call('syscall', 322, -100, b'/bin/true', 0, 0, 0)",
    "exec of an own file": """
open("program", "w").write("#!/bin/sh\\n")
os.execv("./program", ["program"])
""",
    "system": "assert os.system('true') == 0, 'no program has run'",
    "popen": "assert os.popen('echo yes').read() == 'yes\\n', 'no program has run'",
    "subprocess": "import subprocess; subprocess.run(['/bin/true'], check=True)",
    "subprocess with a shell": "import subprocess; subprocess.check_output('id', shell=True)",
    "fork": "os.fork() or os._exit(0)",
    "forkpty": "import pty; pty.fork()[0] or os._exit(0)",
    "vfork": "call('syscall', 58)",
    "clone": "call('syscall', 56, 17, 0, 0, 0, 0)",
    "clone3": "call('syscall', 435, ctypes.create_string_buffer(88), 88)",
    "clone of a thread in namespaces": "call('syscall', 56, 0x10000 | 0x10000000, 0, 0, 0, 0)",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "multiprocessing": """
import multiprocessing
child = multiprocessing.get_context("fork").Process(target=print)
child.start()
""",
    "spawned pool": """
import concurrent.futures
list(concurrent.futures.ProcessPoolExecutor(1).map(abs, [1]))
""",
    "memfd_create": "os.memfd_create('program')",
    "uselib": "call('syscall', 134, b'/lib/x')",
}


@needs_x86_64
@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_program(code, scene):
    outcome = scene.attack(f"{code}\nresult = 1")
    assert outcome.done is None, outcome
    # These hide why: os.system(), the lack of /dev/ptmx, and that of /dev/shm for a pool.
    hidden = ("no program has run", "out of pty devices", "[Errno 30] Read-only file system")
    assert outcome.errno in REFUSED or outcome.text in hidden, outcome


NETWORK = {
    "TCP": "socket.create_connection(('127.0.0.1', tcp_port))",
    "TCP 6": "socket.socket(socket.AF_INET6).connect(('::1', tcp_port))",
    "TCP outside": "socket.create_connection(('1.1.1.1', 80))",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', udp_port))",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "ping": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)",
    "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "kernel crypto": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "MPTCP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
    "SCTP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)",
    "bind": "socket.create_server(('127.0.0.1', 0))",
    "Unix path": "socket.socket(socket.AF_UNIX).connect(unix_path)",
    "Unix name": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', '\\0' + unix_name)",
    "server's socket": "socket.socket(socket.AF_UNIX).connect(server)",
    "datagram pair to a name": """
first, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
first.sendto(b"x", "\\0" + unix_name)
""",
    "seqpacket pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    "pair connected again": "socket.socketpair()[0].connect(unix_path)",
    "pair connected to the server": "socket.socketpair()[0].connect(server)",
    "pair that listens": "socket.socketpair()[0].listen()",
    "pair bound to a name": "socket.socketpair()[0].bind('\\0epe-was-here')",
    "pair that accepts": "socket.socketpair()[0].accept()",
    "pair with credentials": "socket.socketpair()[0].setsockopt(1, socket.SO_PASSCRED, 1)",
    "pair with a filter": "socket.socketpair()[0].setsockopt(1, 26, b'0' * 16)",
    "TCP fast open": "socket.socketpair()[0].sendto(b'x', 0x20000000, unix_path)",
    "connection connected again": """
own = next(int(n) for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")
           and os.readlink(f"/proc/self/fd/{n}").startswith("socket:"))
address = (ctypes.c_ubyte * 110)(1, 0, *unix_path.encode())
call("connect", own, address, 110)
""",
    "names of hosts": "socket.getaddrinfo('example.com', 80)",
    "sendmmsg": "call('syscall', 307, 0, 0, 0, 0)",
    "interfaces": "socket.if_nameindex()",
}


@needs_x86_64
@pytest.mark.parametrize("code", NETWORK.values(), ids=NETWORK.keys())
def test_network(code, scene):
    info = scene.admin.info
    path = f"{info.host}/.s.PGSQL.{info.port}"
    outcome = scene.attack(f"import socket\n{code}\nresult = 1", server=path)
    assert outcome.done is None, outcome
    # Name lookups end in "gaierror", which has separate error numbers.
    assert outcome.errno in REFUSED or outcome.error == "gaierror", outcome


def test_sending_on_a_pair_reaches_the_pair_only(scene):
    """sendto() and sendmsg() are allowed; an address of a stream socket is not looked at."""
    outcome = scene.attack("""
import socket
first, second = socket.socketpair()
errors = []
for send in (lambda: first.sendto(b"x", unix_path), lambda: first.sendmsg([b"x"], [], 0, unix_path),
             lambda: first.sendto(b"x", "\\0" + unix_name)):
    try:
        send()
    except OSError as error:
        errors.append(error.errno)
result = errors
""")
    assert outcome.done in (f"[{errno.EISCONN}, {errno.EISCONN}, {errno.EISCONN}]",), outcome


DENIED_CALLS = {
    "chroot": 161, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "open_tree": 428,
    "mount_setattr": 442, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "keyctl": 250, "add_key": 248,
    "request_key": 249, "perf_event_open": 298, "init_module": 175, "finit_module": 313,
    "delete_module": 176, "kexec_load": 246, "reboot": 169, "swapon": 167, "sethostname": 170,
    "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "iopl": 172,
    "ioperm": 173, "acct": 163, "quotactl": 179, "syslog": 103, "personality": 135,
    "setuid": 105, "setgid": 106, "setgroups": 116, "setresuid": 117, "setfsuid": 122,
    "capset": 126, "seccomp": 317, "landlock_restrict_self": 446, "fanotify_init": 300,
    "inotify_init": 253, "inotify_init1": 294, "shmget": 29, "msgget": 68, "semget": 64,
    "mq_open": 240, "mlock": 149, "mlockall": 151, "mlock2": 325, "memfd_secret": 447,
    "vmsplice": 278, "splice": 275, "tee": 276, "remap_file_pages": 216, "mbind": 237,
    "set_mempolicy": 238, "modify_ldt": 154, "pkey_mprotect": 329, "process_mrelease": 448,
    "lookup_dcookie": 212, "nfsservctl": 180, "vhangup": 153, "setsid": 112, "sync": 162,
    "syncfs": 306, "tkill": 200, "socket": 41, "bind": 49, "listen": 50, "accept": 43,
    "accept4": 288, "connect": 42, "execve": 59, "execveat": 322, "fork": 57, "setxattr": 188,
    "removexattr": 197, "name_to_handle_at": 303, "io_setup": 206, "nosuch": 600,
}  # fmt: skip


@needs_x86_64
@pytest.mark.parametrize("name", DENIED_CALLS)
def test_system_call(name, scene):
    outcome = scene.attack(f"call('syscall', {DENIED_CALLS[name]}, 0, 0, 0, 0, 0, 0)\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED, outcome


@pytest.mark.parametrize(
    "option",
    ["4, 1", "35, 1, 0", "1, 9", "22, 1", "38, 0", "24, 0", "0x59616d61, -1", "36, 1", "52, 1"],
)  # fmt: skip
def test_prctl(option, scene):
    """Dumpable, memory map, death signal, seccomp, privileges, capabilities, ptracer, subreaper."""
    outcome = scene.attack(f"call('prctl', {option}, 0, 0)\nresult = 1")
    assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome


MACHINE_CODE = """
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex(hexadecimal))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
result = ctypes.CFUNCTYPE(ctypes.c_long)(address)()
"""
OTHER_TABLES = {
    # mov eax, 20 (getpid of i386); int 0x80; ret
    "i386": "b814000000cd80c3",
    # mov eax, 0x40000027 (getpid of x32); syscall; ret
    "x32": "b8270000400f05c3",
    # mov eax, 11 (execve of i386); int 0x80; ret
    "i386 execve": "b80b00000031db31c931d2cd80c3",
}


@needs_x86_64
@pytest.mark.parametrize("hexadecimal", OTHER_TABLES.values(), ids=OTHER_TABLES.keys())
def test_calls_of_other_architectures(hexadecimal, scene):
    """The filter kills, by SIGSYS; a kernel without that table may come first."""
    with pytest.raises(
        psycopg.errors.ExternalRoutineException,
        match=r"terminated by signal (31 \(Bad system call\)|11 \(Segmentation fault\))",
    ):
        scene.attack(MACHINE_CODE, hexadecimal=hexadecimal)


@needs_x86_64
def test_machine_code_gets_no_further(scene):
    """mprotect and executable memory are allowed (libffi, numba): the filter counts."""
    # mov eax, 57 (fork); syscall; ret
    outcome = scene.attack(MACHINE_CODE, hexadecimal="b8390000000f05c3")
    assert outcome.done == str(-errno.EPERM), outcome


@needs_x86_64
def test_upper_halves_of_arguments(scene):
    """The kernel reads 32 bits of a pid; what the filter compares must not differ from that."""
    for pid in ("pids['backend'] | 1 << 32", "os.getpid() | 1 << 32"):
        outcome = scene.attack(f"call('syscall', 62, {pid}, 0)\nresult = 1")
        assert (outcome.done, outcome.errno) == (None, errno.EPERM), outcome


def test_death_of_an_engine_is_its_own(scene):
    """Others work on, the zygote too."""
    for code, match in (
        ("os.kill(os.getpid(), 9)", "signal 9"),
        ("ctypes.string_at(0)", "signal 11"),
        ("os.abort()", "signal 6"),
        ("os._exit(3)", "exited with status 3"),
    ):
        with pytest.raises(psycopg.errors.ExternalRoutineException, match=match):
            scene.attack(code)
        scene.assert_unharmed()


def test_identity(scene):
    outcome = scene.attack("""
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if line)
result = [status[name].strip() for name in ("CapEff", "CapPrm", "NoNewPrivs", "Seccomp")]
""")
    zero = "0" * 16
    assert outcome.done == repr([zero, zero, "1", "2"]), outcome
    assert scene.attack("os.setuid(0); result = 1").errno == errno.EPERM
    assert run_attack(scene.victim, "result = os.getuid() != 0").done == "True"
