# Cancelling and deleting a job is answered at once in every state, no open transaction holds a
# worker, and a job's limits cover its commit.
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
oml_epe.job_timeout_min = 1
});
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION oml_epe;
CREATE ROLE ann LOGIN;
CREATE SCHEMA ann AUTHORIZATION ann;
SET SESSION AUTHORIZATION ann;
CREATE TABLE ann.effects (tag text);
CREATE TABLE ann.late (lock int);
CREATE FUNCTION ann.hang() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.pg_advisory_xact_lock_shared(new.lock);
	RETURN new;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON ann.late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION ann.hang();
-- Another one that puts itself off again.
CREATE TABLE ann.later (lock int);
CREATE FUNCTION ann.put_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SET CONSTRAINTS ALL DEFERRED;
	INSERT INTO ann.late VALUES (new.lock);
	RETURN new;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON ann.later DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION ann.put_off();
CREATE FUNCTION ann.wait(lock int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.pg_advisory_xact_lock_shared(lock);
	RETURN lock;
END $$;
SELECT pyq_script_create('work', $$
import oml
def work(tag, sql=None):
    oml.cursor().execute("INSERT INTO ann.effects VALUES ($1)", (tag,))
    if sql:
        oml.cursor().execute(sql)
    return tag
$$);
});

sub as_ann
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', 'ann' ]);
}

my $tags = 0;
sub submit
{
	my ($sql, $more) = @_;
	my $tag = 'tag' . ++$tags;
	$sql = defined $sql ? qq{, "sql": "$sql"} : '';
	$more = $more ? ", $more" : '';
	return as_ann(qq{SELECT right(value, 36) FROM pyq_eval(
		'{"oml_async_flag": true, "tag": "$tag"$sql$more}', NULL, 'work')
		AS t(name text, value text)}), $tag;
}

sub state_of { return $node->safe_psql('postgres', "SELECT state FROM pyqsys.jobs WHERE id = '$_[0]'"); }
sub outcome { return $node->safe_psql('postgres', "SELECT pyq_job_wait('$_[0]', '60 s')"); }
sub effects { return $node->safe_psql('postgres', "SELECT count(*) FROM ann.effects WHERE tag = '$_[0]'"); }
sub await { my ($query, $what) = @_; return ok($node->poll_query_until('postgres', $query), $what); }
sub await_lock { return await(q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, $_[0]); }
# statement_timeout means "at once": without it these would wait for minutes.
sub at_once
{
	my ($function, $id) = @_;
	return as_ann("SET statement_timeout = '20s'; SELECT $function('$id')")
	  if $function eq 'pyq_cancel_job';
	return as_ann("SET statement_timeout = '20s'; SELECT coalesce(value, name) FROM $function('$id')");
}
sub session { return $node->background_psql('postgres', extra_params => [ '-U', 'ann' ]); }
sub others_run
{
	my ($id) = submit();
	return is(outcome($id), 'finished', $_[0]);
}
sub nothing_is_left
{
	await('SELECT count(*) = 0 FROM pyqsys.job_changes', "$_[0]: no change is left to be made");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pyqsys.jobs WHERE state IN ('queued', 'running')}),
		'0', "$_[0]: no job is stuck");
	return;
}

my $lock_session = $node->background_psql('postgres');
$lock_session->query_safe('SELECT pg_advisory_lock(7)');

# ------------------------------------------------------------------- jobs that hang at their end
my %ends = (
	'a deferred trigger' => 'INSERT INTO ann.late VALUES (7)',
	'a deferred trigger of a deferred one' => 'INSERT INTO ann.later VALUES (7)',);
for my $end (sort keys %ends)
{
	my ($id, $tag) = submit($ends{$end});
	await_lock("$end hangs");
	is(at_once('pyq_cancel_job', $id), 't', "$end: a cancel is answered");
	is(state_of($id), 'cancelled', "$end: the job is cancelled");
	others_run("$end: the worker goes on");
	is(effects($tag), '0', "$end: nothing is left");

	($id, $tag) = submit($ends{$end});
	await_lock("$end hangs");
	is(at_once('pyq_delete_job', $id), 'job deleted successfully', "$end: so is a deletion");
	is(state_of($id), '', "$end: the job is gone");
	others_run("$end: the worker goes on");

	($id, $tag) = submit($ends{$end}, '"timeout": 1');
	is(outcome($id), 'timed out', "$end: the time limit holds");
	is(effects($tag), '0', "$end: nothing is left");
}
{
	my ($id, $tag) = submit('DO $$BEGIN EXECUTE \'\'DECLARE c CURSOR WITH HOLD FOR SELECT ann.wait(7)\'\'; END$$');
	is(outcome($id), 'finished', 'a cursor WITH HOLD is closed, not run to its end at the commit');
	is(effects($tag), '1', 'the rest of the job is done');
	($id, $tag) = submit('INSERT INTO ann.late VALUES (8)');
	is(outcome($id), 'finished', 'deferred triggers that pass do no harm');
	is(effects($tag), '1', 'to what the job has done');
}

# ---------------------------------------------------------- an open transaction that has cancelled
for my $function ('pyq_cancel_job', 'pyq_delete_job')
{
	for my $end ('COMMIT', 'ROLLBACK')
	{
		my $what = "$function, $end";
		my ($id, $tag) = submit('SELECT pg_advisory_xact_lock_shared(7)');
		await_lock("$what: a job runs");
		my $session = session();
		$session->query_safe("BEGIN; SELECT $function('$id')");
		$lock_session->query_safe('SELECT pg_advisory_unlock(7)');
		others_run("$what: the worker goes on while the transaction is open");
		is(state_of($id), 'running', "$what: nothing is decided");
		is(at_once('pyq_job_status', $id), 'job is still running', "$what: and it is seen so");
		$session->query_safe($end);
		$session->quit;
		if ($end eq 'ROLLBACK')
		{
			is(outcome($id), 'finished', "$what: the job finishes");
		}
		elsif ($function eq 'pyq_cancel_job')
		{
			is(state_of($id), 'cancelled', "$what: it is cancelled");
		}
		else
		{
			is(state_of($id), '', "$what: it is gone");
		}
		nothing_is_left($what);
		is(effects($tag), $end eq 'ROLLBACK' ? '1' : '0', "$what: so is what it did");
		$lock_session->query_safe('SELECT pg_advisory_lock(7)');
	}
}

# A job that fails meanwhile keeps its error.
{
	my ($id, $tag) =
	  submit('SELECT 1 / length(left(pg_advisory_xact_lock_shared(7)::text, 0))');
	await_lock('a job that will fail runs');
	my $session = session();
	$session->query_safe("BEGIN; SELECT pyq_cancel_job('$id')");
	$lock_session->query_safe('SELECT pg_advisory_unlock(7)');
	others_run('the worker goes on');
	is($node->safe_psql('postgres', 'SELECT state FROM pyqsys.job_changes'), 'failed', 'its outcome is kept');
	$node->stop('immediate');
	$node->start;
	is(outcome($id), 'failed', 'over a crash of the server too');
	is($node->safe_psql('postgres', "SELECT error[1] FROM pyqsys.jobs WHERE id = '$id'"),
		'22012', 'with its error');
	nothing_is_left('a deferred outcome');
	eval { $session->quit };
	eval { $lock_session->quit };
	$lock_session = $node->background_psql('postgres');
	$lock_session->query_safe('SELECT pg_advisory_lock(7)');
}

# --------------------------------------------------- two sessions at the same job, in every state
for my $function ('pyq_cancel_job', 'pyq_delete_job')
{
	for my $state ('queued', 'running')
	{
		for my $end ('COMMIT', 'ROLLBACK')
		{
			my $what = "$function of a $state job, the other session: $end";
			my ($running) = submit('SELECT pg_advisory_xact_lock_shared(7)');
			await_lock("$what: a job runs");
			my ($id, $tag) = $state eq 'running' ? ($running) : submit();
			my $session = session();
			$session->query_safe("BEGIN; SELECT pyq_cancel_job('$id')");
			my $answer = at_once($function, $id);
			is($answer, $function eq 'pyq_cancel_job' ? 't' : 'job deleted successfully',
				"$what: it is answered");
			$lock_session->query_safe('SELECT pg_advisory_unlock(7)') if $state eq 'queued';
			is(outcome($running), 'finished', "$what: others go on") if $state eq 'queued';
			$session->query_safe($end);
			$session->quit;
			my $final = $function eq 'pyq_cancel_job' ? 'cancelled' : '';
			await("SELECT coalesce((SELECT state FROM pyqsys.jobs WHERE id = '$id'), '') = '$final'",
				"$what: it takes effect");
			nothing_is_left($what);
			is(effects($tag), '0', "$what: it has done nothing") if $tag;
			$lock_session->query_safe('SELECT pg_advisory_lock(7)') if $state eq 'queued';
		}
	}
}

# A cancel that is rolled back, as a whole or to a savepoint, does not stop or lose a job.
{
	my ($running) = submit('SELECT pg_advisory_xact_lock_shared(7)');
	await_lock('a job runs');
	my ($queued) = submit();
	as_ann("BEGIN; SAVEPOINT s; SELECT pyq_cancel_job('$running'); ROLLBACK TO s; COMMIT");
	as_ann("BEGIN; SAVEPOINT s; SELECT pyq_delete_job('$running'); ROLLBACK TO s; COMMIT");
	my $session = session();
	$session->query_safe("BEGIN; SELECT pyq_cancel_job('$queued')");
	$lock_session->query_safe('SELECT pg_advisory_unlock(7)');
	is(outcome($running), 'finished', 'a rollback to a savepoint takes a cancel back');
	others_run('the worker passes over a queued job that is being cancelled');
	$session->query_safe('ROLLBACK');
	$session->quit;
	is(outcome($queued), 'finished', 'and runs it when that is rolled back');
	$lock_session->query_safe('SELECT pg_advisory_lock(7)');
}

# A table that is locked as a whole.
{
	my ($id, $tag) = submit('SELECT pg_advisory_xact_lock_shared(7)');
	await_lock('a job runs');
	my $session = $node->background_psql('postgres');
	$session->query_safe('BEGIN; LOCK TABLE pyqsys.jobs IN SHARE MODE');
	$lock_session->query_safe('SELECT pg_advisory_unlock(7)');
	await(q{SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, 'it goes on');
	is(state_of($id), 'running', 'while its table is locked, its outcome waits');
	$session->query_safe('COMMIT');
	$session->quit;
	is(outcome($id), 'finished', 'and is recorded when it is free');
	is(effects($tag), '1', 'once');
	nothing_is_left('a locked table');
	$lock_session->query_safe('SELECT pg_advisory_lock(7)');
}

# ------------------------------------------------------- the transactions that change its state
$node->safe_psql('postgres', q{
CREATE TABLE public.stop_point (state text);
INSERT INTO public.stop_point VALUES ('none');
CREATE FUNCTION public.stop_at() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF NEW.state = (SELECT p.state FROM public.stop_point AS p) THEN
		PERFORM pg_catalog.pg_advisory_xact_lock_shared(7);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER stop_at AFTER UPDATE ON pyqsys.jobs FOR EACH ROW EXECUTE FUNCTION public.stop_at();
});
for my $function ('pyq_cancel_job', 'pyq_delete_job')
{
	for my $point ('running', 'failed', 'finished')
	{
		my $what = "$function while a worker marks the job as $point";
		$node->safe_psql('postgres', "UPDATE public.stop_point SET state = '$point'");
		my ($id, $tag) = submit($point eq 'failed' ? 'SELECT 1/0' : undef);
		await_lock("$what: it is there");
		my $answer = at_once($function, $id);
		is($answer, $function eq 'pyq_cancel_job' ? 't' : 'job deleted successfully', "$what: it is answered");
		$node->safe_psql('postgres', q{UPDATE public.stop_point SET state = 'none'});
		$lock_session->query_safe('SELECT pg_advisory_unlock(7)');
		others_run("$what: the worker goes on");
		if ($function eq 'pyq_delete_job')
		{
			await("SELECT count(*) = 0 FROM pyqsys.jobs WHERE id = '$id'", "$what: it is gone");
		}
		else
		{
			# Its outcome was being written already when it failed.
			is(outcome($id), $point eq 'failed' ? 'failed' : 'cancelled', "$what: it has one outcome");
		}
		nothing_is_left($what);
		is(effects($tag), '0', "$what: it has left nothing");
		is($node->safe_psql('postgres', "SELECT count(*) FROM pyqsys.job_results WHERE job = '$id'"),
			'0', "$what: nor a result");
		$lock_session->query_safe('SELECT pg_advisory_lock(7)');
	}
}
is(at_once('pyq_cancel_job', $node->safe_psql('postgres',
			q{SELECT id FROM pyqsys.jobs WHERE state = 'finished' LIMIT 1})),
	'f', 'a finished job is not cancelled');

$lock_session->quit;
stop_and_check_log($node);
done_testing();
