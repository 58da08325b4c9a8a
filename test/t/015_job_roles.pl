# A job worker serves one role for all its life, roles take turns, and rights and caps are those of
# the moment at which a job starts.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Engines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'oml_epe'
oml_epe.max_jobs = 1
max_worker_processes = 20
oml_epe.job_timeout_min = 1
});
$node->start;
my @roles = ('ann', 'ben', 'cid');
my $setup = q{
CREATE EXTENSION oml_epe;
SELECT pyq_script_create('run_sql', $$
import oml
def run_sql(sql):
    last = None
    for each in sql:
        cursor = oml.cursor()
        cursor.execute(each)
        last = each
    return [list(row) for row in cursor.fetchall()] if last.startswith("SELECT") else None
$$, true);
SELECT pyq_script_create('nothing', 'def nothing(i=0): return i', true);
GRANT CREATE ON SCHEMA public TO PUBLIC;
};
$node->safe_psql('postgres', $setup);
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN") for @roles;
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', $setup);

sub as_role
{
	my ($role, $sql, $database) = @_;
	return $node->safe_psql($database // 'postgres', $sql, extra_params => [ '-U', $role ]);
}

# Submits SQL statements as a job; the rows of the last, if it is a SELECT, are the result.
sub submit
{
	my ($role, $statements, %more) = @_;
	my $sql = join ', ', map { '"' . s/(["\\])/\\$1/gr =~ s/\s+/ /gr . '"' } @$statements;
	my $controls = $more{controls} ? ", $more{controls}" : '';
	return as_role($role, qq{SELECT right(value, 36) FROM
		pyq_eval(\$j\${"oml_async_flag": true$controls, "sql": [$sql]}\$j\$, NULL, 'run_sql')
		AS t(name text, value text)}, $more{database});
}

sub wait_for_job
{
	my ($id, $database) = @_;
	return $node->safe_psql($database // 'postgres', "SELECT pyq_job_wait('$id', '60 s')");
}

sub outcome
{
	my ($id) = @_;
	wait_for_job($id);
	return $node->safe_psql('postgres',
		"SELECT state, error[1], error[2] FROM pyqsys.jobs WHERE id = '$id'");
}

sub result
{
	my ($role, $statements) = @_;
	my $id = submit($role, $statements);
	return outcome($id) if wait_for_job($id) ne 'finished';
	return as_role($role, "SELECT value FROM pyq_job_result('$id') AS t(name text, value text)");
}

my $workers = q{pg_stat_activity WHERE backend_type = 'oml_epe job worker'};
sub worker_pids { return $node->safe_psql('postgres', "SELECT pid FROM $workers ORDER BY pid"); }
sub await { my ($query, $what) = @_; return ok($node->poll_query_until('postgres', $query), $what); }
sub set_conf
{
	my ($name, $value) = @_;
	$node->adjust_conf('postgresql.conf', $name, $value);
	$node->reload;
	return await("SELECT current_setting('$name') = '$value'", "$name is $value");
}

# ------------------------------------------------------------ no state passes from role to role
{
	as_role('ann', q{
CREATE SCHEMA trap;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
CREATE FUNCTION trap.spring(v pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'ann' THEN EXECUTE 'ALTER ROLE ann SUPERUSER'; END IF;
	RETURN true;
END $$;}) if $node->safe_psql('postgres', 'GRANT CREATE ON DATABASE postgres TO ann') eq '';
	result('ann', [
			'CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (trap.spring(value))',
			q{SET app.tenant = 'ann'},
			'SET standard_conforming_strings = off',
			'SELECT pg_catalog.pg_advisory_lock(4711)' ]);
	my $first = $node->safe_psql('postgres', "SELECT pid FROM $workers AND usename = 'ann'");
	is(result('postgres', [q{SELECT 'fine'::text}]), '[["fine"]]', q{a superuser's job runs});
	is($node->safe_psql('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'ann'}),
		'f', 'it has not run what another role has left behind');
	is( result('ben', [q{SELECT pg_catalog.current_setting('app.tenant', true),
			pg_catalog.current_setting('standard_conforming_strings'),
			(SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory'
				AND pid = pg_catalog.pg_backend_pid())}]),
		'[[null,"on",0]]', 'nor has an ordinary role its settings and locks');
	isnt($node->safe_psql('postgres', "SELECT pid FROM $workers AND usename = 'ben'"),
		$first, 'another role has another worker');
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM $workers AND usename NOT IN ('ann', 'ben', 'postgres')"),
		'0', 'pg_stat_activity shows the role of a worker');
}

# -------------------------------------------------- nor from a job to the next one of its role
{
	as_role('ann', 'CREATE SEQUENCE counter');
	my $pid = result('ann', [
			q{SET app.tenant = 'first'}, 'SET search_path = trap',
			'CREATE TEMP TABLE left_over (i pg_catalog.int4)',
			'PREPARE left_over AS SELECT 1',
			q{SELECT pg_catalog.pg_advisory_lock(4711), pg_catalog.nextval('public.counter')},
			'SELECT pg_catalog.pg_backend_pid()' ]);
	my $left = q{SELECT coalesce(current_setting('app.tenant', true), ''),
		current_setting('search_path'), to_regclass('pg_temp.left_over') IS NULL,
		(SELECT count(*) FROM pg_prepared_statements),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), pg_backend_pid()};
	my ($number) = $pid =~ /(\d+)/;
	is(result('ann', [$left]), qq{[["","\\"\$user\\", public",true,0,0,$number]]},
		'the next job in the same process finds none of it');
	my $id = submit('ann', [q{SELECT currval('public.counter')}]);
	like(outcome($id), qr/^failed\|55000\|.*currval of sequence/, 'nor the value of a sequence');
	# Session state left by a job that was rolled back.
	$id = submit('ann', [ 'SELECT pg_advisory_lock(4712)', 'PREPARE p AS SELECT 1', 'SELECT 1/0' ]);
	like(outcome($id), qr/^failed\|22012/, 'a job fails');
	is(result('ann', [$left]), qq{[["","\\"\$user\\", public",true,0,0,$number]]},
		'and leaves nothing either');
}

# ------------------------------------------------------------------------- settings that harm
{
	$node->safe_psql('postgres', q{
ALTER ROLE ben SET default_transaction_read_only = on;
ALTER ROLE ben SET lock_timeout = '1ms';
ALTER ROLE ben SET statement_timeout = '1ms';
ALTER ROLE ben SET exit_on_error = on});
	my $id = $node->safe_psql('postgres', q{SET SESSION AUTHORIZATION ben;
		SELECT right(value, 36) FROM pyq_eval('{"oml_async_flag": true}', NULL, 'nothing')
		AS t(name text, value text)});
	is(wait_for_job($id), 'finished', 'a job runs whatever timeouts its role has');
	$node->safe_psql('postgres', 'ALTER ROLE ben RESET ALL');
}

# --------------------------------------------------------------------------------- round robin
sub queue_up
{
	my ($role, $count, $database) = @_;
	as_role($role, qq{SELECT count(*) FROM generate_series(1, $count) AS i,
		pyq_eval(jsonb_build_object('oml_async_flag', true,
			'sql', ARRAY['SELECT pg_sleep(0.03), ' || i]), NULL::pyq_json, 'run_sql')}, $database);
	return;
}

sub await_all
{
	my ($database) = @_;
	ok( $node->poll_query_until(
			$database // 'postgres', q{SELECT count(*) = 0 FROM pyqsys.jobs
				WHERE state IN ('queued', 'running')}),
		'all jobs end');
	return;
}

{
	await_all();
	$node->safe_psql('postgres', 'DELETE FROM pyqsys.jobs; DELETE FROM pyqsys.job_results');
	# One transaction for each role; the first role's jobs alone would keep the worker for seconds.
	queue_up('ann', 100);
	queue_up('ben', 100);
	queue_up('cid', 100);
	await_all();
	# The first of each role has started before the last of any other role.
	my $late = $node->safe_psql('postgres', q{
WITH done AS (
	SELECT owner, started, row_number() OVER (PARTITION BY owner ORDER BY started) AS n
	FROM pyqsys.jobs)
SELECT count(*) FROM done AS a, done AS b
WHERE a.n = 1 AND b.n = 100 AND a.owner <> b.owner AND a.started > b.started});
	is($late, '0', 'three roles share one worker: none waits for the end of another');
	is( $node->safe_psql('postgres', q{SELECT bool_and(ordered) FROM (
			SELECT started >= lag(started) OVER (PARTITION BY owner ORDER BY number) IS NOT false
				AS ordered FROM pyqsys.jobs) AS s}),
		't', 'each role is served in the order of its jobs');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pyqsys.jobs WHERE state <> 'finished'}),
		'0', 'all have finished');
}

# A role is one in all databases: it gets its turn in each, and not a share for each.
{
	queue_up('ann', 100);
	queue_up('ann', 100, 'other');
	queue_up('ben', 50, 'other');
	await_all();
	await_all('other');
	my $all = join "\n", map {
		my $database = $_;
		map { "$database|$_" } split /\n/, $node->safe_psql($database, q{
			SELECT owner, extract(epoch FROM started) FROM pyqsys.jobs
			WHERE started > clock_timestamp() - interval '1 h' AND par_lst LIKE '%pg_sleep%'
			ORDER BY number DESC LIMIT 150})
	} 'postgres', 'other';
	my (%first, %last);
	for my $line (split /\n/, $all)
	{
		my ($database, $role, $time) = split /\|/, $line;
		next if $database eq 'postgres' && $role ne 'ann';
		my $queue = "$database $role";
		$first{$queue} = $time if !defined $first{$queue} || $time < $first{$queue};
		$last{$queue} = $time if !defined $last{$queue} || $time > $last{$queue};
	}
	ok($first{'other ann'} < $last{'postgres ann'}, 'a role gets its turn in each database');
	ok($last{'other ben'} < $last{'postgres ann'} || $last{'other ben'} < $last{'other ann'},
		'and another one is not behind both');
}

# ------------------------------------------------------------------------------------- rights
sub lock_and_queue
{
	my ($role) = @_;
	set_conf('oml_epe.max_jobs', 0);
	await("SELECT count(*) = 0 FROM $workers", 'no worker is left');
	return submit($role, ['SELECT current_user, session_user']);
}

my %losses = (
	'NOLOGIN' => [ 'ALTER ROLE cid NOLOGIN', 'ALTER ROLE cid LOGIN' ],
	'VALID UNTIL' =>
	  [ q{ALTER ROLE cid VALID UNTIL '2020-01-01'}, q{ALTER ROLE cid VALID UNTIL 'infinity'} ],
	'CONNECT' => [
		'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC',
		'GRANT CONNECT ON DATABASE postgres TO PUBLIC'
	]);
for my $loss (sort keys %losses)
{
	my $id = lock_and_queue('cid');
	my $admin = submit('postgres', ['SELECT 1']);
	$node->safe_psql('postgres', $losses{$loss}[0]);
	set_conf('oml_epe.max_jobs', 1);
	like(outcome($id), qr/^failed\|28000\|role "cid" is no longer permitted to log in/,
		"$loss: a queued job fails");
	is($node->safe_psql('postgres',
			"SELECT started IS NULL AND attempts = 0 FROM pyqsys.jobs WHERE id = '$id'"),
		't', 'without having begun');
	is(wait_for_job($admin), 'finished', q{a superuser's is not concerned});
	$node->safe_psql('postgres', $losses{$loss}[1]);
	is(result('cid', ['SELECT current_user']), '[["cid"]]', 'with the right back, jobs run');
	# Its worker waits for work now: the right is looked at again before each job. The lock is released
	# after the change of the role has been announced, while a row is seen before that.
	$node->safe_psql('postgres', 'SET ROLE cid; ' . q{
		BEGIN; SELECT count(*) FROM pyq_eval('{"oml_async_flag": true, "i": 77}', NULL::pyq_json, 'nothing');
		RESET ROLE; LOCK TABLE pyqsys.jobs; } . "$losses{$loss}[0]; COMMIT");
	$id = $node->safe_psql('postgres',
		q{SELECT id FROM pyqsys.jobs WHERE par_lst LIKE '%77%' ORDER BY number DESC LIMIT 1});
	like(outcome($id), qr/^failed\|28000/, "$loss: so does one that a waiting worker gets");
	$node->safe_psql('postgres', $losses{$loss}[1]);
}
{
	is(result('cid', ['SELECT 1']), '[[1]]', 'a worker of the role waits');
	$node->safe_psql('postgres', 'ALTER ROLE cid RENAME TO dan');
	is(result('dan', ['SELECT current_user, session_user']), '[["dan","dan"]]', 'it is renamed');
	my $id = lock_and_queue('dan');
	$node->safe_psql('postgres', 'DROP OWNED BY dan; DROP ROLE dan');
	set_conf('oml_epe.max_jobs', 1);
	like(outcome($id), qr/^failed\|28000\|the role that submitted the job no longer exists/,
		'a dropped role');
	$node->safe_psql('postgres', 'CREATE ROLE eve LOGIN');
	is(result('eve', ['SELECT 1']), '[[1]]', 'a worker waits');
	$node->safe_psql('postgres', 'DROP OWNED BY eve; DROP ROLE eve');
	is(result('ann', ['SELECT 1']), '[[1]]', 'its role is dropped, and others go on');
	await(qq{SELECT count(*) = 0 FROM $workers AND usename IS NULL}, 'it goes');
	# A role that others act for never had the right.
	$node->safe_psql('postgres', 'CREATE ROLE team');
	$id = $node->safe_psql('postgres', q{SET ROLE team;
		SELECT right(value, 36) FROM pyq_eval('{"oml_async_flag": true}', NULL, 'nothing')
		AS t(name text, value text)});
	is(wait_for_job($id), 'finished', 'a job that was submitted by SET ROLE runs');
}

# A database that allows no connections: its jobs wait.
{
	set_conf('oml_epe.max_jobs', 0);
	my $id = submit('ann', ['SELECT 1'], database => 'other');
	$node->safe_psql('postgres', 'ALTER DATABASE other ALLOW_CONNECTIONS false');
	set_conf('oml_epe.max_jobs', 1);
	is(result('ann', ['SELECT 1']), '[[1]]', 'others run');
	$node->safe_psql('postgres', 'ALTER DATABASE other ALLOW_CONNECTIONS true');
	is(wait_for_job($id, 'other'), 'finished', 'and when it is open again, they run');
}

# --------------------------------------------------------------------------- at a time, a role
sub running
{
	my ($role) = @_;
	return qq{SELECT count(*) FROM pyqsys.jobs WHERE state = 'running' AND owner::regrole::text = '$role'};
}

{
	set_conf('oml_epe.max_jobs', 6);
	my $lock_session = $node->background_psql('postgres');
	$lock_session->query_safe('SELECT pg_advisory_lock(9)');
	my $hold = 'SELECT pg_advisory_xact_lock_shared(9)';
	$node->safe_psql('postgres', 'ALTER ROLE ann SET oml_epe.max_jobs_per_role = 2');
	my @ids = map { submit('ann', [$hold]) } 1 .. 4;
	my $ben = submit('ben', [$hold]);
	await(running('ben') =~ s/count\(\*\)/count(*) = 1/r, 'another role is not concerned');
	await(running('ann') =~ s/count\(\*\)/count(*) = 2/r, 'two jobs run');
	my $elsewhere = submit('ann', ['SELECT 1'], database => 'other');
	is(wait_for_job(submit('ben', ['SELECT 1'])), 'finished', 'the server has room');
	is($node->safe_psql('postgres', running('ann')), '2', 'and no third one has started');
	is($node->safe_psql('other', "SELECT state FROM pyq_jobs WHERE id = '$elsewhere'"),
		'queued', 'in no database');
	$node->safe_psql('postgres', 'ALTER ROLE ann SET oml_epe.max_jobs_per_role = 3');
	is(wait_for_job($elsewhere, 'other'), 'finished', 'with a higher cap the third one starts');
	await(running('ann') =~ s/count\(\*\)/count(*) = 3/r, 'three run');
	$node->safe_psql('postgres', 'ALTER ROLE ann RESET oml_epe.max_jobs_per_role');
	await(running('ann') =~ s/count\(\*\)/count(*) = 4/r, 'without a cap all run');
	$node->safe_psql('postgres', 'ALTER DATABASE postgres SET oml_epe.max_jobs_per_role = 1');
	$lock_session->quit;
	is(wait_for_job($_), 'finished', 'they finish') for @ids, $ben;
	queue_up('ann', 20);
	my $most = 0;
	while ($node->safe_psql('postgres', q{SELECT count(*) FROM pyqsys.jobs WHERE state = 'queued'}) > 0)
	{
		my $now = $node->safe_psql('postgres', running('ann'));
		$most = $now if $now > $most;
	}
	is($most, 1, 'the cap of a database holds');
	$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET oml_epe.max_jobs_per_role');
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		'ALTER ROLE ann SET oml_epe.max_jobs_per_role = 9', extra_params => [ '-U', 'ann' ]);
	like($stderr, qr/permission denied/, 'a role cannot change its own');
	await_all();
}

stop_and_check_log($node);
done_testing();
