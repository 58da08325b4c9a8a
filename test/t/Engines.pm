# The engine processes of a server in the tests, seen in /proc; and sessions that run something.
package Engines;
use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT =
  qw(processes tree_of engine_tree named alive wait_for wait_until_gone start_session wait_until_reached
  store_hangs engine_folders postmaster_pid kill_process wait_for_connections
  stop_and_check_log);

# Waits until the server accepts connections; false if it does not. By pg_isready, which has no input:
# IPC::Run, and with it the test, dies when a psql that cannot connect exits before it has read its.
sub wait_for_connections
{
	my ($node) = @_;
	return wait_for('connections',
		sub { system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0 });
}

# Endless scripts. reached() takes an advisory lock, which shows other sessions that they run.
my $prelude = <<'EOP';
import ctypes, itertools, os, signal, threading, time
import numpy as np
import pandas as pd
import oml

def reached(number=1):
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared(7004, $1::int)", (number,))

EOP
my %bodies = (
	loop => 'while True: pass',
	sleep => 'time.sleep(600)',
	c_loop => 'sum(itertools.repeat(1))',
	read => 'os.read(os.pipe()[0], 1)',
	forks => 'os.fork()',
	stopped => 'os.kill(os.getpid(), signal.SIGSTOP)',
	sql => 'oml.cursor().execute("SELECT pg_sleep(600)")');

# Stores the scripts; returns the statement that runs each, and how many of its calls are under way.
sub store_hangs
{
	my ($node) = @_;
	my %statements;
	my %sources = (
		'generator' => q{
def hang():
    for number in itertools.count():
        if number == 50:
            reached()
        yield pd.DataFrame({"x": np.zeros(1 << 17)})
});
	for my $name (keys %bodies)
	{
		$sources{$name} = qq{
def hang(index=1):
    reached(index)
    while True:
        try:
            $bodies{$name}
        except BaseException:
            pass
};
	}
	for my $name (keys %sources)
	{
		$node->safe_psql('postgres',
			qq{SELECT pyq_script_create('$name', \$\$$prelude$sources{$name}\$\$)});
		$statements{$name} = [ "SELECT count(*) FROM pyq_eval(NULL, NULL::float8, '$name')", 1 ];
	}
	$statements{four} = [
		qq{SELECT count(*) FROM
		   pyq_index_eval('{"oml_parallel": 4}', NULL::float8, 4, 'c_loop')}, 4 ];
	$node->safe_psql('postgres',
		q{SELECT pyq_script_create('fine', 'def fine(n=1): return n')});
	return \%statements;
}

# pid => [name, parent, start, state]
sub processes
{
	my %found;
	for my $path (glob '/proc/[0-9]*/stat')
	{
		open(my $file, '<', $path) or next;
		my $line = <$file>;
		next unless defined $line && $line =~ /^(\d+) \((.*)\) (\S) (\d+) (.*)$/;
		my ($pid, $name, $state, $parent) = ($1, $2, $3, $4);
		my @rest = split / /, $5;
		$found{$pid} = [ $name, $parent, $rest[17], $state ];
	}
	return \%found;
}

# "pid:start" of the processes below one whose name matches, by name.
sub tree_of
{
	my ($root, $pattern) = @_;
	my $all = processes();
	my %tree;
	for my $pid (keys %$all)
	{
		next if $pid == $root || $all->{$pid}[0] !~ $pattern;
		my $above = $pid;
		$above = $all->{$above}[1] while exists $all->{$above} && $above != $root;
		push @{ $tree{ $all->{$pid}[0] } }, "$pid:$all->{$pid}[2]" if $above == $root;
	}
	return \%tree;
}

# Supervisors, zygotes and engines.
sub engine_tree { my ($root) = @_; return tree_of($root, qr/^epe_/); }

sub named { my ($root, $name) = @_; return map { (split /:/)[0] } @{ engine_tree($root)->{$name} // [] }; }

sub alive
{
	my $all = processes();
	return grep {
		my ($pid, $start) = split /:/;
		exists $all->{$pid} && $all->{$pid}[2] eq $start && $all->{$pid}[3] !~ /[ZX]/
	} @_;
}

sub wait_for
{
	my ($what, $condition) = @_;
	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $condition->();
		usleep(10_000);
	}
	diag("never came true: $what");
	return 0;
}

# Whether all processes of a tree go away.
sub wait_until_gone
{
	my ($tree) = @_;
	my @all = map { @$_ } values %$tree;
	return wait_for('no process', sub { !alive(@all) });
}

sub postmaster_pid
{
	my ($node) = @_;
	my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	return $pid;
}

# Stops a server and checks that no process of it died by a signal; where the server is named "killed", by
# no signal but SIGKILL, which the test sends. tools/check ignores those deaths in its log as well.
sub stop_and_check_log
{
	my ($node) = @_;
	my $signal = $node->name eq 'killed' ? qr/was terminated by signal (?!9:)/ : qr/was terminated by signal/;
	$node->stop;
	unlike(slurp_file($node->logfile), qr/$signal|PANIC|TRAP/, 'no other process died');
	return;
}

sub engine_folders { my ($node) = @_; return glob $node->data_dir . '/pgsql_tmp_oml_epe/*/*'; }

# Kills a server process and waits until the postmaster has noticed: from then on it accepts no connections
# before the server has recovered.
sub kill_process
{
	my ($pid) = @_;
	kill 'KILL', $pid;
	while (kill 0, $pid) { usleep 10_000; }
	return;
}

# Starts a session that runs a statement in an engine process.
sub start_session
{
	my ($node, $statement) = @_;
	my %session = (stdout => '', stderr => '');
	$session{run} = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
			'-c', "SET oml_epe.engine = 'process'",
			'-c', $statement
		],
		'<', \undef,
		'>', \$session{stdout},
		'2>', \$session{stderr},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%session;
}

sub wait_until_reached
{
	my ($node, $calls) = @_;
	return $node->poll_query_until(
		'postgres',
		"SELECT count(*) = $calls FROM pg_locks WHERE locktype = 'advisory' AND classid = 7004");
}

1;
