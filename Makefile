# oml_epe: embedded Python execution for PostgreSQL (PGXS).
#
#   make             build the library, the programs and the extension script
#   make install     install them into the PostgreSQL of PG_CONFIG (needs the rights to write there)
#   make engine      build and install an engine program for environments of another minor version of
#                    Python: make engine PYTHON_CONFIG=/opt/python3.13/bin/python3.13-config
#   make unit        build and run test/unit and gateway/test/unit under ASan and UBSan, without PostgreSQL
#   make fuzz        the fuzz targets of test/fuzz as libFuzzer programs, by clang (see tools/fuzz)
#   make regress     pg_regress of test/sql against the server of PGHOST (see tools/with-server)
#   make isolation   isolation tests of test/isolation against the same server
#   make lint        every static check            make tidy    clang-tidy alone
#   make format      clang-format and ruff format, in place
#   make dist        the source distribution of the last commit as a zip file in build/, for PGXN
#   make clean       remove what was built         make distclean  also build/ with its tool environments
#
# Variables: PG_CONFIG, PYTHON_CONFIG (the Python to embed), WERROR=1 (warnings are errors), V=1,
# REGRESS="setup pyq_eval" (some regression tests only), UNIT_ARGS (passed to the unit tests).
# tools/check runs all of it against a private server.

PG_CONFIG ?= pg_config
PYTHON_CONFIG ?= /usr/bin/python3-config

EXTENSION = oml_epe
MODULE_big = oml_epe
# The folder of the sources, also when make runs in another one (make -f DIR/Makefile).
ROOT := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))
# PGXS sets VPATH itself only if PostgreSQL was built out of its tree.
ifneq ($(abspath $(ROOT)),$(CURDIR))
VPATH ?= $(abspath $(ROOT))
endif

# The one place of the version; test/py/project/test_version.py compares all others with it.
EXTENSION_VERSION := $(shell cat $(ROOT)/VERSION)

# Without these nothing below works: say in one line what to install.
ifeq ($(shell command -v $(PG_CONFIG)),)
$(error $(PG_CONFIG) was not found: install postgresql-server-dev-NN of your PostgreSQL, or set PG_CONFIG)
endif
ifeq ($(wildcard $(shell $(PG_CONFIG) --pgxs)),)
$(error $(shell $(PG_CONFIG) --version) has no development files: install postgresql-server-dev-NN, or set PG_CONFIG)
endif
ifeq ($(shell command -v $(PYTHON_CONFIG)),)
$(error $(PYTHON_CONFIG) was not found: install python3-dev, or set PYTHON_CONFIG)
endif

# ------------------------------------------------------------------------------------- sources
# The programs are lists of folders below src/.
CORE := core core/batch core/arrow core/request core/pipeline
PY := py/base py/input py/result py/engine
PG := pg/boundary pg/types pg/input pg/output pg/plan pg/catalog pg/backend
LIBRARY_FOLDERS := $(CORE) $(PG) $(PY) engine/common engine/client jobs entry
PROGRAM_FOLDERS := $(CORE) $(PY) engine/common engine/sandbox engine/supervisor engine/link engine/program
UNIT_FOLDERS := $(CORE) engine/common engine/client engine/sandbox engine/supervisor engine/link

# $(call sources,FOLDERS): their .cpp files, below src/.
sources = $(sort $(patsubst $(ROOT)/src/%,%,$(foreach folder,$(1),$(wildcard $(ROOT)/src/$(folder)/*.cpp))))
ALL_FOLDERS := $(sort $(LIBRARY_FOLDERS) $(PROGRAM_FOLDERS))

# Objects: build/library/, build/program/ for what only the engine program needs, build/unit/ with
# sanitizers. The engine program shares the objects of the folders that both have.
#
# Objects of folders without PostgreSQL's headers are the same for every version of PostgreSQL:
# SHARED_BUILD=DIR takes them from the folder build/ of another build, which must be complete.
ENGINE_PROGRAM = oml_epe_engine
SHARED_BUILD ?= build
SERVER_FOLDERS := $(PG) jobs entry
OBJS := $(patsubst %.cpp,build/library/%.o,$(call sources,$(filter $(SERVER_FOLDERS),$(LIBRARY_FOLDERS)))) \
	$(patsubst %.cpp,$(SHARED_BUILD)/library/%.o,$(call sources,$(filter-out $(SERVER_FOLDERS),$(LIBRARY_FOLDERS))))
PROGRAM_OBJS := $(patsubst %.cpp,$(SHARED_BUILD)/library/%.o,$(call sources,$(filter $(LIBRARY_FOLDERS),$(PROGRAM_FOLDERS)))) \
	$(patsubst %.cpp,$(SHARED_BUILD)/program/%.o,$(call sources,$(filter-out $(LIBRARY_FOLDERS),$(PROGRAM_FOLDERS))))

DATA_built = sql/$(EXTENSION)--$(EXTENSION_VERSION).sql
DATA = $(patsubst $(ROOT)/%,%,$(wildcard $(ROOT)/sql/$(EXTENSION)--*--*.sql))
# The scripts of earlier versions, from which the tests upgrade. They are not installed otherwise:
# a new database gets the current version.
UPGRADE_BASES = $(wildcard $(ROOT)/test/upgrade/$(EXTENSION)--*.sql)

# Embedded Python sources: the runtime, and package oml.
EMBEDDED_SOURCES := $(sort $(wildcard $(ROOT)/src/py/runtime/*.py) $(shell find $(ROOT)/python/oml -name '*.py' 2> /dev/null))
EMBEDDED_INC = build/generated/embedded_sources.inc

EXTRA_CLEAN = $(ENGINE_PROGRAM) build/$(ENGINE_PROGRAM)-3.* build/library build/program build/unit build/fuzz/src build/fuzz/test build/fuzz/gateway \
	build/generated build/compile-flags build/unit-flags build/gateway-flags build/tidy build/tidy-flags build/regress build/isolation

# --------------------------------------------------------------------------------------- tests
# `setup` goes first where it exists: it creates the extension for the tests that follow.
REGRESS_ALL := $(patsubst $(ROOT)/test/sql/%.sql,%,$(sort $(wildcard $(ROOT)/test/sql/*.sql)))
REGRESS = $(filter setup,$(REGRESS_ALL)) $(filter-out setup,$(REGRESS_ALL))
ISOLATION = $(patsubst $(ROOT)/test/isolation/specs/%.spec,%,$(sort $(wildcard $(ROOT)/test/isolation/specs/*.spec)))

# Up to 15 pg_regress looks for expected/ below its output directory, then below its input
# directory, so build/regress/expected is a link; from 16 on it takes --expecteddir.
HAS_EXPECTEDDIR = $(if $(filter 14 15,$(MAJORVERSION)),,yes)
REGRESS_OPTS = --inputdir=$(ROOT)/test --outputdir=build/regress $(if $(HAS_EXPECTEDDIR),--expecteddir=$(ROOT))
# Unlike pg_regress's tests, which show how the extension is created, specs find it in place.
ISOLATION_OPTS = --load-extension=$(EXTENSION) --inputdir=$(ROOT)/test/isolation --outputdir=build/isolation \
	$(if $(HAS_EXPECTEDDIR),--expecteddir=$(ROOT)/test/isolation)

# --------------------------------------------------------------------------------- the compiler
PYTHON_CONFIG_PATH := $(shell command -v $(PYTHON_CONFIG))
PYTHON_EXECUTABLE := $(firstword $(wildcard $(PYTHON_CONFIG_PATH:-config=)) \
	$(shell $(PYTHON_CONFIG_PATH) --exec-prefix)/bin/python3)
PYTHON_PREFIX := $(shell $(PYTHON_CONFIG_PATH) --exec-prefix)
PYTHON_INCLUDES := $(patsubst -I%,-isystem %,$(sort $(shell $(PYTHON_CONFIG_PATH) --includes)))
comma := ,
PYTHON_LDFLAGS := $(shell $(PYTHON_CONFIG_PATH) --ldflags --embed) \
	$(if $(filter /usr,$(PYTHON_PREFIX)),,-Wl$(comma)-rpath$(comma)$(PYTHON_PREFIX)/lib)

# Where the server finds the gateway; a package may install the gateway elsewhere.
GATEWAY_PATH ?= $(shell $(PG_CONFIG) --bindir)/oml_epe_gateway

# For clang: PGXS passes options of the compiler that built PostgreSQL, which it may not know, and some
# of PostgreSQL's macros increment a volatile, which C++20 deprecates. (g++ ignores macros of system headers.)
WARNINGS = -Wall -Wextra -Wshadow -Wno-register \
	$(if $(findstring clang,$(CXX)),-Wno-unknown-warning-option -Wno-deprecated-volatile) $(if $(filter 1,$(WERROR)),-Werror)
DEFINES = -DEPE_PYTHON_EXECUTABLE='"$(PYTHON_EXECUTABLE)"' \
	-DEPE_ENGINE_PROGRAM='"$(shell $(PG_CONFIG) --bindir)/oml_epe_engine"' \
	-DEPE_GATEWAY_PROGRAM='"$(GATEWAY_PATH)"' \
	-DEPE_SITE_FOLDERS='"$(shell $(PYTHON_EXECUTABLE) -c 'import site; print(*site.getsitepackages(), sep=":")')"'

PG_CPPFLAGS = -I$(ROOT)/src -Ibuild/generated
PG_CXXFLAGS = -std=c++20 $(WARNINGS) -fvisibility=hidden -fvisibility-inlines-hidden
SHLIB_LINK = -Wl,--version-script=$(ROOT)/src/entry/exports.map $(PYTHON_LDFLAGS) -lstdc++

# Bitcode for LLVM cannot be made from C++20.
override with_llvm := no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# VPATH told PGXS where the sources are. make itself must not search for targets there: it would use the
# objects of a build in the source folder, for another PostgreSQL.
srcdir := $(srcdir)
override VPATH :=
vpath %.control $(srcdir)

# PGXS names the server's headers by -I, before everything else: make them system headers, whose
# warnings are ignored, and drop -I. so that no file of this folder is used as a header.
override CPPFLAGS := $(filter-out -I. -I./,$(subst -I$(includedir_server),-isystem $(includedir_server),$(subst -I$(includedir_internal),-isystem $(includedir_internal),$(CPPFLAGS)))) \
	$(PYTHON_INCLUDES) $(DEFINES)

# Of the programs; the library is linked with the server's LDFLAGS.
LINK_HARDENING = -Wl,-z,relro,-z,now

# V=1 shows the commands.
quietly = $(if $(V),,@)
COMPILE_OBJECT = $(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c

define compile_object
@mkdir -p $(@D)
@echo "$(CXX) $<"
$(quietly)$(COMPILE_OBJECT) -o $@ $<
endef
# Two rules: a pattern rule with two targets would promise to make both.
build/library/%.o: $(ROOT)/src/%.cpp build/compile-flags | build/prerequisites
	$(compile_object)
build/program/%.o: $(ROOT)/src/%.cpp build/compile-flags | build/prerequisites
	$(compile_object)

# One line that says which packages to install, instead of a compiler's errors. Checked once.
build/prerequisites: $(ROOT)/tools/prerequisites
	@mkdir -p $(@D)
	@$< extension $(CXX) $(CPPFLAGS) && touch $@

# Objects are rebuilt when the compiler's command line changes (another PostgreSQL, -O0, ...), except
# for WERROR: switching between `make` and tools/check must not compile everything twice.
quote = '$(subst ','\'',$(1))'
# $(call note_command,COMMAND): writes the target if the command differs from its contents.
define note_command
@mkdir -p $(@D)
@echo $(call quote,$(filter-out -Werror,$(1))) | cmp -s - $@ || echo $(call quote,$(filter-out -Werror,$(1))) > $@
endef
build/compile-flags: FORCE
	$(call note_command,$(COMPILE_OBJECT))

$(shlib): $(ROOT)/src/entry/exports.map

# The engine program: objects are shared with the library, whose flags they need.
all: $(ENGINE_PROGRAM)
$(ENGINE_PROGRAM): $(PROGRAM_OBJS)
	@echo "$(CXX) $@"
	$(quietly)$(CXX) $(CXXFLAGS) -o $@ $^ -Wl,--export-dynamic $(LINK_HARDENING) $(PYTHON_LDFLAGS) -lseccomp -lpthread

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
	rm -f '$(DESTDIR)$(bindir)/$(ENGINE_PROGRAM)' '$(DESTDIR)$(bindir)/$(ENGINE_PROGRAM)'-3.*

# An engine program for environments of another minor version of Python, beside the first one. It
# shares no objects with it: the command lines differ.
ifneq ($(filter engine,$(MAKECMDGOALS)),)
ENGINE_PYTHON := $(shell $(PYTHON_EXECUTABLE) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
$(if $(ENGINE_PYTHON),,$(error PYTHON_CONFIG=$(PYTHON_CONFIG) names no Python))
OTHER_ENGINE = $(ENGINE_PROGRAM)-$(ENGINE_PYTHON)
OTHER_ENGINE_OBJS := $(patsubst %.cpp,build/$(OTHER_ENGINE)/%.o,$(call sources,$(PROGRAM_FOLDERS)))

.PHONY: engine
engine: build/$(OTHER_ENGINE)/$(OTHER_ENGINE)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $< '$(DESTDIR)$(bindir)/'

build/$(OTHER_ENGINE)/$(OTHER_ENGINE): $(OTHER_ENGINE_OBJS)
	@echo "$(CXX) $@"
	$(quietly)$(CXX) $(CXXFLAGS) -o $@ $^ -Wl,--export-dynamic $(PYTHON_LDFLAGS) -lseccomp -lpthread

build/$(OTHER_ENGINE)/%.o: $(ROOT)/src/%.cpp build/$(OTHER_ENGINE)/compile-flags
	@mkdir -p $(@D)
	@echo "$(CXX) $<"
	$(quietly)$(COMPILE_OBJECT) -o $@ $<

build/$(OTHER_ENGINE)/compile-flags: FORCE
	$(call note_command,$(COMPILE_OBJECT))
build/$(OTHER_ENGINE)/py/engine/embedded_sources.o: $(EMBEDDED_INC)

-include $(OTHER_ENGINE_OBJS:.o=.d)
endif

-include $(OBJS:.o=.d) $(PROGRAM_OBJS:.o=.d)

# The Python files of the runtime, one C++ initializer each: {"name", R"EPEPY(text)EPEPY"},
# Named as modules are: src/py/runtime/x.py is _oml_epe_runtime.x, python/oml/a/b.py is oml.a.b.
# The temporary name contains the shell's process ID, so that concurrent makes do not collide.
$(EMBEDDED_INC): FORCE
	@mkdir -p $(@D)
	@for file in $(EMBEDDED_SOURCES); do \
		name=$$(echo "$$file" | sed -e 's|^$(ROOT)/src/py/runtime/|_oml_epe_runtime/|' -e 's|^$(ROOT)/python/||' \
			-e 's|\.py$$||' -e 's|/|.|g'); \
		printf '{"%s", R"EPEPY(' "$$name"; cat "$$file"; printf ')EPEPY"},\n'; \
	done > $@.$$$$; \
	if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi

build/library/py/engine/embedded_sources.o: $(EMBEDDED_INC)

# The version as a C++ literal, for the engine program.
VERSION_INC = build/generated/version.inc
$(VERSION_INC): FORCE
	@mkdir -p $(@D)
	@echo '"$(EXTENSION_VERSION)"' | cmp -s - $@ || echo '"$(EXTENSION_VERSION)"' > $@
build/program/engine/program/main.o $(if $(OTHER_ENGINE),build/$(OTHER_ENGINE)/engine/program/main.o): $(VERSION_INC)

# For tools that read the sources before anything is built (tools/check lint).
generated: $(EMBEDDED_INC) $(VERSION_INC)

# The parts of the extension script, in the order of their numbers.
SQL_PARTS := $(sort $(wildcard $(ROOT)/sql/[0-9][0-9]_*.sql))
$(DATA_built): $(SQL_PARTS) $(ROOT)/Makefile
	@mkdir -p $(@D)
	cat $(SQL_PARTS) > $@

# ---------------------------------------------------------------------------------- test targets
.PHONY: generated install-program uninstall-program unit regress isolation lint tidy list-tidy-sources format check-format FORCE

# Fuzz targets (tools/fuzz); the unit tests replay their corpora.
FUZZ_ALL := $(filter-out test/fuzz/replay.cpp,$(patsubst $(ROOT)/%,%,$(wildcard $(ROOT)/test/fuzz/*.cpp)))
FUZZ_GATEWAY := $(filter test/fuzz/gateway_%,$(FUZZ_ALL))
FUZZ_SOURCES := $(filter-out $(FUZZ_GATEWAY),$(FUZZ_ALL))

UNIT_TESTS := $(patsubst $(ROOT)/%,%,$(wildcard $(ROOT)/test/unit/*/*.cpp)) $(FUZZ_SOURCES) test/fuzz/replay.cpp
UNIT_OBJS = $(patsubst %.cpp,build/unit/%.o,$(UNIT_TESTS) $(patsubst %,src/%,$(call sources,$(UNIT_FOLDERS))))
UNIT_FLAGS = -std=c++20 -O0 -g1 $(WARNINGS) -I$(ROOT)/src -I$(ROOT)/test/unit -I$(ROOT)/test/fuzz -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all

UNIT_ARGS ?= --gtest_brief=1
unit: build/unit/tests
	$< $(UNIT_ARGS)

build/unit/tests: $(UNIT_OBJS)
	$(quietly)$(CXX) $(UNIT_FLAGS) -o $@ $^ -lgtest -lgtest_main -lpthread -lseccomp

build/unit-flags: FORCE
	$(call note_command,$(CXX) $(UNIT_FLAGS) $(GATEWAY_UNIT_FLAGS))

build/unit/%.o: $(ROOT)/%.cpp build/unit-flags
	@mkdir -p $(@D)
	@echo "$(CXX) $< (sanitized)"
	$(quietly)$(CXX) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

-include $(UNIT_OBJS:.o=.d)

regress:
	@rm -rf build/regress && mkdir -p build/regress
	@$(if $(HAS_EXPECTEDDIR),:,ln -s $(abspath $(ROOT)/expected) build/regress/expected)
	$(pg_regress_installcheck) $(REGRESS_OPTS) $(REGRESS)

isolation:
	@rm -rf build/isolation && mkdir -p build/isolation
	$(if $(ISOLATION),$(pg_isolation_regress_installcheck) $(ISOLATION_OPTS) $(ISOLATION),@echo "no isolation tests")

# ------------------------------------------------------------------------------------- linting
lint:
	$(ROOT)/tools/check lint tidy

# TIDY_SOURCES (tools/tidy_scope) limits the check to some files. One stamp per file, with the
# headers that it includes as dependencies, so that only what has changed is checked again.
TIDY_FLAGS = -std=c++20 -I$(ROOT)/src -Ibuild/generated $(filter-out -I%,$(CPPFLAGS)) -Wno-register
TIDY_SOURCES ?= $(addprefix src/,$(call sources,$(ALL_FOLDERS))) $(GATEWAY_SOURCES)
TIDY_STAMPS = $(patsubst src/%.cpp,build/tidy/%.ok,$(patsubst gateway/src/%.cpp,build/tidy/gateway/%.ok,$(TIDY_SOURCES)))

list-tidy-sources:
	@printf '%s\n' $(TIDY_SOURCES)

# $(call run_tidy,FLAGS): checks the first prerequisite.
define run_tidy
@mkdir -p $(@D)
@echo "clang-tidy $<"
@$(CXX) $(1) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
@clang-tidy --quiet $< -- $(1) 2> $@.err || { cat $@.err; exit 1; }
@rm -f $@.err && touch $@
endef

build/tidy/%.ok: $(ROOT)/src/%.cpp $(ROOT)/.clang-tidy build/tidy-flags | $(EMBEDDED_INC) $(VERSION_INC)
	$(call run_tidy,$(TIDY_FLAGS))

build/tidy-flags: FORCE
	$(call note_command,$(TIDY_FLAGS) $(GATEWAY_FLAGS))

# All C++ files, for clang-format.
CXX_FILES = $(shell find $(addprefix $(ROOT)/,src test/unit test/fuzz gateway) -name '*.cpp' -o -name '*.h')
check-format:
	@clang-format --dry-run -Werror $(CXX_FILES)

format:
	clang-format -i $(CXX_FILES)
	cd $(ROOT) && tools/python-tools ruff format
	cd $(ROOT) && tools/python-tools ruff check --fix

distclean:
	rm -rf build

# .gitattributes names the files that are left out.
DIST = $(EXTENSION)-$(EXTENSION_VERSION)
.PHONY: dist
dist:
	@mkdir -p build
	git -C $(ROOT) archive --format=zip --prefix=$(DIST)/ -o $(CURDIR)/build/$(DIST).zip HEAD
	@echo build/$(DIST).zip

# Last: they add to the targets above.
include $(ROOT)/gateway/gateway.mk
include $(ROOT)/test/fuzz/fuzz.mk

# They name the sources of the gateway as well.
tidy: $(TIDY_STAMPS)
-include $(wildcard $(TIDY_STAMPS:.ok=.d))
