# SPDX-License-Identifier: Apache-2.0
# A backup of a real domain is held against what its disks were when they were read.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 $((64 * 1048576 + 1536))
    qemu-img create -q -f qcow2 b.qcow2 8M
    paused_start proof a.qcow2 b.qcow2
    disk_write proof 0 'write -P 3 0 9M'
    disk_write proof 1 'write -P 4 1M 1M'
    vmvault backup proof
    disk_write proof 0 'write -P 5 4M 5M'
    VMVAULT_EXPORT=copy vmvault backup proof
    disk_write proof 0 'write -P 6 1M 64k'
    vmvault backup proof
    repo=$(echo "$VMVAULT_VAR"/repo/*)
    export repo
    cp -r "$repo" good
    cp "$VMVAULT_VAR/state.db" good.db
}

teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf "$repo"
    cp -r good "$repo"
    rm -f "$VMVAULT_VAR"/state.db-*
    cp good.db "$VMVAULT_VAR/state.db"
}

repository() { restic --no-cache -q -r "$repo" -p "$VMVAULT_VAR/restic.password" "$@"; }
verify() { vmvault verify 1 --read-data "$@"; }
# snapshot N: of increment N
snapshot() { vmvault show 1 --json | jq -r ".increments[$1].source"; }
biggest_pack() { find "$repo/data" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2; }

# one_line_about WORD...: the last run failed, and said one line
one_line_about() {
    [ "$(grep -c '^vmvault: .*corrupt' <<<"$stderr")" -eq 1 ] || { echo "$stderr"; return 1; }
    local word
    for word; do [[ $stderr == *"$word"* ]] || { echo "$stderr"; return 1; }; done
}

@test "every increment is proven, whether its sums went into the snapshot or not" {
    run -0 verify --json
    [ "$(jq -c '[.corrupt, (.increments | map(.proven))]' <<<"${output/#*$'\n{'/\{}")" = '[false,[true,true,true]]' ]
    [ "$(vmvault list --json | jq '.[0].proven != null')" = true ]
    repository ls "$(snapshot 1)" | grep -q '/sums.0.1$'
    untouched proof
}

@test "the cheap check finds nothing wrong, and proves nothing" {
    run -0 vmvault verify 1
    [[ $output == *'3 restore points complete; their data was not read'* ]]
}

@test "the bytes of a pack are others" {
    local pack
    pack=$(biggest_pack)
    chmod u+w "$pack"
    tr '\0-\377' '\200-\377\0-\177' <"$pack" >"$BATS_TEST_TMPDIR/pack"  # each byte is another
    cp "$BATS_TEST_TMPDIR/pack" "$pack"
    run -1 --separate-stderr verify
    one_line_about 'image 1 is corrupt: increment ' ', disk ' ', offset '
    run -0 --separate-stderr vmvault list
    [[ $output == *CORRUPT* ]]
}

@test "a disk of a snapshot is another: its bytes are not what was backed up" {
    local dir id place=$BATS_TEST_TMPDIR/place
    dir=$(dirname "$(repository ls "$(snapshot 1)" | grep '/disk.0.1$')")
    mkdir -p "$place" "$dir"
    (cd "$place" && repository restore "$(snapshot 1)" --target .)
    printf X | dd of="$place$dir/disk.0.1" bs=1 seek=4300000 conv=notrunc status=none
    id=$(unshare -m bash -c "mount --bind '$place$dir' '$dir' && restic --no-cache --json -r '$repo' \
        -p '$VMVAULT_VAR/restic.password' backup '$dir'/*" | jq -r 'select(.snapshot_id).snapshot_id[0:8]')
    rmdir "$dir"
    python3 - "$VMVAULT_VAR/state.db" "$id" <<'PY'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: db.execute("UPDATE increments SET source = ? WHERE id = 1", sys.argv[2:])
PY
    # Nobody merges it.
    run -1 --separate-stderr vmvault flatten 1 --keep 1
    [[ $stderr == *'disk.0.1 is not what was backed up from offset 4194304 on'* ]]
    [ "$(vmvault show 1 --json | jq -r '[.state, (.increments | length)] | join(" ")')" = 'READY 3' ]
    run -1 --separate-stderr verify
    one_line_about 'increment 1, disk 0, offset 4194304' 'bytes 4194304 to ' 'disk.0.1 are not what was backed up'
    # A restore notices it on the way, and leaves nothing.
    run -1 --separate-stderr vmvault restore 1 --to "$BATS_TEST_TMPDIR/to"
    one_line_about 'disk.0.1 is not what was backed up from offset 4194304 on'
    [ ! -e "$BATS_TEST_TMPDIR/to" ]
    vmvault restore 1 --to "$BATS_TEST_TMPDIR/to" --increment 0
}

@test "a snapshot is gone" {
    local id
    id=$(snapshot 1)
    repository forget "$id"
    run -1 --separate-stderr vmvault verify 1
    one_line_about "$id is not in the repository"
}

# points WHAT: of all that there are, as JSON
points() { jq -c ".increments | map(.$1)" <<<"${output/#*$'\n{'/\{}"; }

@test "what a flatten has merged is proven, and merged again; what is stored with it is not of its increments" {
    vmvault flatten 1 --keep 2
    run -0 verify --json
    [ "$(points proven)" = '[true,true]' ]
    [ -z "$(ls -d "$VMVAULT_VAR"/merge.* 2>/dev/null)" ]
    run ! grep -q sums.0.1 <(repository ls "$(snapshot 0)")
    vmvault flatten 1 --keep 1
    run -0 verify --json
    [ "$(points proven)" = '[true]' ]
    # Its sums are those of the merged disk.
    python3 - "$VMVAULT_VAR/state.db" <<'PY'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("UPDATE sums SET sums = zeroblob(length(sums)) WHERE file = 'sums.1.2'")
PY
    run -1 --separate-stderr verify
    one_line_about 'disk 1, offset 0' 'disk.1.2 are not what was backed up'
}

@test "a merge of what has no checksums has none, and is not measured by those of its increments" {
    python3 - "$VMVAULT_VAR/state.db" <<'PY'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: db.execute("DELETE FROM sums WHERE file = 'sums.0.0'")
PY
    vmvault flatten 1 --keep 2
    run -0 verify --json
    [ "$(points checksums)" = '[false,false]' ]
    [ "$(jq -c '.increments[0].disks | map(.checksums)' <<<"${output/#*$'\n{'/\{}")" = '[false,true]' ]
}

@test "a merge was stored, and whoever asked for it killed: its checksums are not lost" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/bash
if [[ " \$* " == *' forget '* ]]; then
    kill -KILL "\$(cut -d' ' -f1 "$VMVAULT_VAR"/running/*.flatten)"
    exit 1
fi
PATH=\${PATH#*:} exec restic "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/bin/restic"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 vmvault flatten 1 --keep 2 3>&-
    vmvault flatten 1 --keep 2
    run -0 verify --json
    [ "$(points proven)" = '[true,true]' ]
}
