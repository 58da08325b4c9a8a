# Nothing runs on a standby; after its promotion queued jobs run and running ones are lost. A dump
# carries no jobs. Without the library preloaded no job is taken.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'oml_epe'\noml_epe.max_jobs = 1\n");
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION oml_epe;
SELECT pyq_script_create('hold', $$
import oml
def hold(lock=0):
    if lock:
        oml.cursor().execute("SELECT pg_catalog.pg_advisory_xact_lock_shared(7)")
    return 42
$$);
});

sub submission
{
	my ($arguments) = @_;
	return qq{SELECT right(value, 36) FROM pyq_eval('{"oml_async_flag": true$arguments}', NULL,
		'hold') AS t(name text, value text)};
}

my $done = $node->safe_psql('postgres', submission(''));
is($node->safe_psql('postgres', "SELECT pyq_job_wait('$done', '60 s')"), 'finished', 'a job runs');

my $session = $node->background_psql('postgres');
$session->query_safe('SELECT pg_advisory_lock(7)');
my $running = $node->safe_psql('postgres', submission(', "lock": 1'));
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 1 FROM pyq_jobs WHERE state = 'running'"),
	'one runs');
my $queued = $node->safe_psql('postgres', submission(''));

my $dump = $node->backup_dir . '/jobs.sql';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'pg_dump');
unlike(slurp_file($dump), qr/\Q$queued\E|\Q$running\E|\Q$done\E/, 'a dump carries no jobs');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is( $standby->safe_psql(
		'postgres', "SELECT state FROM pyq_jobs WHERE id IN ('$queued', '$running') ORDER BY 1"),
	"queued\nrunning", 'the standby shows the jobs');
is( $standby->safe_psql(
		'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'oml_epe job%'"),
	0, 'no worker of oml_epe runs there');
is( $standby->safe_psql('postgres',
		"SELECT value FROM pyq_job_result('$done') AS t(name text, value text)"),
	'42', 'a stored result can be fetched there');
my ($status, $stdout, $stderr) = $standby->psql('postgres', submission(''));
like($stderr, qr/read-only transaction/, 'but no job submitted');

# The session, and with it the lock that the job waits for, goes with the server.
$node->stop('immediate');
eval { $session->quit };
$standby->promote;
is($standby->safe_psql('postgres', "SELECT pyq_job_wait('$queued', '60 s')"),
	'finished', 'after the promotion the queued job runs');
is($standby->safe_psql('postgres', "SELECT pyq_job_wait('$running', '60 s')"),
	'failed', 'and the running one is lost');
$standby->stop;

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->start;
($status, $stdout, $stderr) = $node->psql('postgres', submission(''));
like($stderr, qr/jobs need oml_epe in "shared_preload_libraries"/,
	'without the preloaded library a submission is refused');
is( $node->safe_psql('postgres',
		"SELECT value FROM pyq_job_result('$done') AS t(name text, value text)"),
	'42', 'results can still be fetched');
$node->stop;
done_testing();
