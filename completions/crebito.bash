# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# crebito.bash - what the Tab key adds to a crebito command line in bash.

# The words that begin like the one at hand.
_crebito_words() {
    mapfile -t COMPREPLY < <(compgen -W "$*" -- "$current")
}

# Files (-f) or folders (-d).
_crebito_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
}

# The start of something longer.
_crebito_prefixes() {
    compopt -o nospace 2>/dev/null
    _crebito_words "$@"
}

_crebito_value() {
    case $1 in
    --database) _crebito_prefixes lmdb: postgres:// ;;
    --listen) _crebito_prefixes 127.0.0.1: '[::1]:' unix: ;;
    --durability) _crebito_words full none ;;
    --format) _crebito_words jsonl csv ;;
    --profile) _crebito_words durable contest ;;
    --clients) _crebito_files -f ;;
    *) ;; # a number, a time: nobody can guess it
    esac
}

_crebito() {
    local word=$COMP_CWORD
    local current=${COMP_WORDS[word]} command=${COMP_WORDS[1]} options argument=
    COMPREPLY=()

    # bash makes words of its own of "=" and ":".
    case $current in = | :) current= ;; *) ((word -= 1)) ;; esac
    if [[ ${COMP_WORDS[word]} == : ]]; then
        case ${COMP_WORDS[word - 1]} in
        lmdb) _crebito_files -d ;;
        unix) _crebito_files -f ;;
        esac
        return
    fi
    [[ ${COMP_WORDS[word]} != = ]] || ((word -= 1))

    if [[ $COMP_CWORD == 1 ]]; then
        _crebito_words serve init status client verify backup export restore import --help --version
        return
    fi
    if [[ $command == client ]]; then
        if [[ $COMP_CWORD == 2 ]]; then
            _crebito_words add set-limit show --help
            return
        fi
        command="client ${COMP_WORDS[2]}"
    fi

    case $command in
    serve)
        options="--listen --database --map-size --connections --connect-timeout
            --statement-timeout --socket-mode --max-connections --max-pending --threads
            --key-retention --durability"
        ;;
    init) options="--database --map-size --profile --clients" ;;
    status) options="--listen --database --json" ;;
    'client add') options="--database --limit --balance" ;;
    'client set-limit') options="--database --limit" ;;
    'client show') options="--database --json" ;;
    verify) options="--database" ;;
    backup | restore) options="--database" argument=-d ;;
    export) options="--database --format --client --since" ;;
    import) options="--database --map-size" argument=-f ;;
    *) return ;;
    esac

    if [[ ${COMP_WORDS[word]} == --* && ${COMP_WORDS[word]} != --json ]]; then
        _crebito_value "${COMP_WORDS[word]}"
    elif [[ $current == -* || ! $argument ]]; then
        # shellcheck disable=SC2086 # a list of words
        _crebito_words $options --help
    else
        _crebito_files $argument
    fi
}

complete -F _crebito crebito
