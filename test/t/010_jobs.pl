# Jobs survive whatever is killed, at each point of their life, and leave one outcome each.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Engines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Named so that tools/check expects processes of it to be killed.
my $node = PostgreSQL::Test::Cluster->new('killed');
$node->init(allows_streaming => 1);
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'oml_epe'
restart_after_crash = on
max_prepared_transactions = 2
oml_epe.max_jobs = 2
oml_epe.job_timeout_min = 1
});
$node->start;

my $setup = q{
CREATE EXTENSION oml_epe;
CREATE TABLE public.effects (tag text);
SELECT pyq_script_create('note', $$
import time
import oml

def note(tag, lock=0, sleep=0):
    oml.cursor().execute("INSERT INTO public.effects VALUES ($1)", (tag,))
    if lock:
        oml.cursor().execute("SELECT pg_catalog.pg_advisory_xact_lock_shared($1)", (lock,))
    time.sleep(sleep)
    return tag
$$);
};
$node->safe_psql('postgres', $setup);

# The statement that submits a job.
sub submission
{
	my ($tag, $more) = @_;
	$more = $more ? ", $more" : '';
	return qq{SELECT right(value, 36) FROM pyq_eval(
		'{"oml_async_flag": true, "tag": "$tag"$more}', NULL, 'note') AS t(name text, value text);};
}

sub submit { return $node->safe_psql('postgres', submission(@_)); }

sub outcome
{
	my ($id) = @_;
	return $node->safe_psql('postgres', "SELECT pyq_job_wait('$id', '60 s')");
}

sub state_is
{
	my ($id, $state, $what) = @_;
	ok( $node->poll_query_until(
			'postgres', "SELECT state = '$state' FROM pyq_jobs WHERE id = '$id'"),
		$what);
	return;
}

sub effects
{
	my ($tag) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM effects WHERE tag = '$tag'");
}

sub worker_pid
{
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'oml_epe job worker' AND state = 'active'"
	);
}

# A session that holds an advisory lock, so that jobs stop at it, until it is finished.
sub hold
{
	my ($lock) = @_;
	my $session = $node->background_psql('postgres');
	$session->query_safe("SELECT pg_advisory_lock($lock)");
	return $session;
}

sub is_waiting
{
	my ($what) = @_;
	ok( $node->poll_query_until(
			'postgres', q{SELECT count(*) > 0 FROM pg_locks
			WHERE locktype = 'advisory' AND NOT granted}),
		$what);
	return;
}

sub await_end
{
	my @processes = @_;
	while (grep { kill 0, $_ } @processes) { select undef, undef, undef, 0.05; }
	return;
}

sub after_crash
{
	my ($what) = @_;
	ok(wait_for_connections($node), "$what: the server is back");
	return;
}

# Events during a job that has a worker, and their outcomes.
my %blows = (
	'worker terminated' => sub {
		$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . worker_pid() . ')');
	},
	'worker killed' => sub { kill_process(worker_pid()); },
	'launcher killed' => sub {
		kill_process(
			$node->safe_psql('postgres',
				"SELECT pid FROM pg_stat_activity WHERE backend_type = 'oml_epe job launcher'"));
	},
	'immediate stop' => sub { $node->stop('immediate'); $node->start; },
	'fast restart' => sub { $node->restart; },
	'postmaster killed' => sub {
		# Backends end when they notice. The one that holds the lock must not be the first: the job would
		# continue.
		my $holder = $node->safe_psql('postgres',
			"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted");
		my @others = split /\n/,
		  $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE pid <> $holder");
		kill 'STOP', $holder;
		$node->kill9;
		await_end(@others);
		kill 'KILL', $holder;
		# Until all have ended another postmaster does not start.
		await_end($holder);
		$node->start;
	});

# The transactions that change a job's state, each stopped just before it commits.
my $stop_at = q{
CREATE TABLE public.stop_point (state text);
INSERT INTO public.stop_point VALUES ('none');
CREATE FUNCTION public.stop_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = (SELECT p.state FROM public.stop_point AS p) THEN
        PERFORM pg_catalog.pg_advisory_xact_lock_shared(7);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stop_at AFTER UPDATE ON pyqsys.jobs
    FOR EACH ROW EXECUTE FUNCTION public.stop_at();
};
$node->safe_psql('postgres', $stop_at);

sub stop_changes_to
{
	my ($state) = @_;
	$node->safe_psql('postgres', "UPDATE public.stop_point SET state = '$state'");
	return;
}

my $number = 0;
for my $blow (sort keys %blows)
{
	for my $point ('running', 'script', 'finished')
	{
		for my $retries (0, 1)
		{
			my $tag = 'tag' . ++$number;
			my $what = "$blow at '$point', $retries retries";
			my $session = hold(7);
			stop_changes_to($point eq 'script' ? 'none' : $point);
			my $id = submit($tag,
				"\"oml_retries\": $retries" . ($point eq 'script' ? ', "lock": 7' : ''));
			is_waiting("$what: the job has come there");
			$blows{$blow}->();
			after_crash($what);
			eval { $session->quit; };
			$node->safe_psql('postgres',
				"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE objid = 7 AND granted AND locktype = 'advisory' AND pid <> pg_backend_pid()"
			);
			stop_changes_to('none');
			# Not visibly claimed yet: it is simply claimed again.
			my $expected = $point eq 'running' || $retries ? 'finished' : 'failed';
			my $outcome = outcome($id);
			# A fast shutdown may end the session that holds the lock first: then the job continues and
			# may be done before its worker is ended.
			$expected = $outcome if $blow eq 'fast restart' && $outcome eq 'finished';
			is($outcome, $expected, "$what: $expected");
			is(effects($tag), $expected eq 'finished' ? 1 : 0, "$what: it did its work once or not at all");
			is( $node->safe_psql('postgres',
					"SELECT count(*) FROM pyqsys.job_results WHERE job = '$id'"),
				$expected eq 'finished' ? 1 : 0,
				"$what: so is its result");
			next if $expected eq 'finished';
			my ($result, $stdout, $stderr) = $node->psql('postgres',
				"\\set VERBOSITY verbose\nSELECT * FROM pyq_job_result('$id') AS t(name text, value text)"
			);
			like($stderr, qr/57P02: (the server stopped|the job's worker ended) while the job ran/,
				"$what: the reason is recorded");
		}
	}
}

# A failure is recorded, or its worker is lost on the way and that is.
{
	stop_changes_to('failed');
	my $session = hold(7);
	my $id = submit('failing', '"lock": "x"');
	is_waiting('a failure is about to be recorded');
	$blows{'immediate stop'}->();
	stop_changes_to('none');
	eval { $session->quit; };
	is(outcome($id), 'failed', 'a job that failed has failed, whichever process records it');
}

# The death of an engine affects no other process.
{
	my $id = submit('engine', '"sleep": 600');
	state_is($id, 'running', 'an engine runs the job');
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pyq_engines WHERE state = 'busy'"),
		'it is busy');
	kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pyq_engines WHERE state = 'busy'");
	is(outcome($id), 'failed', 'a job whose engine is killed has failed');
	like(
		$node->safe_psql('postgres', "SELECT error FROM pyq_jobs WHERE id = '$id'"),
		qr/signal 9|killed/i, 'and says so');
	$id = submit('engine', '"oml_retries": 1, "sleep": 2');
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pyq_engines WHERE state = 'busy'"),
		'another engine is busy');
	kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pyq_engines WHERE state = 'busy'");
	is(outcome($id), 'finished', 'with retries left it is run again');
	is(effects('engine'), 1, 'and has worked once');

	my $session = hold(7);
	$id = submit('engine that waits', '"lock": 7');
	is_waiting('the SQL of a job waits');
	kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM pyq_engines WHERE state = 'busy'");
	is(outcome($id), 'failed', 'the death of an engine ends its SQL');
	like(
		$node->safe_psql('postgres', "SELECT error FROM pyq_jobs WHERE id = '$id'"),
		qr/signal 9/, 'and is what the job has failed of');
	$session->quit;
}

# Deleting and cancelling a running job stops it at once.
{
	my $session = hold(7);
	my $id = submit('deleted', '"lock": 7');
	is_waiting('a job runs');
	$node->safe_psql('postgres', "BEGIN; SELECT pyq_delete_job('$id'); ROLLBACK");
	is( $node->safe_psql('postgres', "SELECT state FROM pyq_jobs WHERE id = '$id'"),
		'running', 'a deletion that is rolled back harms nothing');
	$node->safe_psql('postgres', "SELECT pyq_delete_job('$id')");
	ok( $node->poll_query_until(
			'postgres', q{SELECT count(*) = 0 FROM pg_locks
			WHERE locktype = 'advisory' AND NOT granted}),
		'a deleted job stops');
	$id = submit('cancelled', '"lock": 7');
	is_waiting('another one runs');
	is($node->safe_psql('postgres', "SELECT pyq_cancel_job('$id')"), 't', 'it is cancelled');
	is(outcome($id), 'cancelled', 'its state says so');
	$id = submit('admin', '"lock": 7');
	is_waiting('a third one runs');
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . worker_pid() . ')');
	is(outcome($id), 'cancelled', 'pg_cancel_backend cancels it as well');
	$id = submit('late', '"lock": 7, "timeout": 1');
	is(outcome($id), 'timed out', 'a job that takes too long is timed out');
	my ($result, $stdout, $stderr) = $node->psql('postgres',
		"SELECT * FROM pyq_job_result('$id') AS t(name text, value text)");
	like($stderr, qr/job timed out after 1 s/, 'and says so');
	is($node->safe_psql('postgres',
			"SELECT count(*) FROM effects WHERE tag IN ('deleted', 'cancelled', 'admin', 'late')"),
		0, 'none of them has left anything');
	$session->quit;
}

# The submission belongs to its transaction.
{
	$node->safe_psql('postgres', 'BEGIN; ' . submission('rolled back') . ' ROLLBACK');
	is( $node->safe_psql('postgres', "SELECT count(*) FROM pyqsys.jobs WHERE par_lst LIKE '%rolled back%'"),
		0, 'a submission that is rolled back leaves nothing');
	my $id = $node->safe_psql('postgres',
		'BEGIN; ' . submission('prepared') . " PREPARE TRANSACTION 'jobs'");
	is(effects('prepared'), 0, 'a prepared submission has not started');
	$node->stop('immediate');
	$node->start;
	$node->safe_psql('postgres', "COMMIT PREPARED 'jobs'");
	is(outcome($id), 'finished', 'it starts when it is committed, after a restart');
}

# Roles, scripts, databases and extensions that go while jobs wait.
{
	$node->append_conf('postgresql.conf', 'oml_epe.max_jobs = 0');
	$node->reload;
	ok( $node->poll_query_until(
			'postgres', q{SELECT current_setting('oml_epe.max_jobs') = '0' AND count(*) = 0
			FROM pg_stat_activity WHERE backend_type = 'oml_epe job worker'}),
		'no worker is left when none may be');
	$node->safe_psql('postgres', q{
CREATE ROLE passing;
CREATE DATABASE gone;
CREATE DATABASE other;
CREATE DATABASE bare;
});
	for my $database ('gone', 'other', 'bare') { $node->safe_psql($database, $setup); }
	$node->safe_psql('postgres', 'GRANT INSERT ON effects TO passing');
	my $of_role = $node->safe_psql('postgres',
		"SELECT pyq_grant('note', 'pyqscript'); SET ROLE passing; "
		  . submission('role') =~ s/'note'/'note', 'postgres'/r);
	$of_role =~ s/.*\n//s;
	my $owner = $node->safe_psql('postgres', 'SELECT current_user');
	my $of_script = submit('script');
	$node->safe_psql($_, submission('waits')) for 'gone', 'other', 'bare';
	my $waits = submit('waits');
	is($node->safe_psql('postgres', "SELECT state FROM pyq_jobs WHERE id = '$waits'"),
		'queued', 'jobs wait');
	$node->safe_psql('postgres', 'DROP OWNED BY passing; DROP ROLE passing');
	$node->safe_psql('postgres', 'DROP DATABASE gone');
	$node->safe_psql('bare', 'DROP EXTENSION oml_epe');
	$node->append_conf('postgresql.conf', 'oml_epe.max_jobs = 2');
	$node->restart;
	is(outcome($waits), 'finished', 'a job that waited runs after a restart');
	is($node->safe_psql('other', 'SELECT pyq_job_wait(id::text) FROM pyq_jobs'),
		'finished', 'so does one of another database');
	is(outcome($of_role), 'failed', 'a job of a role that is gone has failed');
	is(outcome($of_script), 'finished', 'others are not concerned');

	my $session = hold(7);
	my @running = (submit('busy', '"lock": 7'), submit('busy', '"lock": 7'));
	state_is($_, 'running', 'a worker is busy') for @running;
	my $dropped = submit('late script');
	$node->safe_psql('postgres', "SELECT pyq_script_drop('note')");
	$session->quit;
	is(outcome($_), 'finished', 'a script that runs may be dropped') for @running;
	is(outcome($dropped), 'failed', 'one that is dropped before it runs fails its job');
	like($node->safe_psql('postgres', "SELECT error FROM pyq_jobs WHERE id = '$dropped'"),
		qr/script "note" does not exist/, 'which says so');
}

# Old jobs go.
{
	is($node->safe_psql('postgres', 'SELECT count(*) > 10 FROM pyq_jobs'), 't', 'jobs are kept');
	$node->append_conf('postgresql.conf', "oml_epe.job_retention = '1s'");
	$node->reload;
	$node->safe_psql('other', submission('wake'));
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pyqsys.jobs'),
		'and removed when they are old');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pyqsys.job_results'), 0,
		'with their results');
}

stop_and_check_log($node);
done_testing();
