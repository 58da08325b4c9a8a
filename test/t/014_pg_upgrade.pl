# pg_upgrade carries over scripts, grants, datastores, settings and jobs; it runs no job itself.
use strict;
use warnings;

use Cwd qw(getcwd);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $configuration = q{
shared_preload_libraries = 'oml_epe'
oml_epe.max_jobs = 2
};
my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->append_conf('postgresql.conf', $configuration);
$old->start;

my $owner = $old->safe_psql('postgres', 'SELECT current_user');
$old->safe_psql('postgres', 'CREATE DATABASE lab');
$old->safe_psql(
	'lab', q{
CREATE ROLE gone_before_others;
DROP ROLE gone_before_others;
CREATE ROLE analyst LOGIN;
CREATE ROLE stranger LOGIN;
CREATE SCHEMA tools;
CREATE EXTENSION oml_epe SCHEMA tools;
GRANT USAGE ON SCHEMA tools TO PUBLIC;
ALTER DATABASE lab SET search_path = tools, public;
ALTER ROLE analyst SET oml_epe.engine = 'process';
ALTER DATABASE lab SET oml_epe.sandbox_read_paths = '/usr/share/misc';
});

# Stores scripts and datastores, and submits jobs, as different roles.
sub as
{
	my ($node, $role, $query) = @_;
	return $node->safe_psql('lab', $query, extra_params => [ '-U', $role ]);
}

$old->safe_psql(
	'lab', q{
CREATE TABLE public.effects (tag text, cluster text);
GRANT INSERT ON public.effects TO PUBLIC;
SELECT pyq_script_create('shared', $$def shared(): return 'global'$$, true);
SELECT pyq_script_create('given', $$def given(): return 'given'$$);
SELECT pyq_script_create('hidden', $$def hidden(): return 'hidden'$$);
SELECT pyq_grant('given', 'pyqscript', 'analyst');
-- Waits indefinitely in the cluster of that name.
SELECT pyq_script_create('work', $$
import time
import oml

def work(tag, fails=False):
    cursor = oml.cursor()
    cursor.execute("SELECT pg_catalog.current_setting('cluster_name')")
    cluster = cursor.fetchone()[0]
    cursor.execute("INSERT INTO public.effects VALUES ($1, $2)", (tag, cluster))
    while tag.startswith("long") and cluster == "old":
        time.sleep(1)
    if fails:
        raise ValueError("it fails")
    return [tag, cluster]
$$, true);
SELECT pyq_script_create('keep', $$
import numpy, oml, oml.ds
def keep(name):
    oml.ds.save({"values": numpy.arange(300000.0), "more": ["text"]}, name, grantable=True)
    return 1
$$, true);
SELECT pyq_script_create('total', $$
import oml
def total(name, owner):
    loaded = oml.ds.load(name, owner=owner, to_globals=False)
    return int(loaded["values"].sum()) + len(loaded["more"])
$$, true);
SELECT * FROM pyq_eval('{"name": "models"}', NULL::int, 'keep');
SELECT pyq_grant('models', 'datastore', 'analyst');
});
as($old, 'analyst', q{
SELECT pyq_script_create('own', $$def own(): return 'own'$$);
SELECT pyq_grant('own', 'pyqscript', NULL);
SELECT * FROM pyq_eval('{"name": "mine"}', NULL::int, 'keep');
});

sub submit
{
	my ($role, $tag, $more) = @_;
	return as($old, $role, qq{SELECT right(value, 36) FROM pyq_eval(
		'{"oml_async_flag": true, "tag": "$tag"$more}', NULL, 'work') AS t(name text, value text)});
}

sub outcome
{
	my ($node, $id) = @_;
	return $node->safe_psql('lab', "SELECT pyq_job_wait('$id', '60 s')");
}

sub result
{
	my ($node, $role, $id) = @_;
	return as($node, $role, "SELECT value FROM pyq_job_result('$id') AS t(name text, value text)");
}

my $finished = submit('analyst', 'done', '');
my $failed = submit('analyst', 'bad', ', "fails": true');
is(outcome($old, $finished), 'finished', 'a job has finished');
is(outcome($old, $failed), 'failed', 'one has failed');

# Two run, as many as may, when the server is stopped; so they are in the table as running.
my $lost = submit('analyst', 'long lost', '');
my $again = submit($owner, 'long again', ', "oml_retries": 1');
ok( $old->poll_query_until('lab', "SELECT count(*) = 2 FROM pyq_jobs WHERE state = 'running'"),
	'two run');
my $queued = submit('analyst', 'queued', '');
my $queued_too = submit($owner, 'queued too', '');
my $cancelled = submit('analyst', 'cancelled', '');
as($old, 'analyst', "SELECT pyq_cancel_job('$cancelled')");

my $inventory = q{
SELECT owner, name, script FROM all_pyq_scripts ORDER BY 1, 2;
SELECT * FROM all_pyq_datastores ORDER BY 1, 2;
SELECT * FROM all_pyq_datastore_contents ORDER BY 1, 2;
SELECT * FROM pyqsys.given_grants ORDER BY 1, 2, 3;
SELECT extversion, extnamespace::regnamespace FROM pg_extension WHERE extname = 'oml_epe';
SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' ORDER BY 1;
SELECT setrole, setdatabase <> 0, setconfig FROM pg_db_role_setting ORDER BY 3;
};
my @seen = map { as($old, $_, $inventory) } $owner, 'analyst', 'stranger';
my $jobs = q{SELECT id, owner, script, state, submitted, started FROM pyq_jobs ORDER BY submitted};
my $dump = q{SELECT id, owner::text, state FROM pyqsys.jobs ORDER BY submitted};
my $jobs_before = $old->safe_psql('lab', $dump);
$old->stop('fast');

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', $configuration);
my $folder = getcwd();
chdir PostgreSQL::Test::Utils::tempdir() or die;
my $bin = $old->config_data('--bindir');
command_ok(
	[
		'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B',
		$bin, '-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade');
chdir $folder or die;

# The state after pg_upgrade, before any job worker starts.
$new->append_conf('postgresql.conf', 'oml_epe.max_jobs = 0');
$new->start;
is($new->safe_psql('lab', $dump), $jobs_before, 'no job was touched while the upgrade went on');
is(as($new, (($owner), 'analyst', 'stranger')[$_], $inventory), $seen[$_],
	'scripts, datastores, grants, settings are as they were: ' . ($owner, 'analyst', 'stranger')[$_])
  for 0 .. 2;
is( $new->safe_psql('lab', "ALTER EXTENSION oml_epe UPDATE; SELECT 'updated'"),
	'updated', 'there is nothing to update in the extension');
like($new->safe_psql('lab', $jobs), qr/$lost\|analyst/, 'owners of jobs are right');

sub value_of
{
	my ($role, $call) = @_;
	return as($new, $role, "SELECT * FROM pyq_eval($call) AS t(value text)");
}
is(value_of($_, "NULL, NULL, 'shared'"), 'global', "a global script runs: $_")
  for $owner, 'analyst', 'stranger';
is(value_of('analyst', "NULL, NULL, 'given', '$owner'"), 'given', 'a granted one runs');
is(value_of('analyst', "NULL, NULL, 'own'"), 'own', "a role's own script runs");
is(value_of('stranger', "NULL, NULL, 'own', 'analyst'"), 'own', 'so does a public one');
is(value_of($owner, "NULL, NULL, 'hidden'"), 'hidden', 'and a private one');
my $total = 44999850001;
is(value_of($_, qq{'{"name": "models", "owner": "$owner"}', NULL, 'total'}),
	$total, "a datastore loads: $_")
  for $owner, 'analyst';
is(value_of('analyst', q{'{"name": "mine", "owner": "analyst"}', NULL, 'total'}),
	$total, 'so does one of an ordinary role');

sub fails_for
{
	my ($role, $call, $error) = @_;
	my (undef, undef, $stderr) = $new->psql('lab', $call, extra_params => [ '-U', $role ]);
	like($stderr, $error, "what was not granted is refused: $role");
	return;
}
fails_for('stranger', "SELECT * FROM pyq_eval(NULL, NULL, 'given', '$owner') AS t(value text)",
	qr/does not exist/);
fails_for('stranger',
	qq{SELECT * FROM pyq_eval('{"name": "models", "owner": "$owner"}', NULL, 'total') AS t(value text)},
	qr/does not exist or is not readable/);
fails_for('stranger', "SELECT * FROM pyq_job_result('$finished') AS t(name text, value text)",
	qr/does not exist/);
is(result($new, 'analyst', $finished), '["done","old"]', 'the result of a finished job is there');

# Now the jobs.
$new->append_conf('postgresql.conf', 'oml_epe.max_jobs = 2');
$new->reload;
is(outcome($new, $queued), 'finished', 'a job that waited runs');
is(outcome($new, $queued_too), 'finished', 'and another');
is(outcome($new, $again), 'finished', 'one that ran is run again when it may be');
is(outcome($new, $lost), 'failed', 'and has failed when not');
like(
	$new->safe_psql('lab', "SELECT error FROM pyq_jobs WHERE id = '$lost'"),
	qr/the server stopped/, 'which says why');
is(result($new, 'analyst', $queued), '["queued","new"]', 'the result of a job that waited');
is(result($new, $owner, $again), '["long again","new"]', 'and of one that was run again');
is(result($new, 'analyst', $finished), '["done","old"]', 'earlier results remain');
is(outcome($new, $failed), 'failed', 'what had failed has failed');
is(outcome($new, $cancelled), 'cancelled', 'what was cancelled remains so');
is( $new->safe_psql('lab', 'SELECT tag, cluster FROM public.effects ORDER BY tag COLLATE "C"'),
	"done|old\nlong again|new\nqueued|new\nqueued too|new",
	'each job has worked once');
my $fresh = as($new, 'analyst', q{SELECT right(value, 36) FROM pyq_eval(
	'{"oml_async_flag": true, "tag": "fresh"}', NULL, 'work') AS t(name text, value text)});
is(outcome($new, $fresh), 'finished', 'new jobs are taken');

$new->stop;
done_testing();
