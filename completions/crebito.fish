# SPDX-License-Identifier: MIT
#
# crebito.fish - what the Tab key adds to a crebito command line in fish.

# Is one of these the command of the line? "client-add" is `client add`; "" is none yet.
function __crebito_is
    set -l words (commandline -opc)
    set -l command "$words[2]"
    if test "$command" = client
        set command (string join - -- $words[2..3])
    end
    contains -- "$command" $argv
end

function __crebito_urls
    __fish_complete_directories (commandline -ct | string replace -r '^(--database=)?(lmdb:)?' '') \
        | string replace -r '^' lmdb:
    echo postgres://
end

function __crebito_addresses
    printf '%s\n' 127.0.0.1: '[::1]:' unix:
end

complete -c crebito -f
complete -c crebito -n '__crebito_is ""' -l version -d 'Show the version and exit'
complete -c crebito -l help -d 'Show the options and exit'

complete -c crebito -n '__crebito_is ""' -a serve -d 'Serve the bank over HTTP'
complete -c crebito -n '__crebito_is ""' -a init -d 'Create the store and its clients'
complete -c crebito -n '__crebito_is ""' -a status -d 'Say whether the server is well'
complete -c crebito -n '__crebito_is ""' -a client -d 'Open, change and show accounts'
complete -c crebito -n '__crebito_is ""' -a verify -d 'Audit the ledger'
complete -c crebito -n '__crebito_is ""' -a backup -d 'Copy the ledger'
complete -c crebito -n '__crebito_is ""' -a export -d 'Write the journal to standard output'
complete -c crebito -n '__crebito_is ""' -a restore -d 'Make a store from a backup'
complete -c crebito -n '__crebito_is ""' -a import -d 'Make a store from an export'
complete -c crebito -n '__crebito_is client' -a add -d 'Open an account'
complete -c crebito -n '__crebito_is client' -a set-limit -d "Raise or lower an account's credit limit"
complete -c crebito -n '__crebito_is client' -a show -d 'Show an account'

complete -c crebito -n '__crebito_is serve status' -l listen -x -a '(__crebito_addresses)' -d 'Where to serve, or whom to ask'
complete -c crebito -n '__crebito_is serve init status client-add client-set-limit client-show verify backup export restore import' -l database -x -a '(__crebito_urls)' -d 'Which store'
complete -c crebito -n '__crebito_is serve init import' -l map-size -x -d 'The largest the ledger may become'
complete -c crebito -n '__crebito_is serve' -l connections -x -d 'PostgreSQL: connections at most'
complete -c crebito -n '__crebito_is serve' -l connect-timeout -x -d 'PostgreSQL: seconds for a connection'
complete -c crebito -n '__crebito_is serve' -l statement-timeout -x -d 'PostgreSQL: seconds for a call'
complete -c crebito -n '__crebito_is serve' -l socket-mode -x -d 'Permissions of Unix sockets'
complete -c crebito -n '__crebito_is serve' -l max-connections -x -d 'Connections served at once'
complete -c crebito -n '__crebito_is serve' -l max-pending -x -d 'Transactions waiting at once'
complete -c crebito -n '__crebito_is serve' -l threads -x -d 'Threads that serve connections'
complete -c crebito -n '__crebito_is serve' -l key-retention -x -d 'Hours an Idempotency-Key is remembered'
complete -c crebito -n '__crebito_is serve' -l durability -x -a 'full none' -d 'When a transaction is answered'
complete -c crebito -n '__crebito_is init' -l profile -x -a 'durable contest' -d 'PostgreSQL: what a crash may cost'
complete -c crebito -n '__crebito_is init' -l clients -r -F -d 'The clients of a new store, in CSV'
complete -c crebito -n '__crebito_is client-add client-set-limit' -l limit -x -d 'The credit limit, in cents'
complete -c crebito -n '__crebito_is client-add' -l balance -x -d 'The opening balance, in cents'
complete -c crebito -n '__crebito_is export' -l format -x -a 'jsonl csv' -d 'How a record is written'
complete -c crebito -n '__crebito_is export' -l client -x -d 'Only the records of this client'
complete -c crebito -n '__crebito_is export' -l since -x -d 'Only the records of this time and later'
complete -c crebito -n '__crebito_is status client-show' -l json -d 'Answer with one JSON object'

complete -c crebito -n '__crebito_is backup restore' -x -a '(__fish_complete_directories)'
complete -c crebito -n '__crebito_is import' -F
