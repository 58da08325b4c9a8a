# Engine launcher, supervisor, zygote and postmaster are killed: processes that PostgreSQL does not end
# continue, and a restart ends all engines.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Engines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('killed');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nlog_min_messages = info\n");
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'oml_epe'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION oml_epe');
my $statements = store_hangs($node);
# Says that it runs, and ends once the lock 7005 is free.
$node->safe_psql(
	'postgres', q{SELECT pyq_script_create('patient', $$
import oml
def patient():
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared(7004, 1)")
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared(7005)")
    return sum(range(1000))
$$)});

my $call = q{SET oml_epe.engine = 'process'; SELECT * FROM pyq_eval('{"n": 5}', NULL::int, 'fine')};
my $patient = q{SELECT * FROM pyq_eval(NULL, NULL::int, 'patient')};

my $postmaster = postmaster_pid($node);

# Effect of `kill` on one process while a call runs: the call and all other sessions continue.
sub survives
{
	my ($what, $signal, @pids) = @_;
	my $offset = -s $node->logfile;
	my $lock_session = $node->background_psql('postgres');
	$lock_session->query_safe('SELECT pg_advisory_lock(7005)');
	my $session = start_session($node, $patient);
	wait_until_reached($node, 1);
	my $tree = engine_tree($postmaster);
	kill $signal, @pids;
	is($node->safe_psql('postgres', $call), '5', "$what: a new session's call works at once");
	$lock_session->query_safe('SELECT pg_advisory_unlock(7005)');
	$session->{run}->finish;
	is($session->{stdout}, "499500\n", "$what: the call that was running ends well");
	is($session->{stderr}, '', "$what: without a message");
	$lock_session->quit;
	ok(wait_for('no folder', sub { !engine_folders($node) }), "$what: no folder is left");
	ok(wait_for('no engine', sub { !alive(@{ $tree->{epe_engine} }) }), "$what: nor an engine");
	is(postmaster_pid($node), $postmaster, "$what: the server has not restarted");
	unlike(slurp_file($node->logfile, $offset), qr/reinitializing/, "$what: nor recovered");
	return;
}

sub kill_postmaster
{
	my $pid = postmaster_pid($node);
	$node->kill9;
	return wait_for('no postmaster', sub { !-e "/proc/$pid" });  # no zombie either
}

# The child of the postmaster whose child the server's supervisor is.
sub launcher
{
	my $all = processes();
	for my $supervisor (named($postmaster, 'epe_supervisor'))
	{
		my $parent = $all->{$supervisor}[1];
		return $parent if exists $all->{$parent} && $all->{$parent}[1] == $postmaster
		  && slurp_file("/proc/$parent/cmdline") =~ /engine launcher/;
	}
	return;
}

# The same, once it has a supervisor.
sub await_launcher
{
	my $found;
	wait_for('an engine launcher with a supervisor', sub { $found = launcher() }) or die 'there is no engine launcher';
	return $found;
}

ok(wait_for('a zygote', sub { named($postmaster, 'epe_zygote') }), 'the server has a warm zygote');
for my $name (qw(epe_zygote epe_supervisor))
{
	my @old = named($postmaster, $name);
	survives($name, 'KILL', @old);
	my @new = named($postmaster, $name);
	is(scalar @new, 1, "there is one $name again");
	isnt($new[0], $old[0], 'another one');
}
{
	my @both = map { named($postmaster, $_) } qw(epe_supervisor epe_zygote);
	survives('both', 'KILL', @both);
}

# Asked to end, the engine launcher ends its supervisor, and is started again by the postmaster.
my $launcher = await_launcher();
my $tree = engine_tree($postmaster);
kill 'TERM', $launcher;
ok(wait_until_gone($tree), 'the supervisor of an engine launcher that ends goes, with all below it');
is($node->safe_psql('postgres', $call), '5', 'calls work without it');
ok(wait_for('an engine launcher', sub { my $new = launcher(); $new && $new != $launcher }), 'there is a new one');
is($node->safe_psql('postgres', $call), '5', 'and they work with it');
is(postmaster_pid($node), $postmaster, 'the server has not restarted');

# A killed child makes the postmaster restart all of its children.
ok(wait_for('a zygote', sub { named($postmaster, 'epe_zygote') }), 'there is a zygote');
my $session = start_session($node, $statements->{c_loop}[0]);
wait_until_reached($node, 1);
$tree = engine_tree($postmaster);
kill_process(await_launcher());
ok(wait_until_gone($tree), 'nothing of the old tree is left when the engine launcher was killed');
$session->{run}->finish;
ok(wait_for_connections($node), 'the server is there again');
is($node->safe_psql('postgres', $call), '5', 'and runs scripts');
ok(wait_for('no folder', sub { !engine_folders($node) }), 'no folder is left');

# The postmaster itself.
for my $way ('immediate stop', 'postmaster killed')
{
	$session = start_session($node, $statements->{four}[0]);
	wait_until_reached($node, 4);
	$tree = tree_of(postmaster_pid($node), qr/./);
	cmp_ok(scalar @{ $tree->{epe_engine} }, '>=', 4, "$way: four engines run");
	if ($way eq 'immediate stop') { $node->stop('immediate'); }
	else { kill_postmaster(); }
	ok(wait_until_gone($tree), "$way: nothing survives, neither engine, zygote nor supervisor");
	$session->{run}->finish;
	$node->start;
	is($node->safe_psql('postgres', $call), '5', "$way: and runs scripts");
	ok(wait_for('no folder', sub { !engine_folders($node) }), "$way: no folder is left");
}

# Without shared_preload_libraries each session has a supervisor of its own.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
$postmaster = postmaster_pid($node);
is_deeply(engine_tree($postmaster), {}, 'without preload nothing runs before it is wanted');
is($node->safe_psql('postgres', $call), '5', 'calls work');
ok(wait_for('nothing', sub { !%{ engine_tree($postmaster) } }), 'and leave nothing when they end');
for my $name (qw(epe_zygote epe_supervisor))
{
	my $lock_session = $node->background_psql('postgres');
	$lock_session->query_safe('SELECT pg_advisory_lock(7005)');
	$session = start_session($node, "$patient; SELECT * FROM pyq_eval('{\"n\": 6}', NULL::int, 'fine')");
	wait_until_reached($node, 1);
	$tree = engine_tree($postmaster);
	kill 'KILL', named($postmaster, $name);
	$lock_session->query_safe('SELECT pg_advisory_unlock(7005)');
	$session->{run}->finish;
	$lock_session->quit;
	is($session->{stdout}, "499500\n6\n", "own $name killed: this call and the next end well");
	is($session->{stderr}, '', 'without a message');
	ok(wait_until_gone($tree), 'nothing is left');
	is($node->safe_psql('postgres', $call), '5', 'the next session works');
	ok(wait_for('no folder', sub { !engine_folders($node) }), 'no folder is left');
}
for my $way ('backend killed', 'fast', 'postmaster killed')
{
	$session = start_session($node, $statements->{four}[0]);
	wait_until_reached($node, 4);
	$tree = $way eq 'backend killed' ? engine_tree(postmaster_pid($node)) : tree_of(postmaster_pid($node), qr/./);
	if ($way eq 'fast') { $node->stop('fast'); }
	elsif ($way eq 'postmaster killed') { kill_postmaster(); }
	else
	{
		kill_process(
			$node->safe_psql('postgres',
				"SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7004"));
	}
	ok(wait_until_gone($tree), "$way: no engine survives its backend, own supervisor or not");
	$session->{run}->finish;
	if ($way eq 'backend killed') { wait_for_connections($node); }
	else { $node->start; }
	is($node->safe_psql('postgres', $call), '5', "$way: scripts run");
	ok(wait_for('no folder', sub { !engine_folders($node) }), 'no folder is left');
}
stop_and_check_log($node);
done_testing();
