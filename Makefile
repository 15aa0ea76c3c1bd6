# SPDX-License-Identifier: GPL-2.0-only
# make, make check, make install; V=1 shows commands, O=DIR builds elsewhere.
VERSION := 0.1.0
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
O ?= build
# One name for one folder, whoever calls: objects know their headers by it.
override O := $(abspath $(O))
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(firstword $(shell command -v bpftool /usr/sbin/bpftool) bpftool)
INSTALL ?= install

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2);
endif

LIBS := libbpf libelf capstone zlib sqlite3 jansson libcap-ng libseccomp inih libsystemd libpsl libidn2 nettle
WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wformat=2 -Werror
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARN)
override CPPFLAGS += -D_GNU_SOURCE -DSMTPLIMIT_VERSION='"$(VERSION)"' -I$(O) -iquote . -iquote user \
	$(shell pkg-config --cflags $(LIBS))
LDLIBS += $(shell pkg-config --libs $(LIBS))
ARCH_INCLUDE := -I/usr/include/$(shell $(CC) -print-multiarch)
# The kernel calls back with more arguments than a program needs: unused ones are fine in BPF.
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wshadow -Werror \
	-Wno-unused-parameter -D__TARGET_ARCH_$(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m))) \
	-iquote headers -iquote bpf $(ARCH_INCLUDE)

SRC := $(wildcard user/*.c user/*/*.c)
OBJ := $(SRC:%.c=$(O)/%.o)
# Everything but main(): what tests and benchmarks link.
LIB := $(O)/libsmtplimit.a

all: $(O)/smtplimit
# Kept, though only a step on the way: for bpftool and the curious.
.SECONDARY: $(patsubst bpf/%.c,$(O)/%.o,$(wildcard bpf/*.bpf.c))
.PHONY: all

$(O)/smtplimit: $(O)/user/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(filter-out $(O)/user/main.o,$(OBJ))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/user/%.o: user/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/user/kernel/bpf.o: $(O)/smtplimit.skel.h
$(O)/user/kernel/bpf_domains.o: $(O)/domains.skel.h
$(O)/user/kernel/bpf_tls.o: $(O)/tls.skel.h

# A text as a C string, for the file that includes it.
$(O)/user/hook/hook_exim_text.o: $(O)/exim.conf.h
$(O)/exim.conf.h: user/hook/exim.conf | $(O)/user
	$(call say,TEXT,$@)
	$(Q)sed -e 's/[\\"]/\\&/g; s/.*/\t"&\\n"/' -e '1s/^/static const char exim_conf[] =\n/; $$s/$$/;/' $< \
		> $@.tmp && mv $@.tmp $@

$(O)/%.skel.h: $(O)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@.tmp && mv $@.tmp $@

$(O)/%.bpf.o: bpf/%.bpf.c | $(O)/user
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/user:
	$(Q)mkdir -p $@

# Unit tests and fuzzers need no root.
check: all
	$(Q)$(MAKE) --no-print-directory -C selftests check O=$(abspath $(O)) V=$(V)
.PHONY: check

MANPAGES := $(notdir $(wildcard scripts/*.[1-9]))
UNITDIR := $(PREFIX)/lib/systemd/system
UNITS := $(notdir $(wildcard scripts/*.service scripts/*.path))
install: all
	$(INSTALL) -D -m 0755 $(O)/smtplimit $(DESTDIR)$(SBINDIR)/smtplimit
	for page in $(MANPAGES); do \
		$(INSTALL) -D -m 0644 scripts/$$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page || exit 1; done
	for unit in $(UNITS); do \
		$(INSTALL) -D -m 0644 scripts/$$unit $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/smtplimit $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))
	for page in $(MANPAGES); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page; done
clean:
	rm -rf $(O)
.PHONY: install uninstall clean

-include $(OBJ:.o=.d) $(O)/smtplimit.bpf.d $(O)/domains.bpf.d $(O)/tls.bpf.d
