# oml_epe: embedded Python execution for PostgreSQL (PGXS).
#
#   make             build the library, the programs and the extension script
#   make install     install them into the PostgreSQL of PG_CONFIG (needs the rights to write there)
#   make unit        build and run test/unit and gateway/test/unit under ASan and UBSan, without PostgreSQL
#   make fuzz        the fuzz targets of test/fuzz as libFuzzer programs, by clang (see tools/fuzz)
#   make regress     pg_regress of test/sql against the server of PGHOST (see tools/with-server)
#   make isolation   isolation tests of test/isolation against the same server
#   make lint        every static check            make tidy    clang-tidy alone
#   make format      clang-format and ruff format, in place
#   make clean       remove what was built         make distclean  also build/ with its tool environments
#
# Variables: PG_CONFIG, PYTHON_CONFIG (the Python to embed), WERROR=1 (warnings are errors), V=1,
# REGRESS="setup pyq_eval" (some regression tests only), UNIT_ARGS (passed to the unit tests).
# tools/check runs all of it against a private server.

PG_CONFIG ?= pg_config
PYTHON_CONFIG ?= /usr/bin/python3-config

EXTENSION = oml_epe
MODULE_big = oml_epe
EXTENSION_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

# ------------------------------------------------------------------------------------- sources
# What only the engine program needs: it supervises, forks and confines engines and runs scripts.
PROGRAM_ONLY := $(patsubst %,src/engine/%.cpp,engine_main engine_server engine_link remote_host supervisor supervisor_queue supervisor_zygotes supervisor_strays supervised_engine supervised_gateway zygote warm_up sandbox sandbox_filter sandbox_landlock sandbox_namespaces watch_guard watch_guard_messages)
SOURCES := $(sort $(filter-out $(PROGRAM_ONLY),$(wildcard $(patsubst %,src/%/*.cpp,core pg py engine jobs entry))))
ENGINE_PROGRAM = oml_epe_engine
PROGRAM_OBJS := $(patsubst %.cpp,%.o,$(wildcard $(patsubst %,src/%/*.cpp,core py)) \
	$(filter-out $(patsubst %,src/engine/%.cpp,engine_process engine_session process_engine \
	process_engine_calls process_engine_messages process_engine_waiting launch),$(wildcard src/engine/*.cpp)))
OBJS = $(SOURCES:.cpp=.o)
ALL_HEADERS := $(wildcard src/*/*.h)

DATA_built = sql/$(EXTENSION)--$(EXTENSION_VERSION).sql
DATA = $(wildcard sql/$(EXTENSION)--*--*.sql)
# The scripts of earlier versions, from which the tests upgrade. They are not installed otherwise:
# a new database gets the current version.
UPGRADE_BASES = $(wildcard test/upgrade/$(EXTENSION)--*.sql)

# Python that is compiled in: the runtime, and the package oml.
RUNTIME_SOURCES := $(sort $(wildcard src/py/runtime/*.py) $(shell find python/oml -name '*.py' 2> /dev/null))
RUNTIME_INC = src/py/runtime_sources.inc

EXTRA_CLEAN = build/fuzz/src build/fuzz/test build/fuzz/gateway $(OBJS:.o=.d) $(ENGINE_PROGRAM) $(PROGRAM_OBJS) $(PROGRAM_OBJS:.o=.d) $(RUNTIME_INC) build/compile-flags build/unit build/tidy \
	build/regress build/isolation

# --------------------------------------------------------------------------------------- tests
# `setup` goes first where it exists: it creates the extension for the tests that follow.
REGRESS_ALL := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS = $(filter setup,$(REGRESS_ALL)) $(filter-out setup,$(REGRESS_ALL))
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))

# Up to 15 pg_regress looks for expected/ below its output directory, then below its input
# directory, so build/regress/expected is a link; from 16 on it takes --expecteddir.
HAS_EXPECTEDDIR = $(if $(filter 12 13 14 15,$(MAJORVERSION)),,yes)
REGRESS_OPTS = --inputdir=test --outputdir=build/regress $(if $(HAS_EXPECTEDDIR),--expecteddir=.)
# Unlike pg_regress's tests, which show how the extension is created, specs find it in place.
ISOLATION_OPTS = --load-extension=$(EXTENSION) --inputdir=test/isolation --outputdir=build/isolation \
	$(if $(HAS_EXPECTEDDIR),--expecteddir=test/isolation)

# --------------------------------------------------------------------------------- the compiler
PYTHON_CONFIG_PATH := $(shell command -v $(PYTHON_CONFIG))
PYTHON_EXECUTABLE := $(firstword $(wildcard $(PYTHON_CONFIG_PATH:-config=)) \
	$(shell $(PYTHON_CONFIG_PATH) --exec-prefix)/bin/python3)
PYTHON_PREFIX := $(shell $(PYTHON_CONFIG_PATH) --exec-prefix)
PYTHON_INCLUDES := $(patsubst -I%,-isystem %,$(sort $(shell $(PYTHON_CONFIG_PATH) --includes)))
PYTHON_LDFLAGS := $(shell $(PYTHON_CONFIG_PATH) --ldflags --embed) \
	$(if $(filter /usr,$(PYTHON_PREFIX)),,-Wl$(comma)-rpath$(comma)$(PYTHON_PREFIX)/lib)
comma := ,

WARNINGS = -Wall -Wextra -Wshadow -Wno-register $(if $(filter 1,$(WERROR)),-Werror)
DEFINES = -DEPE_PYTHON_EXECUTABLE='"$(PYTHON_EXECUTABLE)"' \
	-DEPE_ENGINE_PROGRAM='"$(shell $(PG_CONFIG) --bindir)/oml_epe_engine"' \
	-DEPE_GATEWAY_PROGRAM='"$(shell $(PG_CONFIG) --bindir)/oml_epe_gateway"' \
	-DEPE_SITE_FOLDERS='"$(shell $(PYTHON_EXECUTABLE) -c 'import site; print(*site.getsitepackages(), sep=":")')"'

PG_CPPFLAGS = -Isrc
PG_CXXFLAGS = -std=c++20 $(WARNINGS) -fvisibility=hidden -fvisibility-inlines-hidden
SHLIB_LINK = -Wl,--version-script=src/entry/exports.map $(PYTHON_LDFLAGS) -lstdc++

# Bitcode for LLVM cannot be made from C++20.
override with_llvm := no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS names the server's headers by -I, before everything else: make them system headers, whose
# warnings are not ours, and drop -I. so that no file of this folder is taken for a header.
override CPPFLAGS := $(filter-out -I. -I./,$(subst -I$(includedir_server),-isystem $(includedir_server),$(subst -I$(includedir_internal),-isystem $(includedir_internal),$(CPPFLAGS)))) \
	$(PYTHON_INCLUDES) $(DEFINES)

# V=1 shows the commands.
quietly = $(if $(V),,@)
COMPILE_OBJECT = $(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c

src/%.o: src/%.cpp build/compile-flags
	@echo "$(CXX) $<"
	$(quietly)$(COMPILE_OBJECT) -o $@ $<

# Objects are made anew when the compiler's command line changes (another PostgreSQL, -O0, ...),
# except for WERROR: going between `make` and tools/check shall not compile everything twice.
quote = '$(subst ','\'',$(1))'
COMMAND_LINE = $(call quote,$(filter-out -Werror,$(COMPILE_OBJECT)))
build/compile-flags: FORCE
	@mkdir -p build
	@echo $(COMMAND_LINE) | cmp -s - $@ || echo $(COMMAND_LINE) > $@

$(shlib): src/entry/exports.map

# The engine program: objects are shared with the library, whose flags they need.
all: $(ENGINE_PROGRAM)
$(ENGINE_PROGRAM): $(PROGRAM_OBJS)
	@echo "$(CXX) $@"
	$(quietly)$(CXX) $(CXXFLAGS) -o $@ $^ -Wl,--export-dynamic $(PYTHON_LDFLAGS) -lseccomp -lpthread

install: install-program
install-program: $(ENGINE_PROGRAM)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(ENGINE_PROGRAM) '$(DESTDIR)$(bindir)/'
.PHONY: install-upgrade-bases
install-upgrade-bases:
	$(MKDIR_P) '$(DESTDIR)$(datadir)/$(datamoduledir)'
	$(INSTALL_DATA) $(UPGRADE_BASES) '$(DESTDIR)$(datadir)/$(datamoduledir)/'
uninstall: uninstall-program
uninstall-program:
	rm -f '$(DESTDIR)$(bindir)/$(ENGINE_PROGRAM)'

-include $(OBJS:.o=.d) $(PROGRAM_OBJS:.o=.d)

# The Python files of the runtime, one C++ initializer each: {"name", R"EPEPY(text)EPEPY"},
# Named as modules are: src/py/runtime/x.py is _oml_epe_runtime.x, python/oml/a/b.py is oml.a.b.
# Written under a name of this process: another make may run in the same tree.
$(RUNTIME_INC): FORCE
	@new=$$(mktemp $@.XXXXXX) && for file in $(RUNTIME_SOURCES); do \
		name=$$(echo "$$file" | sed -e 's|^src/py/runtime/|_oml_epe_runtime/|' -e 's|^python/||' \
			-e 's|\.py$$||' -e 's|/|.|g'); \
		printf '{"%s", R"EPEPY(' "$$name"; cat "$$file"; printf ')EPEPY"},\n'; \
	done > $$new && chmod 644 $$new && \
	if cmp -s $$new $@; then rm $$new; else mv $$new $@; fi

src/py/runtime.o: $(RUNTIME_INC)

$(DATA_built): sql/$(EXTENSION).sql
	cp $< $@

# ---------------------------------------------------------------------------------- test targets
.PHONY: install-program uninstall-program unit regress isolation lint tidy format FORCE

# Fuzz targets (tools/fuzz); the unit tests replay their corpora.
FUZZ_ALL := $(filter-out test/fuzz/replay.cpp,$(wildcard test/fuzz/*.cpp))
FUZZ_GATEWAY := $(filter test/fuzz/gateway_%,$(FUZZ_ALL))
FUZZ_SOURCES := $(filter-out $(FUZZ_GATEWAY),$(FUZZ_ALL))

# The engine's files that need no Python.
UNIT_ENGINE := $(filter-out $(patsubst %,src/engine/%.cpp,engine_main engine_server warm_up zygote),$(wildcard src/engine/*.cpp))
UNIT_OBJS = $(patsubst %.cpp,build/unit/%.o,$(wildcard test/unit/*.cpp) $(FUZZ_SOURCES) test/fuzz/replay.cpp $(wildcard src/core/*.cpp) $(UNIT_ENGINE))
UNIT_FLAGS = -std=c++20 -O1 -g $(WARNINGS) -Isrc -Itest/unit -Itest/fuzz -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all

UNIT_ARGS ?= --gtest_brief=1
unit: build/unit/tests
	$< $(UNIT_ARGS)

build/unit/tests: $(UNIT_OBJS)
	$(quietly)$(CXX) $(UNIT_FLAGS) -o $@ $^ -lgtest -lgtest_main -lpthread -lseccomp

build/unit/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	@echo "$(CXX) $< (sanitized)"
	$(quietly)$(CXX) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

-include $(UNIT_OBJS:.o=.d)

regress:
	@rm -rf build/regress && mkdir -p build/regress
	@$(if $(HAS_EXPECTEDDIR),:,ln -s ../../expected build/regress/expected)
	$(pg_regress_installcheck) $(REGRESS_OPTS) $(REGRESS)

isolation:
	@rm -rf build/isolation && mkdir -p build/isolation
	$(if $(ISOLATION),$(pg_isolation_regress_installcheck) $(ISOLATION_OPTS) $(ISOLATION),@echo "no isolation tests")

# ------------------------------------------------------------------------------------- linting
lint:
	tools/check lint tidy

# One stamp per file, so that only what changed is checked again; a header checks everything again.
TIDY_FLAGS = -std=c++20 -Isrc $(filter-out -I%,$(CPPFLAGS)) -Wno-register
tidy: $(patsubst src/%.cpp,build/tidy/%.ok,$(SOURCES) $(PROGRAM_ONLY))

build/tidy/%.ok: src/%.cpp $(ALL_HEADERS) .clang-tidy $(RUNTIME_INC)
	@mkdir -p $(@D)
	@echo "clang-tidy $<"
	@clang-tidy --quiet $< -- $(TIDY_FLAGS) 2> $@.err || { cat $@.err; exit 1; }
	@rm -f $@.err && touch $@

format:
	clang-format -i $(SOURCES) $(PROGRAM_ONLY) $(ALL_HEADERS) $(wildcard test/unit/*.cpp test/unit/*.h) \
		$(GATEWAY_SOURCES) $(GATEWAY_HEADERS) $(GATEWAY_TESTS) $(FUZZ_ALL) $(wildcard test/fuzz/*.h) test/fuzz/replay.cpp
	tools/python-tools ruff format
	tools/python-tools ruff check --fix

distclean:
	rm -rf build

# Last: they add to the targets above.
include gateway/gateway.mk
include test/fuzz/fuzz.mk
