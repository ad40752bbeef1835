# Builds, installs and tests the crm extension with PGXS; `make help` lists the targets.
#
# PG_CONFIG names the server to build for, WERROR= (empty) lets warnings pass.

EXTENSION  = crm
MODULE_big = crm

# The one place of the version is crm.control; C sees it as CRM_VERSION.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" crm.control)

PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/15/bin/pg_config) pg_config)
PGXS      := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
WERROR    ?= -Werror

FLOORS = src/kernel/base src/kernel src/render src/pg src/fn src/track
OBJS   = $(patsubst %.c,%.o,$(sort $(wildcard $(addsuffix /*.c,$(FLOORS)))))

# The install script: the head first, then a part for each family, and the tail.
SQL_PARTS  = sql/_head.sql $(filter-out sql/_head.sql sql/_tail.sql,$(sort $(wildcard sql/*.sql))) sql/_tail.sql
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA       = $(wildcard sql/updates/*.sql)

# Server headers leave parameters unused and mix signs; every other warning is ours to mend.
PG_CPPFLAGS = -I$(srcdir)/src -DCRM_VERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -Wall -Wextra $(WERROR) -Werror=implicit-function-declaration \
              -Wno-unused-parameter -Wno-sign-compare \
              -ffp-contract=off -MMD -MP
SHLIB_LINK  = -lnlopt -lm

# pg_regress up to 15 looks for NAME.sql in OUTPUTDIR/sql before INPUTDIR/sql, and ./sql holds the install script:
# so inputs, expected files and results meet in a folder of links, which suits every version.
REGRESS      = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_PREP = regress-folder
REGRESS_OPTS = --inputdir=tmp_check/regress --outputdir=tmp_check/regress --load-extension=$(EXTENSION)

EXTRA_CLEAN = $(OBJS:.o=.d) $(wildcard $(EXTENSION)--*.sql) .build-flags .build-flags.new tmp_check

# No bitcode (it would need clang), and header dependencies by our own -MMD.
override with_llvm  = no
override autodepend = no

.DEFAULT_GOAL := all
.PHONY: FORCE regress-folder test unit lint format demo bench recovery help installcheck-private

ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
all install installcheck:
	@echo "PostgreSQL's server headers are missing for PG_CONFIG=$(PG_CONFIG); run tools/setup" >&2; exit 1
clean:
	rm -rf $(OBJS) $(EXTENSION).so $(EXTRA_CLEAN)
endif

$(DATA_built): $(SQL_PARTS) crm.control sql
	cat $(SQL_PARTS) > $@.new && mv $@.new $@

# Objects are made again when the server, the compiler's flags or the version change.
$(OBJS): .build-flags
.build-flags: FORCE
	@$(file >$@.new,$(PGXS) $(VERSION) $(CC) $(CPPFLAGS) $(CFLAGS))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
-include $(OBJS:.o=.d)

regress-folder:
	@mkdir -p tmp_check/regress
	@ln -sfn $(CURDIR)/test/sql $(CURDIR)/expected tmp_check/regress/

test: ## everything: unit, lint, regress, pgTAP, isolation, Perl TAP, documentation (installs what is missing)
	@tools/setup test
	@test/run

installcheck-private: ## the server's tests alone, against a private server of PG_CONFIG; installs nothing
	@test/run regress pgtap isolation perl doc

unit: ## the kernels alone, plain and under the sanitizers
	@test/run unit

lint: ## the rules of the house
	@test/lint/run

format: ## lay out the C sources with clang-format
	clang-format -i $(wildcard $(addsuffix /*.[ch],$(FLOORS) test/unit))

demo: ## a private server with the extension and sample data (installs what is missing)
	@tools/setup demo
	@tools/demo

bench: ## the benchmarks (installs what is missing)
	@tools/setup bench
	@test/bench/run
	@test/bench/track
	@test/bench/crm
	@test/bench/records
	@test/bench/views
	@test/bench/kmeans
	@test/bench/clv
	@test/bench/churn
	@test/bench/cohorts
	@test/bench/funnel
	@test/bench/regression
	@test/bench/itemset_kernel
	@test/bench/itemsets
	@test/bench/rules
	@test/bench/sequences

recovery: ## whether the models find the parameters of simulated customers again, at full size (minutes)
	@test/bench/recovery

help: ## this list
	@echo "all, install, installcheck, uninstall, clean: as in every PGXS extension; for another server add"
	@echo "PG_CONFIG=/path/to/pg_config. Further:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "  %-21s %s\n", $$1, $$2 }'
