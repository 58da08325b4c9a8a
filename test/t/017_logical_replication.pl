# A publication FOR ALL TABLES: the subscriber keeps its own jobs and runs none of the publisher's;
# scripts, grants and datastores replicate.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %nodes;
for my $name ('publisher', 'subscriber')
{
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'oml_epe'
oml_epe.max_jobs = 2
cluster_name = '$name'
});
	$node->start;
	# The same role has another OID in each cluster.
	$node->safe_psql('postgres', "CREATE ROLE filler_$_; DROP ROLE filler_$_")
	  for 1 .. ($name eq 'subscriber' ? 3 : 1);
	$node->safe_psql(
		'postgres', q{
CREATE ROLE worker LOGIN;
CREATE ROLE reader LOGIN;
CREATE EXTENSION oml_epe;
CREATE TABLE ran (at text, tag text);
GRANT ALL ON ran TO worker;
});
	$nodes{$name} = $node;
}
my ($publisher, $subscriber) = @nodes{ 'publisher', 'subscriber' };

sub as
{
	my ($node, $role, $query) = @_;
	return $node->safe_psql('postgres', $query, extra_params => [ '-U', $role ]);
}

sub submit
{
	my ($node, $tag) = @_;
	return as($node, 'worker', qq{SELECT right(value, 36) FROM pyq_eval(
		'{"oml_async_flag": true, "tag": "$tag"}', NULL, 'work') AS t(name text, value text)});
}

sub outcome
{
	my ($node, $id) = @_;
	return $node->safe_psql('postgres', "SELECT pyq_job_wait('$id', '60 s')");
}

my $work = q{SELECT pyq_script_create('work', $$
import oml

def work(tag):
    oml.cursor().execute(
        "INSERT INTO public.ran SELECT pg_catalog.current_setting('cluster_name'), $1", (tag,))
    return tag
$$)};
as($publisher, 'worker', $work);
as($publisher, 'worker', q{SELECT pyq_grant('work', 'pyqscript', 'reader')});
as( $publisher, 'worker', q{
SELECT pyq_script_create('keep', $$
import oml.ds
def keep(number):
    oml.ds.save({"number": number}, "kept", grantable=True, overwrite=True)
    return 1
$$);
SELECT pyq_script_create('load', $$
import oml.ds
def load():
    return oml.ds.load("kept", to_globals=False)["number"]
$$);
SELECT * FROM pyq_eval('{"number": 1}', NULL::int, 'keep');
});

# Both have jobs before the first copy: one that has finished, one that waits.
my $early = submit($publisher, 'early');
is(outcome($publisher, $early), 'finished', 'a job at the publisher before the first copy');
as($subscriber, 'worker', $work);
my $own = submit($subscriber, 'own');
is(outcome($subscriber, $own), 'finished', 'and one at the subscriber');
as($subscriber, 'worker', q{SELECT pyq_script_drop('work')});

sub set_jobs
{
	my ($node, $number) = @_;
	$node->append_conf('postgresql.conf', "oml_epe.max_jobs = $number");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('oml_epe.max_jobs') = '$number'")
	  or die;
	return;
}
set_jobs($publisher, 0);
my $waiting = submit($publisher, 'waiting');

my $local = q{SELECT id, owner, state, script, started, finished, par_lst FROM pyqsys.jobs
	ORDER BY submitted; SELECT job, call, md5(data) FROM pyqsys.job_results ORDER BY 1, 2};
my $before = $subscriber->safe_psql('postgres', $local);
my $connection = $publisher->connstr . ' dbname=postgres';
$publisher->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION everything CONNECTION '$connection' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything');
is($subscriber->safe_psql('postgres', $local), $before, 'the first copy leaves the jobs alone');

# Inserts, updates and deletes while the subscription runs.
my $later = submit($publisher, 'later');
my $deleted = submit($publisher, 'deleted');
as($publisher, 'worker', "SELECT pyq_delete_job('$deleted')");
$publisher->wait_for_catchup('everything');
is($subscriber->safe_psql('postgres', $local), $before, 'so do queued jobs of the publisher');
set_jobs($publisher, 2);
is(outcome($publisher, $_), 'finished', 'the publisher runs its jobs') for $waiting, $later;
my $here = submit($subscriber, 'here');
is(outcome($subscriber, $here), 'finished', 'the subscriber runs its own, by a replicated script');
$publisher->wait_for_catchup('everything');
is( $subscriber->safe_psql('postgres', 'SELECT count(*) FROM pyqsys.jobs'),
	2, 'and has no other one');
is( as( $subscriber, 'worker', "SELECT value FROM pyq_job_result('$here') AS t(name text, value text)"),
	'"here"', 'its result is its own');
is( $subscriber->safe_psql('postgres', 'SELECT at, tag FROM ran ORDER BY tag'),
	"publisher|early\nsubscriber|here\npublisher|later\nsubscriber|own\npublisher|waiting",
	'each job has worked once, where it was submitted');

# The same ID on both: changes of the publisher's row are not applied here.
my $row = $subscriber->safe_psql('postgres', $local);
$publisher->safe_psql(
	'postgres', qq{
INSERT INTO pyqsys.jobs (id, owner, retries, timeout, settings, function, script, scr_name, state)
	VALUES ('$here', 'worker', 0, 60, '{}', 0, 'x', 'x', 'failed');
UPDATE pyqsys.jobs SET comment = 'changed' WHERE id = '$here';
DELETE FROM pyqsys.jobs WHERE id = '$here';
INSERT INTO pyqsys.job_results VALUES ('$here', 1, NULL, 1, 'x');
UPDATE pyqsys.job_results SET data = 'y' WHERE job = '$here';
DELETE FROM pyqsys.job_results WHERE job = '$here';
});
$publisher->wait_for_catchup('everything');
is($subscriber->safe_psql('postgres', $local), $row, 'rows with the same ID stay');
$publisher->safe_psql('postgres', 'TRUNCATE pyqsys.jobs, pyqsys.job_results');
$publisher->wait_for_catchup('everything');
is($subscriber->safe_psql('postgres', $local), $row, 'and over TRUNCATE');
is( as( $subscriber, 'worker', "SELECT value FROM pyq_job_result('$here') AS t(name text, value text)"),
	'"here"', 'the result can still be read');

# Scripts, grants and datastores, also while a session has them in its cache.
my $session = $subscriber->background_psql('postgres', extra_params => [ '-U', 'reader' ]);
as($publisher, 'worker', q{SELECT pyq_script_create('one', 'def one(): return 1')});
as($publisher, 'worker', q{SELECT pyq_grant('one', 'pyqscript', 'reader')});
$publisher->wait_for_catchup('everything');
is($session->query_safe("SELECT * FROM pyq_eval(NULL, NULL::int, 'one', 'worker')"),
	1, 'a script and its grant arrive, under the role of that name');
as($publisher, 'worker', q{SELECT pyq_script_create('one', 'def one(): return 2',
	v_overwrite => true)});
as($publisher, 'worker', q{SELECT * FROM pyq_eval('{"number": 5}', NULL::int, 'keep')});
$publisher->wait_for_catchup('everything');
is($session->query_safe("SELECT * FROM pyq_eval(NULL, NULL::int, 'one', 'worker')"),
	2, 'a session with a cache sees the change');
is(as($subscriber, 'worker', "SELECT * FROM pyq_eval(NULL, NULL::int, 'load')"),
	5, 'so does a datastore');
as($publisher, 'worker', q{SELECT pyq_revoke('one', 'pyqscript', 'reader')});
$publisher->wait_for_catchup('everything');
is( $subscriber->safe_psql('postgres',
		q{SELECT count(*) FROM pyqsys.script_grants WHERE name = 'one'}),
	0, 'a revoked grant goes');
$session->quit;

my $errors = $subscriber->safe_psql('postgres',
	q{SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats});
is($errors, 0, 'the subscription has had no error');

# In the binary format roles are OIDs of the publisher.
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION everything SET (binary = true)');
my $log = -s $subscriber->logfile;
as($publisher, 'worker', q{SELECT pyq_script_create('binary', 'def binary(): return 1')});
my $after = submit($publisher, 'binary');
is(outcome($publisher, $after), 'finished', 'a job at the publisher');
$publisher->wait_for_catchup('everything');
is( $subscriber->safe_psql('postgres', q{SELECT count(*) FROM pyqsys.scripts WHERE name = 'binary'}),
	0, 'a script that came with OIDs is ignored');
like(slurp_file($subscriber->logfile, $log), qr/ignored a row.*table "scripts"/, 'the log says so');
is($subscriber->safe_psql('postgres', $local), $row, 'and jobs are as before');

$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION everything');
$subscriber->stop;
$publisher->stop;
done_testing();
