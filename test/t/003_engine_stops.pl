# A fast shutdown, and the death of a backend, end engines in any state, without leftovers.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Engines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# Named so that tools/check expects backends of it to be killed.
my $node = PostgreSQL::Test::Cluster->new('killed');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'oml_epe'\nrestart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION oml_epe');
my $statements = store_hangs($node);

my $call = q{SET oml_epe.engine = 'process'; SELECT * FROM pyq_eval('{"n": 5}', NULL::int, 'fine')};

for my $name (sort keys %$statements)
{
	my ($statement, $calls) = @{ $statements->{$name} };
	my $session = start_session($node, $statement);
	ok(wait_until_reached($node, $calls), "$name runs");
	my $tree = engine_tree(postmaster_pid($node));
	cmp_ok(scalar @{ $tree->{epe_engine} }, '>=', $calls, 'in engines');
	my $start = time;
	ok($node->stop('fast', fail_ok => 1), "a fast shutdown ends $name");
	note(sprintf '%s: fast shutdown %d ms', $name, 1000 * (time - $start));
	$session->{run}->finish;
	like(
		$session->{stderr},
		qr/terminating connection due to administrator command|engine/,
		'the client gets the error');
	ok(wait_until_gone($tree), 'no supervisor, zygote or engine is left');
	is_deeply([ engine_folders($node) ], [], 'and no folder');
	$node->start;
	is($node->safe_psql('postgres', $call), '5', 'the next call works');
}
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC|TRAP/, 'no process died so far');

for my $name (sort keys %$statements)
{
	my ($statement, $calls) = @{ $statements->{$name} };
	my $session = start_session($node, $statement);
	ok(wait_until_reached($node, $calls), "$name runs");
	my $tree = engine_tree(postmaster_pid($node));
	my $backend = $node->safe_psql('postgres',
		"SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7004");
	my $start = time;
	kill_process($backend);
	ok(wait_until_gone($tree), "$name: no engine outlives its backend");
	note(sprintf '%s: engines gone %d ms after the backend', $name, 1000 * (time - $start));
	$session->{run}->finish;
	ok(wait_for_connections($node), 'the server is there again');
	is($node->safe_psql('postgres', $call), '5', 'the next call works');
	ok(wait_for('no folder', sub { !engine_folders($node) }), 'no folder is left');
}
stop_and_check_log($node);
done_testing();
