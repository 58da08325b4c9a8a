# The gateway that the server starts: it comes up, comes back, moves, and ends with the server.
use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $timeout = 60;

sub free_port
{
	my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
	  or die "no port: $!";
	return $probe->sockport;
}

# Waits until something holds; returns it.
sub wait_for
{
	my ($what, $condition) = @_;
	my $deadline = time + $timeout;
	while (time < $deadline)
	{
		my $found = $condition->();
		return $found if $found;
		usleep(20_000);
	}
	die "never came true: $what";
}

# One request; returns the status, or 0 when no process listens.
sub ask
{
	my ($port, $method, $path, $body) = @_;
	my $wire = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return 0;
	$body //= '';
	print $wire "$method $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	  . "Content-Type: application/json\r\nContent-Length: "
	  . length($body)
	  . "\r\n\r\n$body";
	local $/;
	my $answer = <$wire> // '';
	return $answer =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0;
}

sub is_up { my ($port) = @_; return ask($port, 'GET', '/healthz') == 200; }

# The process of the gateway at that port, by its command line: others may not look at its sockets.
sub listener
{
	my ($at) = @_;
	for my $folder (glob '/proc/[0-9]*')
	{
		open my $file, '<', "$folder/cmdline" or next;
		my $command = <$file> // '';
		return $1
		  if $command =~ m{oml_epe_gateway\0.*127\.0\.0\.1:$at\0} && $folder =~ m{(\d+)$};
	}
	return;
}

my ($port, $other) = (free_port(), free_port());
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf(
	'postgresql.conf', qq{
shared_preload_libraries = 'oml_epe'
listen_addresses = '127.0.0.1'
oml_epe.gateway_listen = '127.0.0.1:$port'
});
my $hba = slurp_file($node->data_dir . '/pg_hba.conf');
open my $file, '>', $node->data_dir . '/pg_hba.conf' or die $!;
print $file "host all ann 127.0.0.1/32 scram-sha-256\n$hba";
close $file;

$node->start;
wait_for('the gateway', sub { is_up($port) });
pass('one server start brings up everything');

{
	# Servers of these tests log all statements.
	local $ENV{PGOPTIONS} = '-c log_statement=none';
	$node->safe_psql('postgres',
		"CREATE EXTENSION oml_epe; CREATE ROLE ann LOGIN PASSWORD 'ann secret'");
}
my $log_in = '{"grant_type":"password","username":"ann","password":"ann secret"}';
my $token_path = '/omlusers/api/oauth2/v1/token';
is(ask($port, 'POST', $token_path, $log_in), 200, 'it leads to this server');
is(ask($port, 'POST', $token_path, $log_in =~ s/ann secret/wrong/r), 401, 'whose word counts');

my $first = wait_for('its process', sub { listener($port) });
kill 'KILL', $first;
my $second = wait_for('another one', sub { my $now = listener($port); $now && $now != $first && $now });
wait_for('the gateway again', sub { is_up($port) });
pass('a killed gateway comes back');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server did not notice');

$node->append_conf('postgresql.conf', "oml_epe.gateway_listen = '127.0.0.1:$other'");
$node->reload;
wait_for('the gateway at the other port', sub { is_up($other) });
wait_for('the first one is down', sub { !is_up($port) });
pass('a reload moves it');

my $third = wait_for('its process', sub { listener($other) });
$node->append_conf('postgresql.conf', "oml_epe.gateway_listen = ''");
$node->reload;
wait_for('the gateway is down', sub { !is_up($other) });
wait_for('its end', sub { !-d "/proc/$third" });
pass('an empty setting ends it');

$node->append_conf('postgresql.conf', "oml_epe.gateway_listen = '127.0.0.1:$port'");
$node->reload;
wait_for('the gateway', sub { is_up($port) });
my $fourth = wait_for('its process', sub { listener($port) });
$node->stop('fast');
wait_for('its end', sub { !-d "/proc/$fourth" });
ok(!is_up($port), 'it ends with the server');

# The server crashes as a whole: the gateway does not outlive it.
$node->start;
wait_for('the gateway', sub { is_up($port) });
my $fifth = wait_for('its process', sub { listener($port) });
$node->stop('immediate');
wait_for('its end', sub { !-d "/proc/$fifth" });
pass('nor does it outlive an immediate stop');

# An address that is taken: the server runs all the same, and the gateway comes when it is free.
my $squatter = IO::Socket::INET->new(
	LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1)
  or die "cannot take port $port: $!";
$node->start;
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'a taken address does not stop the server');
$squatter->close;
wait_for('the gateway', sub { is_up($port) });
pass('it comes when the address is free');

# No secrets in the server's log.
unlike(slurp_file($node->logfile), qr/ann secret/, 'no password in the log');

$node->stop;
done_testing();
