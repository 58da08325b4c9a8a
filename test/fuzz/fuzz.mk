# The fuzz targets as libFuzzer programs: build/fuzz/TARGET. tools/fuzz builds and runs them.
FUZZ_CXX = clang++
FUZZ_FLAGS = -std=c++20 -O1 -g $(WARNINGS) -DEPE_FUZZING -I$(ROOT)/src -I$(ROOT)/test/unit -I$(ROOT)/test/fuzz -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_LINK = $(FUZZ_CXX) -g -fsanitize=fuzzer,address,undefined

# Archives, so that a program holds what its target reaches: coverage is a part of that.
FUZZ_CORE_OBJS = $(patsubst %.cpp,build/fuzz/%.o,$(patsubst %,src/%,$(call sources,$(UNIT_FOLDERS))))
FUZZ_GATEWAY_OBJS = $(patsubst %.cpp,build/fuzz/%.o,$(filter-out gateway/src/main.cpp,$(GATEWAY_SOURCES)))

FUZZ_TARGETS := $(patsubst test/fuzz/%.cpp,%,$(FUZZ_ALL))
.PHONY: fuzz
fuzz: $(patsubst %,build/fuzz/%,$(FUZZ_TARGETS))

build/fuzz/core.a: $(FUZZ_CORE_OBJS)
build/fuzz/gateway.a: $(FUZZ_GATEWAY_OBJS)
build/fuzz/core.a build/fuzz/gateway.a:
	@rm -f $@
	$(quietly)ar rcs $@ $^

$(patsubst test/fuzz/%.cpp,build/fuzz/%,$(FUZZ_GATEWAY)): build/fuzz/%: build/fuzz/test/fuzz/%.o build/fuzz/gateway.a build/fuzz/core.a
	@echo "$(FUZZ_CXX) $@"
	$(quietly)$(FUZZ_LINK) -o $@ $^ $(GATEWAY_LIBS)
$(patsubst test/fuzz/%.cpp,build/fuzz/%,$(FUZZ_SOURCES)): build/fuzz/%: build/fuzz/test/fuzz/%.o build/fuzz/core.a
	@echo "$(FUZZ_CXX) $@"
	$(quietly)$(FUZZ_LINK) -o $@ $^ -lpthread -lseccomp

build/fuzz/gateway/%.o build/fuzz/test/fuzz/gateway_%.o: FUZZ_FLAGS += $(filter-out -std=% -W%,$(GATEWAY_FLAGS))
build/fuzz/gateway/src/docs_handlers.o: $(GATEWAY_WEB_INC)
build/fuzz/%.o: $(ROOT)/%.cpp $(ROOT)/test/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@echo "$(FUZZ_CXX) $< (fuzzed)"
	$(quietly)$(FUZZ_CXX) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

-include $(FUZZ_CORE_OBJS:.o=.d) $(FUZZ_GATEWAY_OBJS:.o=.d) $(patsubst %.cpp,build/fuzz/%.d,$(FUZZ_ALL))
