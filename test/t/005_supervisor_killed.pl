# The supervisor of the engines is killed: calls that wait for an engine wait for the next one, in
# order, and engines that have stopped themselves do not outlive their backends or the server.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Engines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# Named so that tools/check expects backends of it to be killed.
my $node = PostgreSQL::Test::Cluster->new('killed');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'oml_epe'\nrestart_after_crash = on\noml_epe.engine = process\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION oml_epe; CREATE ROLE halter LOGIN; CREATE TABLE seen (n serial, name text)');
my $statements = store_hangs($node);
$node->safe_psql(
	'postgres', q{
SELECT pyq_script_create('steady', $$
import time, oml
def steady():
    cursor = oml.cursor()
    cursor.execute("SELECT pg_advisory_xact_lock_shared(7004, 1)")
    while True:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(7005)")
        if cursor.fetchone()[0]:
            return 1
        time.sleep(0.1)
$$);
SELECT pyq_script_create('enter', $$
import oml
def enter(name):
    oml.cursor().execute("INSERT INTO public.seen (name) VALUES ($1)", (name,))
    return 1
$$);
SELECT pyq_script_create('index', 'def index_(index): return index');
});

sub supervisors { return named(postmaster_pid($node), 'epe_supervisor'); }

# The one that has a zygote: it serves.
sub supervisor
{
	my $found;
	wait_for('a supervisor with a zygote',
		sub { named(postmaster_pid($node), 'epe_zygote') && (($found) = supervisors()) });
	return $found;
}

sub launcher { return processes()->{ supervisor() }[1]; }

sub engine_of
{
	my ($backend) = @_;
	return $node->safe_psql('postgres', "SELECT pid FROM pyq_engines WHERE backend_pid = $backend");
}

sub queued { return $node->safe_psql('postgres', "SELECT count(*) FROM pyq_engines WHERE state = 'queued'"); }

my $call = q{SELECT * FROM pyq_eval('{"n": 5}', NULL::int, 'fine')};
my $parallel = q{SELECT sum(i) FROM pyq_index_eval('{"oml_parallel": 4}', NULL::int, 30, 'index') AS i};

# ------------------------------------------------------------ calls wait for the next supervisor
# Whatever stage they have reached: connecting, waiting, being started, granted.
for my $round (1 .. 6)
{
	my @sessions;
	for my $number (1 .. 5)
	{
		push @sessions, start_session($node, $number % 2 ? q{SELECT * FROM pyq_eval('{"n": 465}', NULL::int, 'fine')} : $parallel);
		# Once, or several times in a row, at different moments of the calls.
		kill 'KILL', supervisors() if $number >= 6 - $round;
	}
	my @answers = map { $_->{run}->finish; $_->{stdout} . $_->{stderr} } @sessions;
	is_deeply(\@answers, [ ("465\n") x 5 ], "round $round: all calls are answered");
}

# The guard that counts an engine's watches serves it until it ends, whichever supervisor there is.
{
	my $lock = $node->background_psql('postgres');
	$lock->query_safe('SELECT pg_advisory_lock(7005)');
	my $session = start_session($node, q{SELECT * FROM pyq_eval(NULL, NULL::int, 'steady')});
	wait_until_reached($node, 1);
	my @guards = @{ engine_tree(postmaster_pid($node))->{epe_guard} };
	ok(scalar @guards, 'there is a guard');
	my ($before) = supervisor();
	kill 'KILL', $before;
	wait_for('another supervisor', sub { my ($now) = supervisor(); $now != $before });
	is(scalar alive(@guards), scalar @guards, 'it outlives the supervisor');
	$lock->quit;
	$session->{run}->finish;
	is($session->{stdout}, "1\n", 'and the engine its supervisor');
	ok(wait_until_gone({ guards => \@guards }), 'it ends after its engines');
}

# In the order of the requests, independent of the order of reconnection.
$node->append_conf('postgresql.conf', 'oml_epe.max_engines = 1');
$node->reload;
my $lock_session = $node->background_psql('postgres');
$lock_session->query_safe('SELECT pg_advisory_lock(7005)');
my $first = start_session($node, q{SELECT * FROM pyq_eval(NULL, NULL::int, 'steady')});
wait_until_reached($node, 1);
my @waiting;
for my $name ('a' .. 'd')
{
	push @waiting, start_session($node, qq{SELECT * FROM pyq_eval('{"name": "$name"}', NULL::int, 'enter')});
	ok(wait_for('queued', sub { queued() == @waiting }), "$name waits");
}
for my $times (1 .. 3)
{
	my $old = supervisor();
	kill 'KILL', $old;
	ok(wait_for('another', sub { supervisor() != $old }), "supervisor $times has been killed");
	ok(wait_for('queued', sub { queued() == @waiting }), 'the next one knows the pending requests');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pyq_engines WHERE state = 'busy'"),
		1, 'and the engine that works, which counts');
}
$lock_session->query_safe('SELECT pg_advisory_unlock(7005)');
for my $session ($first, @waiting) { $session->{run}->finish; is($session->{stderr}, '', 'no error'); }
is($node->safe_psql('postgres', q{SELECT string_agg(name, '' ORDER BY n) FROM seen}),
	'abcd', 'the oldest came first, each once');
$lock_session->quit;
$node->append_conf('postgresql.conf', 'oml_epe.max_engines = 16');
$node->reload;

# While none can be started: a call can be cancelled, times out, and continues when one starts.
my $launcher = launcher();
kill 'STOP', $launcher;
kill 'KILL', supervisors();
my ($status, $stdout, $stderr) = $node->psql('postgres', "SET statement_timeout = '300ms'; $call");
like($stderr, qr/canceling statement due to statement timeout/, 'a call that waits for a supervisor times out');
($status, $stdout, $stderr) = $node->psql('postgres', "SET oml_epe.engine_wait_timeout = '300ms'; $call");
like($stderr, qr/the supervisor of the Python engines has not answered within 300 ms/, 'or gives up, and says why');
my $session = start_session($node, q{SELECT * FROM pyq_eval('{"n": 5}', NULL::int, 'fine')});
ok($node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM pyq_eval%' AND wait_event = 'Extension'}),
	'a call waits');
ok($node->safe_psql('postgres', q{SELECT bool_and(pg_cancel_backend(pid)) FROM pg_stat_activity
	WHERE query LIKE 'SELECT * FROM pyq_eval%'}), 'it is cancelled');
$session->{run}->finish;
like($session->{stderr}, qr/canceling statement due to user request/, 'and ends');
$session = start_session($node, q{SELECT * FROM pyq_eval('{"n": 5}', NULL::int, 'fine')});
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM pyq_eval%' AND wait_event = 'Extension'});
kill 'CONT', $launcher;
$session->{run}->finish;
is("$session->{stdout}$session->{stderr}", "5\n", 'another is answered by the next supervisor');

# When none can be started, the reason comes.
for my $case (
	[ '/nowhere/engine', qr/could not run the engine program "\/nowhere\/engine": No such file or directory/ ],
	[ '/bin/false', qr/the supervisor of the engines exited with status 1/ ])
{
	my ($program, $reason) = @$case;
	$node->append_conf('postgresql.conf', "oml_epe.engine_program = '$program'");
	my $offset = -s $node->logfile;
	$node->reload;
	$node->wait_for_log(qr/parameter "oml_epe.engine_program" changed/, $offset);
	$launcher = launcher() if supervisors();
	kill 'KILL', supervisors();
	($status, $stdout, $stderr) = $node->psql('postgres', $call);
	like($stderr, qr/could not start a Python engine: .*$reason/, "$program: the call fails with the reason");
	($status, $stdout, $stderr) = $node->psql('postgres', 'TABLE pyq_engines');
	like($stderr, $reason, "$program: so does the list of engines");
}
$node->append_conf('postgresql.conf', "oml_epe.engine_program = ''");
$node->adjust_conf('postgresql.conf', 'oml_epe.engine_program', undef);
$node->reload;
ok($node->poll_query_until('postgres', $call, '5'), 'calls work again when the program does');

# -------------------------------------------------------------------------------- no leftovers
# Engines that have stopped themselves, after the supervisor that knew how they were started was
# killed. `deaf` has also closed its lifeline, by which the kernel would end it.
$node->safe_psql('postgres', q{SELECT pyq_script_create('deaf', $$
import fcntl, os, signal, oml
def deaf():
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared(7004, 1)")
    for number in range(3, 256):
        try:
            fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) & ~os.O_ASYNC)
        except OSError:
            pass
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)
$$, true)});
my %ways = (
	'backend terminated' => sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") },
	'backend killed' => sub { kill_process($_[0]) },
	'fast stop' => sub { $node->stop('fast') },
	'immediate stop' => sub { $node->stop('immediate') },
	'postmaster killed' => sub { my $pid = postmaster_pid($node); $node->kill9; wait_for('no postmaster', sub { !-e "/proc/$pid" }) });
for my $name ('stopped', 'deaf')
{
	my $statement = "SELECT * FROM pyq_eval(NULL, NULL::int, '$name', " . ($name eq 'deaf' ? "'pyqsys')" : "'" . $node->safe_psql('postgres', 'SELECT current_user') . "')");
	for my $way (sort keys %ways)
	{
		supervisor();
		$session = start_session($node, $statement);
		wait_until_reached($node, 1);
		my $backend = $node->safe_psql('postgres',
			"SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7004");
		my $engine = engine_of($backend);
		ok(wait_for('a stopped engine', sub { (processes()->{$engine}[3] // '') eq 'T' }), "$name, $way: the engine stops");
		my $tree = tree_of(postmaster_pid($node), qr/^epe_/);
		my $old = supervisor();
		kill 'KILL', $old;
		ok(wait_for('another', sub { supervisor() != $old }), "$name, $way: there is another supervisor");
		is(engine_of($backend), $engine, "$name, $way: which knows the engine") if $way eq 'backend terminated';
		if ($way =~ /stop|postmaster/)
		{
			# Nor do a zygote and a supervisor that are stopped.
			my $more = tree_of(postmaster_pid($node), qr/^epe_/);
			push @{ $tree->{$_} }, @{ $more->{$_} } for keys %$more;
			kill 'STOP', map { named(postmaster_pid($node), $_) } qw(epe_zygote epe_supervisor);
		}
		$ways{$way}->($backend);
		if ($way =~ /backend/)
		{
			ok(wait_for('no engine', sub { !alive(@{ $tree->{epe_engine} }) }), "$name, $way: it is gone");
		}
		else
		{
			ok(wait_until_gone($tree), "$name, $way: nothing is left");
		}
		$session->{run}->finish;
		if ($way eq 'backend killed') { wait_for_connections($node); }
		elsif ($way ne 'backend terminated') { $node->start; }
		is($node->safe_psql('postgres', $call), '5', "$name, $way: the next call works");
		ok(wait_for('no folder', sub { !engine_folders($node) }), "$name, $way: no folder is left");
	}
}

# Without a process that could end it before: the next server finds it.
$session = start_session($node, q{SELECT * FROM pyq_eval(NULL, NULL::int, 'deaf', 'pyqsys')});
wait_until_reached($node, 1);
my $tree = tree_of(postmaster_pid($node), qr/^epe_/);
my ($engine) = map { (split /:/)[0] } @{ $tree->{epe_engine} };
ok(wait_for('a stopped engine', sub { (processes()->{$engine}[3] // '') eq 'T' }), 'an engine stops');
my $deaf_launcher = launcher();
kill 'STOP', $deaf_launcher;
kill 'KILL', supervisors();
{
	my $pid = postmaster_pid($node);
	my $backends = tree_of($pid, qr/./);
	# The backend as well: one that sees that the postmaster is gone ends its engines.
	my $caller = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity
		WHERE query LIKE '%deaf%' AND pid <> pg_backend_pid()});
	kill 'KILL', $caller, $pid, $deaf_launcher;
	$node->kill9;
	wait_for('no postmaster', sub { !-e "/proc/$pid" });
	my @others = map { @{ $backends->{$_} } } grep { !/^epe_(engine|guard)$/ } keys %$backends;
	ok(wait_for('no server process', sub { !alive(@others) }), 'the server goes');
}
$session->{run}->finish;
is(scalar alive(@{ $tree->{epe_engine} }), 1, 'it outlives everything that knew of it');
$node->start;
ok(wait_until_gone($tree), 'and ends when the next server starts');
is($node->safe_psql('postgres', $call), '5', 'which runs scripts');
ok(wait_for('no folder', sub { !engine_folders($node) }), 'no folder is left');
stop_and_check_log($node);
done_testing();
