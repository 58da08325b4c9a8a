# Stored scripts, datastores and grants survive a restart, and travel with pg_dump and pg_restore.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

my $owner = $node->safe_psql('postgres', 'SELECT current_user');

$node->safe_psql('postgres', 'CREATE EXTENSION oml_epe');
$node->safe_psql(
	'postgres', q{
SELECT set_config('test.owner', current_user, false);
SELECT pyq_script_create('hello', $$def hello(): return 1$$);
SELECT pyq_script_create('shared', $$def shared(): return 2$$, true);
SELECT pyq_script_create('secret', $$def secret(): return 3$$);
CREATE ROLE reader LOGIN;
SELECT pyq_grant('hello', 'pyqscript', NULL);
SELECT pyq_script_create('keep', $$
import numpy, oml, oml.ds
def keep(name):
    values = numpy.arange(300000.0)
    oml.ds._PIECE_BYTES = 1 << 20  # several of them
    oml.ds.save({"values": values, "more": ["text"]}, name, description="kept", grantable=True)
    return 1
$$);
SELECT pyq_script_create('total', $$
import oml
def total(name, owner):
    loaded = oml.ds.load(name, owner=owner, to_globals=False)
    return float(loaded["values"].sum()) + len(loaded["more"])
$$, true);
SELECT * FROM pyq_eval('{"name": "models"}', NULL::int, 'keep');
SELECT * FROM pyq_eval('{"name": "private"}', NULL::int, 'keep');
SELECT pyq_grant('models', 'datastore', 'reader');
CREATE ROLE dropped SUPERUSER;
SET ROLE dropped;
SELECT * FROM pyq_eval('{"name": "orphan"}', NULL::int, 'keep', current_setting('test.owner'));
RESET ROLE;
DROP ROLE dropped;
});

# Connects as role reader, which owns no objects.
sub as_reader
{
	my ($database, $query) = @_;
	return $node->safe_psql($database, $query, extra_params => [ '-U', 'reader' ]);
}

my $call = q{SELECT * FROM pyq_eval('{}', NULL::int, 'hello')};
is($node->safe_psql('postgres', $call), '1', 'a stored script runs');

$node->restart;
is($node->safe_psql('postgres', $call), '1', 'it runs after a restart');
is( as_reader(
		'postgres', qq{SELECT * FROM pyq_eval('{}', NULL::int, 'hello', '$owner')}),
	'1',
	'so does the grant');

# The sum of 0 to 299999, and 1.
my $total = 44999850001;
my $load = qq{SELECT * FROM pyq_eval('{"name": "models", "owner": "$owner"}', NULL::bigint, 'total')};
is($node->safe_psql('postgres', $load), $total, 'a datastore survives a restart');
is(as_reader('postgres', $load), $total, 'so does the grant on it');

# Dump and restore into another database of the same cluster, where the roles are.
my $dump = $node->backup_dir . '/scripts.dump';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', 'restored', $dump ], 'pg_restore');

is( $node->safe_psql('restored', 'SELECT name FROM user_pyq_scripts ORDER BY name'),
	"hello\nkeep\nsecret", 'private scripts travel');
is($node->safe_psql('restored', $call), '1', 'and run');
is( as_reader('restored', 'SELECT owner, name FROM all_pyq_scripts ORDER BY name'),
	"$owner|hello\npyqsys|shared\npyqsys|total",
	'the grant and the global script travel, what was not granted stays hidden');
is( as_reader(
		'restored', qq{SELECT * FROM pyq_eval('{}', NULL::int, 'hello', '$owner')}),
	'1',
	'a granted script runs after the restore');

is($node->safe_psql('restored', $load), $total, 'a datastore travels');
is(as_reader('restored', $load), $total, 'and so does the grant on it');
is( $node->safe_psql('restored',
		'SELECT dsname, nobj, dssize > 2400000, description, grantable FROM user_pyq_datastores ORDER BY dsname'
	),
	"models|2|t|kept|T\nprivate|2|t|kept|T",
	'with all that belongs to it');
is( $node->safe_psql('restored', 'SELECT count(*), count(DISTINCT owner) FROM pyqsys.datastores'),
	'2|1', 'but not what a dropped role has left');
# A second dump equals the first: the restore neither lost nor duplicated rows.
my $again = $node->backup_dir . '/again.sql';
my $first = $node->backup_dir . '/first.sql';
$node->command_ok([ 'pg_dump', '-f', $first, 'postgres' ], 'plain dump of the original');
$node->command_ok([ 'pg_dump', '-f', $again, 'restored' ], 'plain dump of the copy');

# \restrict and \unrestrict carry a random key.
my ($before, $after) =
  map { my $text = slurp_file($_); $text =~ s/^\\(un)?restrict .*$//mg; $text } ($first, $again);
is($after, $before, 'both dumps are alike');

is( $node->safe_psql('restored',
		'SELECT pyqsys.datastore_delete(dsname, NULL) FROM user_pyq_datastores'),
	"1\n1", 'it can be deleted');
is($node->safe_psql('restored', 'SELECT count(*) FROM pyqsys.datastore_pieces'),
	'0', 'with all its pieces');

$node->stop;
done_testing();
