# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd: the calls of OpenNebula's own command line, in its own form (commands).

load helper

setup() { service_setup; }
teardown() { service_stop; }

COMMANDS=$BATS_TEST_DIRNAME/commands

# answered "COMMAND => WHAT" BODY
answered() {
    local what=${1##*=> } answer
    answer=$(sed "s,oneadmin:oneadminlab,$session,; s,0:SOURCE/,0:$source/," <<<"$2" | api --body) ||
        { echo "$1: $answer"; return 1; }
    case $what in
    'number '* | 'text '*) [[ $answer =~ ^${what#* }$ ]] || { echo "$1: $answer"; return 1; } ;;
    *) follows "$what" "$answer" || { echo "$1: $answer"; return 1; } ;;
    esac
}

# replay: all of the commands, one after another
replay() {
    local line command='' body=''
    while IFS= read -r line; do
        if [[ $line != '# '*' => '* ]]; then
            body+=$line$'\n'
            continue
        fi
        [ -z "$command" ] || answered "$command" "$body" || return 1
        command=${line#\# } body=''
    done <"$COMMANDS"
    answered "$command" "$body"
}

@test "what OpenNebula's command line sends is answered in the core's form" {
    machines 2
    mkdir "$BATS_TEST_TMPDIR/bin"   # with an ssh for the host that is created
    ln -s /bin/false "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH ready
    local n
    go
    for n in 1 2; do
        api one.vm.backup i:$((999999 + n)) i:-1 b:0
        eventually has_images $n
    done
    rm "$FAKE/go"
    session=$(cat "$VMVAULT_VAR/one_auth")
    source=$(awk '$1 == "stored" && $2 == 1000000 { print $3 }' "$CALLS")
    replay
}

# methods: all that the service has
methods() { grep -hoP 'methods\["\Kone\.[a-z.]+' "$ROOT"/drivers/vmvaultd/lib/api_*.cc | sort -u; }

@test "each method of the core's is called, and each is described in share/doc/api.md" {
    [ "$(methods | wc -l)" -ge 50 ]
    diff <(methods | grep -v '^one\.vmvault\.') <(grep -oP '<methodName>\K[^<]+' "$COMMANDS" | sort -u)
    local method name object
    for method in $(methods); do
        object=${method%.*} name=${method##*.}
        # `one.a.first`, `second`: a row names the object once.
        grep -E "^\| .*\`$object\.[a-z]+\`" "$ROOT/share/doc/api.md" | cut -d '|' -f 2 | grep -qE "\`($object\.)?$name\`" ||
            { echo "$method is not described"; false; }
    done
}
