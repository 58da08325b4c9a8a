# 200 jobs under random crashes: each has one outcome, consistent with its changes.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Engines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $jobs = 200;
my $seed = $ENV{EPE_SEED} || time;
srand($seed);
note("EPE_SEED=$seed");

# Named so that tools/check expects processes of it to be killed.
my $node = PostgreSQL::Test::Cluster->new('killed');
$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'oml_epe'
restart_after_crash = on
oml_epe.max_jobs = 3
});
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION oml_epe;
CREATE TABLE public.effects (tag int);
SELECT pyq_script_create('work', $$
import random, time
import oml

def work(tag, fails):
    oml.cursor().execute("INSERT INTO public.effects VALUES ($1)", (tag,))
    time.sleep(random.random() / 20)
    if fails:
        raise ValueError("it fails")
    return tag
$$);
});

# Submits, retrying after crashes. A commit whose response is lost may have happened.
my $submitted = 0;
sub submit
{
	my ($tag) = @_;
	my $retries = int(rand(3));
	my $fails = $tag % 20 == 0 ? 'true' : 'false';
	for (1 .. 600)
	{
		my ($status) = $node->psql(
			'postgres', qq{SELECT count(*) FROM pyq_eval(
			'{"oml_async_flag": true, "oml_retries": $retries, "tag": $tag, "fails": $fails}',
			NULL, 'work') AS t(name text, value text)
			WHERE NOT EXISTS (SELECT FROM pyqsys.jobs
				WHERE (par_lst::json ->> 'tag')::int = $tag)},
			on_error_die => 0, on_error_stop => 1);
		return ++$submitted if defined $status && $status == 0;
		select undef, undef, undef, 0.05;
	}
	die "cannot submit";
}

sub pid_of
{
	my ($type, $signal) = @_;
	my ($status, $pid) = $node->psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' ORDER BY random() LIMIT 1");
	kill $signal, $pid if defined $pid && $pid =~ /^\d+$/;
	return;
}

my @blows = (
	(sub { pid_of('oml_epe job worker', 'TERM') }) x 6,
	(sub { pid_of('oml_epe job worker', 'KILL') }) x 2,
	sub { pid_of('oml_epe job launcher', 'KILL') },
	(sub { pid_of('oml_epe job launcher', 'TERM') }) x 2,
	sub { $node->stop('immediate'); $node->start; },
	sub { $node->restart; },
	(
		sub {
			my ($status, $pid) = $node->psql('postgres',
				"SELECT pid FROM pyq_engines WHERE state = 'busy' ORDER BY random() LIMIT 1");
			kill 'KILL', $pid if defined $pid && $pid =~ /^\d+$/;
		}) x 6);

for my $tag (1 .. $jobs)
{
	submit($tag);
	$blows[ rand @blows ]->() if rand() < 0.15;
}
is($submitted, $jobs, 'all are submitted');
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = $jobs FROM pyq_jobs WHERE state IN ('finished', 'failed')"),
	'each has an outcome');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM pyqsys.jobs AS j
	LEFT JOIN (SELECT tag, count(*) AS n FROM effects GROUP BY tag) AS e
		ON e.tag = (j.par_lst::json ->> 'tag')::int
	LEFT JOIN (SELECT job, count(*) AS n FROM pyqsys.job_results GROUP BY job) AS r ON r.job = j.id
WHERE (coalesce(e.n, 0), coalesce(r.n, 0)) <> ((j.state = 'finished')::int, (j.state = 'finished')::int)}),
	0,
	'which agrees with what it wrote');
is( $node->safe_psql('postgres', 'SELECT count(*) FROM effects AS e WHERE NOT EXISTS
	(SELECT FROM pyqsys.jobs AS j WHERE (j.par_lst::json ->> \'tag\')::int = e.tag)'),
	0, 'nothing else was written');
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM pyqsys.jobs WHERE state = 'failed' AND error[1] NOT IN ('57P02', '38000')
	OR state = 'finished' AND (par_lst::json ->> 'fails')::bool}),
	0, 'each failure has a reason given by oml_epe');
note($node->safe_psql('postgres',
	q{SELECT state, error[2], attempts, count(*) FROM pyqsys.jobs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3}));

stop_and_check_log($node);
done_testing();
