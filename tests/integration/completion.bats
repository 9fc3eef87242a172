#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The completion offers what fits where the cursor is. A stand-in for vmdock tells the VMs.

setup() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/vmdock" <<'SH'
#!/bin/sh
[ "$*" = "list --ids" ] && printf 'one-7\none-42\n'
[ "$*" = "--config other.conf list --ids" ] && echo one-99
exit 0
SH
    chmod +x "$BATS_TEST_TMPDIR/bin/vmdock"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    cd "$BATS_TEST_TMPDIR" || return 1
    # shellcheck source=shim/completion/vmdock.bash
    . "$BATS_TEST_DIRNAME/../../shim/completion/vmdock.bash"
}

# What is offered behind these words, on one line; the last one is being written.
offered() {
    COMP_WORDS=(vmdock "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _vmdock || true
    printf '%s' "${COMPREPLY[*]}"
}

@test "verbs: every one of the manual page, and by their beginning" {
    local manual=$BATS_TEST_DIRNAME/../../doc/vmdock.1.in
    [ "$(offered '' | tr ' ' '\n' | sort)" = "$(sed -n 's/^\.It Cm \([a-z]*\).*/\1/p' "$manual" | sort)" ]
    [ "$(offered re)" = "reboot reset resume" ]
    [ "$(offered --json sho)" = "show" ]
}

@test "VMs: where a verb takes them" {
    [ "$(offered shutdown '')" = "one-7 one-42" ]
    [ "$(offered purge one-7 one-4)" = "one-42" ]
    [ "$(offered show one-7 '')" = "" ]
    [ "$(offered logs -n 5 '')" = "one-7 one-42" ]
    [ "$(offered console '')" = "one-7 one-42" ]
    [ "$(offered list '')" = "" ]
    [ "$(offered gc -n '')" = "" ]
}

@test "VMs of another configuration" {
    [ "$(offered --config other.conf show '')" = "one-99" ]
    [ "$(offered --config = other.conf show '')" = "one-99" ]
}

@test "options: those of the verb, and those of all" {
    [ "$(offered poll --o)" = "--opennebula" ]
    [ "$(offered logs --f)" = "--follow" ]
    [ "$(offered gc --d)" = "--dry-run" ]
    [ "$(offered console --d)" = "--detach-keys" ]
    [ "$(offered exec --t)" = "--trace --tty" ]
    [ "$(offered shutdown --ti)" = "--time" ]
    [ "$(offered list --i)" = "--ids" ]
    [ "$(offered list --a)" = "--all" ]
    [ "$(offered --v)" = "--version" ]
    [ "$(offered show --v)" = "" ]
    [ "$(offered show --j)" = "--json" ]
    [ "$(offered deploy --n)" = "--network" ]
    [ "$(offered explain --n)" = "--network" ]
}

@test "values of options" {
    [ "$(offered --color '')" = "auto always never" ]
    [ "$(offered --color = n)" = "never" ]
    [ "$(offered --color =)" = "auto always never" ]
    touch a.conf b.xml
    [ "$(offered --config a)" = "a.conf" ]
    [ "$(offered logs --tail '')" = "" ]
}

@test "files: for deploy and explain, once" {
    touch vm.xml
    [ "$(offered deploy v)" = "vm.xml" ]
    [ "$(offered explain v)" = "vm.xml" ]
    [ "$(offered deploy vm.xml v)" = "" ]
    [ "$(offered deploy --network default v)" = "vm.xml" ]
}

@test "the command of exec is left alone" {
    [ "$(offered exec one)" = "one-7 one-42" ]
    [ "$(offered exec -t one)" = "one-7 one-42" ]
    [ "$(offered exec -it one)" = "one-7 one-42" ]
    [ "$(offered exec --detach-keys ctrl-a one)" = "one-7 one-42" ]
    [ "$(offered exec --detach-keys '')" = "" ]
    [ "$(offered run --name web alpine --c)" = "" ]
    [ "$(offered run -b br0 --me)" = "--memory" ]
    [ "$(offered run --ip '')" = "" ]
    [ "$(offered exec one-7 -- --c)" = "" ]
    [ "$(offered exec one-7 -- ps -)" = "" ]
}
