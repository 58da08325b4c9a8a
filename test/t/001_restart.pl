# Stored scripts and grants survive a restart, and travel with pg_dump and pg_restore.
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
SELECT pyq_script_create('hello', $$def hello(): return 1$$);
SELECT pyq_script_create('shared', $$def shared(): return 2$$, true);
SELECT pyq_script_create('secret', $$def secret(): return 3$$);
CREATE ROLE reader LOGIN;
SELECT pyq_grant('hello', 'pyqscript', NULL);
});

# Connects as role reader, who owns nothing.
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

# Dump and restore into another database of the same cluster, where the roles are.
my $dump = $node->backup_dir . '/scripts.dump';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', $dump ], 'pg_restore');

is( $node->safe_psql('restored', 'SELECT name FROM user_pyq_scripts ORDER BY name'),
	"hello\nsecret", 'private scripts travel');
is($node->safe_psql('restored', $call), '1', 'and run');
is( as_reader('restored', 'SELECT owner, name FROM all_pyq_scripts ORDER BY name'),
	"$owner|hello\npyqsys|shared",
	'the grant and the global script travel, what was not granted stays hidden');
is( as_reader(
		'restored', qq{SELECT * FROM pyq_eval('{}', NULL::int, 'hello', '$owner')}),
	'1',
	'a granted script runs after the restore');

# A second dump equals the first: the restore lost and doubled nothing.
my $again = $node->backup_dir . '/again.sql';
my $first = $node->backup_dir . '/first.sql';
$node->command_ok([ 'pg_dump', '-f', $first, 'postgres' ], 'plain dump of the original');
$node->command_ok([ 'pg_dump', '-f', $again, 'restored' ], 'plain dump of the copy');

# \restrict and \unrestrict carry a random key.
my ($before, $after) =
  map { my $text = slurp_file($_); $text =~ s/^\\(un)?restrict .*$//mg; $text } ($first, $again);
is($after, $before, 'both dumps are alike');

$node->stop;
done_testing();
