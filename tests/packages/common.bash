# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the tutorials share. Expects TUTORIAL, the document.

# Writes to PATH stay in memory until it is unmounted.
private() { # PATH
    local layer
    layer=$(mktemp --directory /run/lab/packages.XXXXXX)
    chmod 755 "$layer"
    mkdir "$layer/upper" "$layer/work"
    chmod --reference="$1" "$layer/upper"
    mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" packages "$1"
}

# docker.io is the lab's own registry, for the engine and for skopeo, and has IMAGE.
registry_of_the_world() { # IMAGE
    local image=127.0.0.1:5000/library/$1
    "$LAB" registry "$LAB_DIR" >/dev/null
    "$LAB" image "$LAB_DIR" "$image"
    docker push --quiet "$image"
    docker rmi "$image" >/dev/null
    mkdir -p /etc/containers/registries.conf.d
    printf '[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:5000"\ninsecure = true\n' \
        >/etc/containers/registries.conf.d/lab.conf
    local daemon=$LAB_DIR/daemon.json
    jq '. + {"registry-mirrors": ["http://127.0.0.1:5000"]} | del(.runtimes)' "$daemon" >"$daemon.new"
    mv "$daemon.new" "$daemon"
    cp "$daemon" "$BATS_FILE_TMPDIR/daemon.json"
    kill -HUP "$(cat /run/docker.pid)"
}

# The blocks of the tutorial, in order, as shell functions would be: "KIND<TAB>COMMANDS…<NUL>".
blocks() {
    awk '/^```sh / { kind = $2; text = ""; inside = 1; next }
         /^```$/ && inside { printf "%s\t%s%c", kind, text, 0; inside = 0; next }
         inside { text = text $0 "\n" }' "$TUTORIAL"
}
