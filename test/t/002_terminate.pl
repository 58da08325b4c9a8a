# Terminate, fast shutdown and the loss of the client end a script that does not want to stop.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "log_min_messages = info\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION oml_epe');

# It takes an advisory lock when it is where it shall be stopped.
my %bodies = (
	loop => 'while True: pass',
	sleep => 'time.sleep(600)',
	lock => 'threading.Event().wait()');
for my $name (sort keys %bodies)
{
	$node->safe_psql(
		'postgres', qq{SELECT pyq_script_create('$name', \$\$
import threading, time
import oml

def $name():
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared(7005)")
    while True:
        try:
            $bodies{$name}
        except BaseException:
            pass
\$\$)});
}

# Starts a session that runs the script, and waits until it does.
sub start_script
{
	my ($name) = @_;
	my %session = (stdout => '', stderr => '');
	$session{run} = IPC::Run::start(
		[
			'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
			"SELECT * FROM pyq_eval(NULL, NULL::int, '$name')"
		],
		'<', \undef,
		'>', \$session{stdout},
		'2>', \$session{stderr},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	ok( $node->poll_query_until(
			'postgres',
			"SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7005"),
		"script $name runs");
	return \%session;
}

# The log from an offset on, without a process that died by a signal.
sub log_is_clean
{
	my ($offset, $what) = @_;
	my $log = slurp_file($node->logfile, $offset);
	unlike($log, qr/was terminated by signal|PANIC|TRAP|crash of another/, "$what: no process died");
	return;
}

for my $name (sort keys %bodies)
{
	my $offset = -s $node->logfile;
	my $session = start_script($name);
	is( $node->safe_psql(
			'postgres',
			"SELECT pg_terminate_backend(pid, 20000) FROM pg_locks
			 WHERE locktype = 'advisory' AND objid = 7005"),
		't',
		"pg_terminate_backend ends $name");
	$session->{run}->finish;
	like(
		$session->{stderr},
		qr/terminating connection due to administrator command/,
		"the client of $name gets the error");
	log_is_clean($offset, $name);
}

for my $name (sort keys %bodies)
{
	my $offset = -s $node->logfile;
	my $session = start_script($name);
	# pg_ctl waits for PGCTLTIMEOUT seconds; the tests' harness fails when it gives up.
	ok($node->stop('fast', fail_ok => 1), "a fast shutdown ends $name");
	$session->{run}->finish;
	like(
		$session->{stderr},
		qr/terminating connection due to administrator command/,
		"the client of $name gets the error");
	log_is_clean($offset, "fast shutdown of $name");
	$node->start;
}

# The client has disconnected: the script ends when PostgreSQL detects it.
$node->append_conf('postgresql.conf', "client_connection_check_interval = '50ms'\n");
$node->reload;
my $offset = -s $node->logfile;
my $session = start_script('sleep');
$session->{run}->kill_kill;
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7005"),
	'a script ends when its client is killed');
log_is_clean($offset, 'client killed');

is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server goes on');
$node->stop;
done_testing();
