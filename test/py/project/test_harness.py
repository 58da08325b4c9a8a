"""The harness itself: the fixtures that all other tests use."""

import psycopg
import pytest
from conftest import Server, with_server


def test_conn_is_a_superuser_in_a_database_with_the_extension(conn):
    row = conn.execute(
        "SELECT usesuper, (SELECT count(*) FROM pg_extension WHERE extname = 'oml_epe')"
        " FROM pg_user WHERE usename = current_user"
    ).fetchone()
    assert row == (True, 1)


def test_made_role_is_ordinary_and_takes_options(make_role, connect):
    analyst = make_role("analyst", "IN ROLE pg_read_all_data")
    row = (
        connect(user=analyst)
        .execute(
            "SELECT current_user, usesuper, pg_has_role('pg_read_all_data', 'member')"
            " FROM pg_user WHERE usename = current_user"
        )
        .fetchone()
    )
    assert row == (analyst, False, True)


def test_signal_death_in_the_log_fails(tmp_path):
    log = tmp_path / "log"
    log.write_text("LOG:  server process (PID 7) was terminated by signal 9: Killed\n")
    fake = Server({"EPE_SERVER_LOG": str(log)})
    fake.fail_on_signal_death()  # older log lines are ignored
    with log.open("a") as out:
        out.write("LOG:  server process (PID 8) was terminated by signal 11: Segmentation fault\n")
    with pytest.raises(pytest.fail.Exception, match="signal 11"):
        fake.fail_on_signal_death()


def test_with_server_notices_a_killed_server_process():
    with with_server.PrivateServer() as private:
        environment = private.environment
        with psycopg.connect(
            host=environment["PGHOST"],
            port=environment["PGPORT"],
            user=environment["PGUSER"],
            dbname="postgres",
        ) as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
            ).fetchone()
        assert private.signal_deaths() == []
        with_server.os.kill(row[0], with_server.signal.SIGKILL)
        private.stop()
        assert any("terminated by signal 9" in line for line in private.signal_deaths())
    assert not private.directory.exists()
