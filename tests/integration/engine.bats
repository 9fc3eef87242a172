#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The engine client by itself, on the lab's engine: tests/live/engine_live, which `make check
# TESTS=` builds. VMDOCK_BUILD is the folder of the build.

load helpers

setup_file() {
    lab_ready
}

@test "every verb of the engine client, pulls and credentials included, on a live engine" {
    local program=${VMDOCK_BUILD:?}/tests/live/engine_live
    "$LAB" registry "$LAB_DIR" --port 5060 >/dev/null
    "$LAB" registry "$LAB_DIR" --port 5061 --password >/dev/null
    VMDOCK_TEST_SOCKET=/run/docker.sock VMDOCK_TEST_REGISTRY=127.0.0.1:5060 \
        VMDOCK_TEST_AUTH_REGISTRY=127.0.0.1:5061 run "$program"
    echo "$output"
    [ "$status" -eq 0 ]
    has_not "$output" "not ok"
    has_not "$output" "SKIP"
    [ "$(grep -c '^ok' <<<"$output")" -ge 19 ]
}
