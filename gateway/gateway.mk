# The REST gateway, a program of its own: nothing of PostgreSQL's server, but libpq.
GATEWAY_PROGRAM = oml_epe_gateway
# What is plain C++ in the extension, and of use here as well.
GATEWAY_CORE := src/core/utf8.cpp
GATEWAY_SOURCES := $(sort $(wildcard gateway/src/*.cpp))
GATEWAY_OBJS := $(patsubst %.cpp,build/%.o,$(GATEWAY_SOURCES) $(GATEWAY_CORE))
GATEWAY_HEADERS := $(wildcard gateway/src/*.h)

# As Debian's library of cpp-httplib was compiled: the layout of its types depends on it.
GATEWAY_HTTPLIB = -DCPPHTTPLIB_OPENSSL_SUPPORT -DCPPHTTPLIB_ZLIB_SUPPORT -DCPPHTTPLIB_BROTLI_SUPPORT
GATEWAY_INCLUDES = -Igateway/src -Isrc -isystem $(shell $(PG_CONFIG) --includedir)
GATEWAY_FLAGS = -std=c++20 $(WARNINGS) $(GATEWAY_HTTPLIB) -DEPE_VERSION='"$(EXTENSION_VERSION)"' \
	$(GATEWAY_INCLUDES)
GATEWAY_COMPILE = $(CXX) -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 $(GATEWAY_FLAGS) -MMD -MP -c
GATEWAY_LIBS = -lcpp-httplib -L$(shell $(PG_CONFIG) --libdir) -lpq -lssl -lcrypto -lz -lpthread

# The files of /docs, one C++ initializer each, as RUNTIME_INC: {"name", R"EPEWEB(text)EPEWEB"},
GATEWAY_WEB_INC = gateway/src/web_files.inc
$(GATEWAY_WEB_INC): $(wildcard gateway/web/*) gateway/gateway.mk
	@new=$$(mktemp $@.XXXXXX) && for file in gateway/web/*; do \
		printf '{"%s", R"EPEWEB(' "$${file##*/}"; cat "$$file"; printf ')EPEWEB"},\n'; \
	done > $$new && chmod 644 $$new && mv $$new $@
build/gateway/src/docs_handlers.o build/unit/gateway/src/docs_handlers.o \
	build/tidy/gateway/docs_handlers.ok: $(GATEWAY_WEB_INC)

all: $(GATEWAY_PROGRAM)
$(GATEWAY_PROGRAM): $(GATEWAY_OBJS)
	@echo "$(CXX) $@"
	$(quietly)$(CXX) -o $@ $^ $(GATEWAY_LIBS)

build/gateway/src/%.o: gateway/src/%.cpp gateway/gateway.mk
	@mkdir -p $(@D)
	@echo "$(CXX) $<"
	$(quietly)$(GATEWAY_COMPILE) -o $@ $<
build/src/core/%.o: src/core/%.cpp gateway/gateway.mk
	@mkdir -p $(@D)
	$(quietly)$(GATEWAY_COMPILE) -o $@ $<

install: install-gateway
install-gateway: $(GATEWAY_PROGRAM)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(GATEWAY_PROGRAM) '$(DESTDIR)$(bindir)/'
uninstall: uninstall-gateway
uninstall-gateway:
	rm -f '$(DESTDIR)$(bindir)/$(GATEWAY_PROGRAM)'

# --------------------------------------------------------------------------------- its unit tests
GATEWAY_TESTS := $(wildcard gateway/test/unit/*.cpp)
GATEWAY_UNIT_OBJS := $(patsubst %.cpp,build/unit/%.o,$(GATEWAY_TESTS) $(FUZZ_GATEWAY) $(GATEWAY_CORE) \
	$(filter-out gateway/src/main.cpp,$(GATEWAY_SOURCES))) build/unit/gateway/test/fuzz_replay.o
GATEWAY_UNIT_FLAGS = $(UNIT_FLAGS) $(filter-out -std=% -W%,$(GATEWAY_FLAGS))

unit: gateway-unit
gateway-unit: build/unit/gateway-tests
	$< $(UNIT_ARGS)
build/unit/gateway-tests: $(GATEWAY_UNIT_OBJS)
	$(quietly)$(CXX) $(UNIT_FLAGS) -o $@ $^ -lgtest -lgtest_main $(GATEWAY_LIBS)
build/unit/gateway/%.o: gateway/%.cpp gateway/gateway.mk
	@mkdir -p $(@D)
	@echo "$(CXX) $< (sanitized)"
	$(quietly)$(CXX) $(GATEWAY_UNIT_FLAGS) -MMD -MP -c -o $@ $<

build/unit/test/fuzz/gateway_%.o: test/fuzz/gateway_%.cpp gateway/gateway.mk
	@mkdir -p $(@D)
	@echo "$(CXX) $< (sanitized)"
	$(quietly)$(CXX) $(GATEWAY_UNIT_FLAGS) -MMD -MP -c -o $@ $<
build/unit/gateway/test/fuzz_replay.o: build/unit/test/fuzz/replay.o
	@mkdir -p $(@D)
	@cp $< $@

-include $(GATEWAY_OBJS:.o=.d) $(GATEWAY_UNIT_OBJS:.o=.d)

# ---------------------------------------------------------------------------------------- linting
tidy: $(patsubst gateway/src/%.cpp,build/tidy/gateway/%.ok,$(GATEWAY_SOURCES))
build/tidy/gateway/%.ok: gateway/src/%.cpp $(GATEWAY_HEADERS) .clang-tidy
	@mkdir -p $(@D)
	@echo "clang-tidy $<"
	@clang-tidy --quiet $< -- $(GATEWAY_FLAGS) 2> $@.err || { cat $@.err; exit 1; }
	@rm -f $@.err && touch $@

EXTRA_CLEAN += $(GATEWAY_PROGRAM) $(GATEWAY_WEB_INC) build/gateway build/src
.PHONY: install-gateway uninstall-gateway gateway-unit
