"""A script of an ordinary role tries to read and change files that are not its own."""

from __future__ import annotations

import errno
import os

import pytest

REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV}
READ = "result = open(path, 'rb').read(100)"

# Each is an expression for a path, with the names of Scene.names().
UNREADABLE = {
    "PG_VERSION": "data + '/PG_VERSION'",
    "pg_hba.conf": "data + '/pg_hba.conf'",
    "postgresql.conf": "data + '/postgresql.conf'",
    "postmaster.pid": "data + '/postmaster.pid'",
    "control file": "data + '/global/pg_control'",
    "catalog pg_authid": "data + '/global/1260'",
    "relative path": "os.path.relpath(data + '/PG_VERSION')",
    "dots above the working directory": "'../../../PG_VERSION'",
    "/etc/passwd": "'/etc/passwd'",
    "/etc/shadow": "'/etc/shadow'",
    "/etc/hosts": "'/etc/hosts'",
    "/proc/1/environ": "'/proc/1/environ'",
    "the backend's cwd": "f'/proc/{pids[\"backend\"]}/cwd/PG_VERSION'",
    "the zygote's root": "f'/proc/{os.getppid()}/root/etc/passwd'",
    "own root": "'/proc/self/root/etc/passwd'",
    "own root by thread": "'/proc/thread-self/root/etc/passwd'",
    "above the own cwd": "'/proc/self/cwd/../../../PG_VERSION'",
    "backend's environment": "f'/proc/{pids[\"backend\"]}/environ'",
    "backend's memory": "f'/proc/{pids[\"backend\"]}/mem'",
    "backend's maps": "f'/proc/{pids[\"backend\"]}/maps'",
    "backend's command line": "f'/proc/{pids[\"backend\"]}/cmdline'",
    "backend's status": "f'/proc/{pids[\"backend\"]}/status'",
    "postmaster's environment": "f'/proc/{pids[\"postmaster\"]}/environ'",
    "postmaster's descriptor": "f'/proc/{pids[\"postmaster\"]}/fd/2'",
    "other engine's memory": "f'/proc/{pids[\"victim_engine\"]}/mem'",
    "other engine's environment": "f'/proc/{pids[\"victim_engine\"]}/environ'",
    "other engine's maps": "f'/proc/{pids[\"victim_engine\"]}/maps'",
    "other engine's command line": "f'/proc/{pids[\"victim_engine\"]}/cmdline'",
    "zygote's memory": "f'/proc/{pids[\"zygote\"]}/mem'",
    "supervisor's memory": "f'/proc/{pids[\"supervisor\"]}/mem'",
    "kernel's log": "'/dev/kmsg'",
    "disk": "'/dev/vda'",
    "terminal": "'/dev/tty'",
}


@pytest.mark.parametrize("path", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_read(path, scene):
    outcome = scene.attack(f"path = {path}\n{READ}")
    # Files that the server's user or the container lacks cannot be read either.
    assert outcome.done is None, outcome
    if path.startswith("'/dev/"):
        assert outcome.errno in REFUSED | {errno.ENOENT, errno.ENXIO}, outcome
    else:
        assert outcome.errno in REFUSED, outcome


@pytest.mark.parametrize(
    "folder",
    ["data", "'/'", "'/etc'", "'/proc'", "'/home'", "'/tmp'", "data + '/base'", "'..'",
     "f'/proc/{pids[\"victim_engine\"]}/cwd'", "f'/proc/{pids[\"backend\"]}/fd'"],
)  # fmt: skip
def test_list_folder(folder, scene):
    outcome = scene.attack(f"result = os.listdir({folder})")
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED, outcome


WAYS = {
    "symbolic link": """
os.symlink(data + "/PG_VERSION", "link")
try:
    result = open("link").read()
finally:
    os.unlink("link")
""",
    "hard link": "os.link(data + '/PG_VERSION', 'link'); result = 1",
    "hard link of an open path": """
handle = os.open(data + "/PG_VERSION", os.O_PATH)
call("linkat", handle, b"", -100, b"link", 0x1000)
""",
    "from the folder of a path handle": """
handle = os.open(data, os.O_PATH)
result = os.open("PG_VERSION", os.O_RDONLY, dir_fd=handle)
""",
    "path handle opened again": """
handle = os.open(data + "/PG_VERSION", os.O_PATH)
result = open(f"/proc/self/fd/{handle}").read()
""",
    "above the handle of /proc": """
for number in os.listdir("/proc/self/fd"):
    try:
        handle = os.open("../1/environ", os.O_RDONLY, dir_fd=int(number))
    except NotADirectoryError:
        continue
    except OSError as error:
        if error.errno == errno.EBADF:
            continue
        raise
    result = handle
""",
    "handle of access mode 3": "result = os.open(data + '/PG_VERSION', 3)",
    "open_by_handle_at": "call('open_by_handle_at', -100, ctypes.create_string_buffer(64), 0)",
    "name_to_handle_at": """
call("name_to_handle_at", -100, data.encode(), ctypes.create_string_buffer(200),
     ctypes.byref(ctypes.c_int()), 0)
""",
    "execute to read": "os.execv(data + '/PG_VERSION', ['x'])",
    "mapped file": "import mmap; result = mmap.mmap(os.open(data + '/PG_VERSION', 0), 0)",
    "rename into the folder": "os.rename(data + '/PG_VERSION', 'mine')",
    "change of the root": "os.chroot(data)",
    "bind mount": "call('mount', data.encode(), b'.', b'', 4096, 0)",
    "overlay mount": "call('mount', b'tmpfs', b'.', b'tmpfs', 0, 0)",
    "pivot_root": "call('syscall', 155, b'.', b'.')",
    "open_tree": "call('syscall', 428, -100, data.encode(), 1)",
    "openat2": "call('syscall', 437, -100, data.encode(), ctypes.create_string_buffer(24), 24)",
}


@pytest.mark.parametrize("code", WAYS.values(), ids=WAYS.keys())
def test_way_around_the_path(code, scene):
    outcome = scene.attack(code)
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED | {errno.ENOSYS, errno.ENOENT}, outcome
    if outcome.errno == errno.ENOENT:  # AT_EMPTY_PATH takes a right that it does not have
        assert "linkat" in code, outcome


CHANGES = {
    "write": "open(path, 'r+').write('x')",
    "append": "open(path, 'a').write('x')",
    "truncate by opening": "open(path, 'w')",
    "truncate": "os.truncate(path, 0)",
    "truncate while reading": "os.open(path, os.O_RDONLY | os.O_TRUNC)",
    "chmod": "os.chmod(path, 0o777)",
    "chmod of the folder": "os.chmod(data, 0o777)",
    "chown": "os.chown(path, os.getuid(), os.getgid())",
    "utime": "os.utime(path, (1, 1))",
    "rename": "os.rename(path, path + '.old')",
    "exchange": """
open("mine", "w").close()
call("renameat2", -100, b"mine", -100, path.encode(), 2)
""",
    "unlink": "os.unlink(path)",
    "setxattr": "os.setxattr(path, 'user.x', b'1')",
    "lock": "import fcntl; fcntl.lockf(open(path, 'r+'), fcntl.LOCK_EX)",
    "chmod by handle": "os.chmod(f'/proc/self/fd/{os.open(path, os.O_PATH)}', 0o777)",
    "fchmodat2": "call('syscall', 452, os.open(path, os.O_PATH), b'', 0o777, 0x1000)",
}


@pytest.mark.parametrize("code", CHANGES.values(), ids=CHANGES.keys())
def test_change_server_file(code, scene):
    """The scene compares content, mode, owner, time and links."""
    outcome = scene.attack(f"path = data + '/pg_hba.conf'\n{code}\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED | {errno.ENOSYS}, outcome


@pytest.mark.parametrize(
    "folder",
    ["'/tmp'", "'/var/tmp'", "'/dev/shm'", "data", "'/'", "'..'", "'/usr/lib'", "'/dev'",
     "'/proc/self'", "f'/proc/{pids[\"victim_engine\"]}/cwd'"],
)  # fmt: skip
@pytest.mark.parametrize("what", ["open(name, 'w')", "os.mkdir(name)", "os.symlink('x', name)"])
def test_write_outside_its_folder(what, folder, scene):
    outcome = scene.attack(f"name = {folder} + '/epe-was-here'\n{what}\nresult = 1")
    assert outcome.done is None, outcome
    # An entry below another's cwd cannot even be resolved.
    assert outcome.errno in REFUSED | {errno.ENOENT}, outcome
    for place in ("/tmp", "/var/tmp", "/dev/shm", str(scene.data), "/", "/usr/lib", "/dev"):
        assert not os.path.lexists(f"{place}/epe-was-here")


@pytest.mark.parametrize(
    "code",
    ["os.mkfifo('fifo')", "os.mknod('node', 0o600 | 0o20000, os.makedev(1, 1))",
     "import socket; socket.socketpair()[0].bind('socket')"],
)  # fmt: skip
def test_special_files_in_its_folder(code, scene):
    outcome = scene.attack(f"{code}\nresult = 1")
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED, outcome


def test_what_is_its_own_works(scene):
    outcome = scene.attack("""
import tempfile
open("/dev/null", "w").write("x")
with tempfile.TemporaryDirectory() as folder:
    path = folder + "/file"
    open(path, "w").write("text")
    os.rename(path, folder + "/other")
    places = {os.getcwd(), os.environ["TMPDIR"], os.environ["HOME"]}
    result = open(folder + "/other").read(), len(places) == 1
""")
    assert outcome.done == "('text', True)", outcome


def test_own_processes_files_cannot_be_written(scene):
    for name in ("mem", "oom_score_adj", "coredump_filter", "clear_refs", "uid_map", "comm",
                 "timerslack_ns", "attr/current"):  # fmt: skip
        outcome = scene.attack(f"open('/proc/self/{name}', 'r+b').write(b'0'); result = 1")
        assert outcome.done is None, (name, outcome)
        assert outcome.errno in REFUSED | {errno.ENOENT}, (name, outcome)


def test_inherited_descriptors(scene, connect):
    """Only standard streams, its own folder in /proc and the connection, in any engine."""
    source = """
def descriptors(index):
    import os
    kinds = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            kinds.add(os.readlink(f"/proc/self/fd/{number}").split(":")[0])
        except FileNotFoundError:
            continue
    sockets = [n for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")
               and os.readlink(f"/proc/self/fd/{n}").startswith("socket:")]
    # Newer versions of libffi, that of ctypes, keep their own file open.
    kinds = sorted(k for k in kinds if not k.startswith("/proc/") and "/libffi.so." not in k)
    return [(", ".join(kinds), len(sockets))]
"""
    session = connect(user=scene.session.info.user)  # no handles that other attempts have left
    session.execute("SELECT pyq_script_create('descriptors', %s)", (source,))
    rows = session.execute(
        "SELECT DISTINCT kinds, sockets FROM pyq_index_eval("
        "'{\"oml_parallel\": 4}'::jsonb, NULL, 40, 'descriptors') AS t(kinds text, sockets int)"
    ).fetchall()
    session.execute("SELECT pyq_script_drop('descriptors')")
    allowed = ({"/dev/null, pipe, socket", "/dev/null, /memfd, pipe, socket"}, 1)
    assert rows
    for kinds, sockets in rows:
        assert kinds in allowed[0]
        assert sockets == allowed[1]


def test_other_engines_folder(scene):
    """By its name, which is no secret."""
    outcome = scene.attack("""
folder = os.path.dirname(os.getcwd()) + f"/{pids['victim_engine']}"
result = os.listdir(folder)
""")
    assert outcome.done is None, outcome
    assert outcome.errno in REFUSED | {errno.ENOENT}, outcome  # a folder of another supervisor


def test_environment_holds_no_secrets(scene):
    """Names that the server has been started with are not passed on, but for a few."""
    outcome = scene.attack("result = sorted(os.environ)")
    assert outcome.done is not None
    names = set(eval(outcome.done))
    allowed = {"PATH", "HOME", "LOGNAME", "USER", "TMPDIR", "MPLBACKEND", "MPLCONFIGDIR",
               "XDG_CACHE_HOME",
               "JOBLIB_MULTIPROCESSING", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONMALLOC",
               "MALLOC_ARENA_MAX", "LANG", "TZ", "LD_LIBRARY_PATH",
               "JE_ARROW_MALLOC_CONF"}  # fmt: skip
    rest = {
        name
        for name in names - allowed
        if not name.startswith(("LC_", "OPENBLAS", "OMP_", "MKL_", "NUMEXPR_", "MALLOC_", "BLIS_"))
    }
    assert not rest
    server = f"/proc/{scene.pids['postmaster']}/environ"
    with open(server, "rb") as file:
        assert b"PGDATA" not in outcome.done.encode()
        assert b"HOME=" in file.read()  # it has some that are not passed on
    inherited = scene.attack("result = open('/proc/self/environ').read()")
    assert inherited.done is not None
    assert "HOME=" not in inherited.done
