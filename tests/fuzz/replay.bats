# SPDX-License-Identifier: Apache-2.0
# What fuzzing has found interesting before is read without a crash.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    replay=$BUILD/tests/fuzz/replay
}

@test "every target has a corpus, and every corpus a target" {
    diff <("$replay" --list | sort) <(ls tests/fuzz/corpus)
}

@test "all of the corpus is read or refused" {
    for name in $("$replay" --list); do
        "$replay" "$name" tests/fuzz/corpus/"$name"/*
    done
}

@test "a target that there is not is no success" {
    run -2 "$replay" url
    run ! "$replay" nothing README.md
}
