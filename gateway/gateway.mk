# The REST gateway, a separate program: links libpq, but nothing of the PostgreSQL server.
GATEWAY_PROGRAM = oml_epe_gateway
# Plain C++ sources shared with the extension.
GATEWAY_CORE := src/core/utf8.cpp src/core/request/control_json.cpp
GATEWAY_FOLDERS := gateway/src
GATEWAY_SOURCES := $(sort $(patsubst $(ROOT)/%,%,$(foreach folder,$(GATEWAY_FOLDERS),$(wildcard $(ROOT)/$(folder)/*.cpp))))
GATEWAY_OBJS := $(patsubst %.cpp,build/gateway/%.o,$(patsubst gateway/src/%,%,$(GATEWAY_SOURCES)) $(GATEWAY_CORE))

# Compiled like Debian's cpp-httplib library: the layout of its types depends on it.
GATEWAY_HTTPLIB = -DCPPHTTPLIB_OPENSSL_SUPPORT -DCPPHTTPLIB_ZLIB_SUPPORT -DCPPHTTPLIB_BROTLI_SUPPORT
GATEWAY_INCLUDES = -I$(ROOT)/gateway/src -I$(ROOT)/src -Ibuild/generated -isystem $(shell $(PG_CONFIG) --includedir)
GATEWAY_FLAGS = -std=c++20 $(WARNINGS) $(GATEWAY_HTTPLIB) -DEPE_VERSION='"$(EXTENSION_VERSION)"' \
	$(GATEWAY_INCLUDES)
GATEWAY_COMPILE = $(CXX) -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 $(GATEWAY_FLAGS) -MMD -MP -c
GATEWAY_LIBS = -lcpp-httplib -L$(shell $(PG_CONFIG) --libdir) -lpq -lssl -lcrypto -lz -lpthread

# The files of /docs, one C++ initializer each, as EMBEDDED_INC: {"name", R"EPEWEB(text)EPEWEB"},
GATEWAY_WEB_INC = build/generated/web_files.inc
$(GATEWAY_WEB_INC): FORCE
	@mkdir -p $(@D)
	@for file in $(ROOT)/gateway/web/*; do \
		printf '{"%s", R"EPEWEB(' "$${file##*/}"; cat "$$file"; printf ')EPEWEB"},\n'; \
	done > $@.$$$$; \
	if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi
build/gateway/docs_handlers.o build/unit/gateway/src/docs_handlers.o: $(GATEWAY_WEB_INC)

ifneq ($(WITHOUT_GATEWAY),1)
all: $(GATEWAY_PROGRAM)
endif
$(GATEWAY_PROGRAM): $(GATEWAY_OBJS)
	@echo "$(CXX) $@"
	$(quietly)$(CXX) -o $@ $^ $(LINK_HARDENING) $(GATEWAY_LIBS)

build/gateway-flags: FORCE
	$(call note_command,$(GATEWAY_COMPILE))

build/gateway-prerequisites: $(ROOT)/tools/prerequisites
	@mkdir -p $(@D)
	@$< gateway $(CXX) $(GATEWAY_INCLUDES) && touch $@

build/gateway/%.o: $(ROOT)/gateway/src/%.cpp build/gateway-flags | build/gateway-prerequisites
	@mkdir -p $(@D)
	@echo "$(CXX) $<"
	$(quietly)$(GATEWAY_COMPILE) -o $@ $<
build/gateway/src/core/%.o: $(ROOT)/src/core/%.cpp build/gateway-flags | build/gateway-prerequisites
	@mkdir -p $(@D)
	@echo "$(CXX) $<"
	$(quietly)$(GATEWAY_COMPILE) -o $@ $<

ifneq ($(WITHOUT_GATEWAY),1)
install: install-gateway
endif
install-gateway: $(GATEWAY_PROGRAM)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(GATEWAY_PROGRAM) '$(DESTDIR)$(bindir)/'
uninstall: uninstall-gateway
uninstall-gateway:
	rm -f '$(DESTDIR)$(bindir)/$(GATEWAY_PROGRAM)'

# --------------------------------------------------------------------------------- its unit tests
GATEWAY_TESTS := $(patsubst $(ROOT)/%,%,$(wildcard $(ROOT)/gateway/test/unit/*.cpp))
GATEWAY_UNIT_OBJS := $(patsubst %.cpp,build/unit/%.o,$(GATEWAY_TESTS) $(FUZZ_GATEWAY) $(GATEWAY_CORE) \
	$(filter-out gateway/src/main.cpp,$(GATEWAY_SOURCES))) build/unit/gateway/test/fuzz_replay.o
GATEWAY_UNIT_FLAGS = $(UNIT_FLAGS) $(filter-out -std=% -W%,$(GATEWAY_FLAGS))

unit: gateway-unit
gateway-unit: build/unit/gateway-tests
	$< $(UNIT_ARGS)
build/unit/gateway-tests: $(GATEWAY_UNIT_OBJS)
	$(quietly)$(CXX) $(UNIT_FLAGS) -o $@ $^ -lgtest -lgtest_main $(GATEWAY_LIBS)
build/unit/gateway/%.o: $(ROOT)/gateway/%.cpp build/unit-flags
	@mkdir -p $(@D)
	@echo "$(CXX) $< (sanitized)"
	$(quietly)$(CXX) $(GATEWAY_UNIT_FLAGS) -MMD -MP -c -o $@ $<

build/unit/test/fuzz/gateway_%.o: $(ROOT)/test/fuzz/gateway_%.cpp build/unit-flags
	@mkdir -p $(@D)
	@echo "$(CXX) $< (sanitized)"
	$(quietly)$(CXX) $(GATEWAY_UNIT_FLAGS) -MMD -MP -c -o $@ $<
build/unit/gateway/test/fuzz_replay.o: build/unit/test/fuzz/replay.o
	@mkdir -p $(@D)
	@cp $< $@

-include $(GATEWAY_OBJS:.o=.d) $(GATEWAY_UNIT_OBJS:.o=.d)

# ---------------------------------------------------------------------------------------- linting
build/tidy/gateway/%.ok: $(ROOT)/gateway/src/%.cpp $(ROOT)/.clang-tidy build/tidy-flags | $(GATEWAY_WEB_INC)
	$(call run_tidy,$(GATEWAY_FLAGS))

EXTRA_CLEAN += $(GATEWAY_PROGRAM) build/gateway
.PHONY: install-gateway uninstall-gateway gateway-unit
