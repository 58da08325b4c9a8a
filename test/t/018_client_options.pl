# Settings by the options of a connection in a session that loads the library late: they must not
# override values set by a superuser.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "oml_epe.job_timeout = 77\n");
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION oml_epe;
CREATE ROLE limited LOGIN;
ALTER ROLE limited SET oml_epe.engine_memory_limit = '100MB';
});

# The setting of a session after it has called a function of the library, or its error.
sub ask
{
	my ($user, $options, $setting) = @_;
	local $ENV{PGOPTIONS} = $options;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SELECT count(*) > 0 FROM pyq_list_envs(); SHOW $setting;",
		extra_params => [ '-U', $user ]);
	return $status == 0 ? $stdout : $stderr;
}

is(ask('limited', '', 'oml_epe.engine_memory_limit'), "t\n100MB", 'the value of ALTER ROLE');
is(ask('limited', '', 'oml_epe.job_timeout'), "t\n77s", 'the value of the configuration file');
for my $name (qw(engine_memory_limit job_timeout max_engines sandbox engine_nice))
{
	my $value = $name eq 'sandbox' ? 'preferred' : 1;
	like(
		ask('limited', "-c oml_epe.$name=$value", 'oml_epe.engine_memory_limit'),
		qr/permission denied to set parameter "oml_epe\.$name" in the connection options/,
		"an ordinary role cannot displace $name");
}
like(
	ask('limited', '-c oml_epe.no_such=1', 'oml_epe.engine_memory_limit'),
	qr/permission denied/,
	'nor a setting that does not exist');
for my $name (qw(engine_wait_timeout output_limit output_bytes output_piece))
{
	like(ask('limited', "-c oml_epe.$name=777", "oml_epe.$name"),
		qr/^t\n777/, "it may set its own $name");
}
is(ask('limited', '-c oml_epe.engine=process', 'oml_epe.engine'), "t\nprocess", 'and the engine');
is($node->safe_psql('postgres', q{
LOAD 'oml_epe';
SELECT string_agg(substr(name, 9), ' ' ORDER BY name) FROM pg_settings
WHERE name LIKE 'oml_epe.%' AND context = 'user'}),
	'engine engine_wait_timeout gateway_url output_bytes output_limit output_piece plan_nodes',
	'these are all that everyone may set');
is(ask('postgres', '-c oml_epe.job_timeout=5', 'oml_epe.job_timeout'),
	"t\n5s", 'a superuser may set any');

$node->append_conf('postgresql.conf', "session_preload_libraries = 'oml_epe'\n");
$node->reload;
like(
	ask('limited', '-c oml_epe.engine_memory_limit=0', 'oml_epe.engine_memory_limit'),
	qr/permission denied to set parameter "oml_epe\.engine_memory_limit"/,
	'the same with session_preload_libraries');
is(ask('limited', '', 'oml_epe.engine_memory_limit'), "t\n100MB", 'and without options all is well');

$node->stop;
done_testing();
