# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of vmdock(1) for bash-completion.

# The deploy ids of this host's VMs; none when the engine cannot be asked.
_vmdock_ids() {
    vmdock "$@" list --ids 2>/dev/null
}

_vmdock_networks() {
    timeout 2 virsh --connect network:///system net-list --name 2>/dev/null
}

_vmdock_engine_networks() {
    timeout 2 docker network ls --filter type=custom --format '{{.Name}}' 2>/dev/null
}

_vmdock_bridges() {
    ip -oneline link show type bridge 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/'
}

_vmdock_options() {
    local common="--config --json --trace --color --help"
    case $1 in
        '') printf '%s --version' "$common" ;;
        shutdown) printf '%s --time' "$common" ;;
        poll) printf '%s --opennebula' "$common" ;;
        list) printf '%s --all --ids' "$common" ;;
        logs) printf '%s --follow --tail' "$common" ;;
        filter) printf '%s --all --xml' "$common" ;;
        deploy | explain) printf '%s --network' "$common" ;;
        run) printf '%s --name --bridge --network --engine-network --ip --gateway --mac --mtu --dns --hostname --memory --cpu --env --set' "$common" ;;
        console) printf '%s --detach-keys' "$common" ;;
        exec) printf '%s --interactive --tty --detach-keys' "$common" ;;
        gc) printf '%s --dry-run' "$common" ;;
        *) printf '%s' "$common" ;;
    esac
}

# Reads the words before the cursor: sets verb, count (its arguments so far) and config (options to
# ask the same host with).
_vmdock_scan() {
    local i word
    verb='' count=0 config=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --config | --color | --time | -t | --tail | -n | --xml | -x | --detach-keys | \
                --name | --bridge | -b | --network | --engine-network | --ip | --gateway | --mac | --mtu | --dns | --hostname | --memory | -m | --cpu | --env | -e | --set)
                # gc's -n takes no value, nor does exec's -t.
                [[ $verb == gc && $word == -n || $verb == exec && $word == -t ]] && continue
                [[ ${COMP_WORDS[i + 1]-} == = ]] && i=$((i + 1))
                i=$((i + 1))
                [[ $word == --config && $i -lt $COMP_CWORD ]] && config=(--config "${COMP_WORDS[i]}")
                ;;
            -*) ;;
            *) if [[ -z $verb ]]; then verb=$word; else count=$((count + 1)); fi ;;
        esac
    done
}

# Fills COMPREPLY with those of the words given that begin as the current one does.
_vmdock_offer() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_vmdock_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# The value of the option before the cursor; fails when there is none that takes one.
_vmdock_value() {
    local option=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes "--color=never" for three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $option in
        --config | --xml | -x) _vmdock_files ;;
        --color) _vmdock_offer "auto always never" ;;
        -t) [[ $verb != exec ]] && COMPREPLY=() ;;
        --time | --tail | --detach-keys) COMPREPLY=() ;;
        -n) [[ $verb == logs || $verb == run ]] && COMPREPLY=() ;;
        --bridge | -b) _vmdock_offer "$(_vmdock_bridges)" ;;
        --network) _vmdock_offer "$(_vmdock_networks)" ;;
        --engine-network) _vmdock_offer "$(_vmdock_engine_networks)" ;;
        --name | --ip | --gateway | --mac | --mtu | --dns | --hostname | --memory | -m | --cpu | --env | -e | --set) COMPREPLY=() ;;
        *) return 1 ;;
    esac
}

_vmdock_argument() {
    local verbs="run deploy shutdown cancel reboot reset pause resume purge poll list show logs events console exec dumpxml explain doctor filter gc version"
    case $verb in
        '') _vmdock_offer "$verbs" ;;
        deploy | explain) [[ $count -eq 0 ]] && _vmdock_files ;;
        shutdown | cancel | reboot | reset | pause | resume | purge | filter)
            _vmdock_offer "$(_vmdock_ids "${config[@]}")" ;;
        poll | show | logs | console | exec | dumpxml)
            [[ $count -eq 0 ]] && _vmdock_offer "$(_vmdock_ids "${config[@]}")" ;;
    esac
}

_vmdock() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb count
    local -a config
    COMPREPLY=()
    _vmdock_scan
    # What a VM runs is not ours to know.
    [[ $verb == exec || $verb == run ]] && [[ $count -gt 0 ]] && return
    _vmdock_value && return
    if [[ $cur == -* ]]; then
        _vmdock_offer "$(_vmdock_options "$verb")"
    else
        _vmdock_argument
    fi
}

complete -F _vmdock vmdock
