# SPDX-License-Identifier: Apache-2.0
# What the program is made from. Sourced by quickstart.sh and check.sh:
#
#     fovea_install build          to build and run it
#     fovea_install build check    to test it too
#
# Installs Debian packages if any is missing, and only then calls apt-get. On other systems, or without the
# right to install, it says what is missing; the caller goes on, and the build decides.

# use, Debian package, what shows that it is there (from wherever), what it is
fovea_needs() {
    cat <<'LIST'
build|gcc|command cc|a C compiler
build|libc6-dev|header stdio.h|the C library's headers
build|make|command make|make
build|cmake|command cmake|CMake, 3.20 or newer
build|pkg-config|command pkg-config|pkg-config
build|libyaml-dev|module yaml-0.1|libyaml, for configurations
build|libjansson-dev|module jansson|jansson, for JSON
build|libjpeg-dev|module libjpeg|libjpeg-turbo, for pictures
build|libpng-dev|module libpng|libpng, for pictures
build|zlib1g-dev|module zlib|zlib, for ImageNet's devkit
build|libhdf5-dev|module hdf5|HDF5, for checkpoints
build|libzip-dev|module libzip|libzip, for PyTorch's weights
build|libopenblas0|library libopenblas.so.0|OpenBLAS, for fully connected layers; loaded at run time
check|libcmocka-dev|module cmocka|cmocka, for the tests
check|python3|command python3|Python 3, for the layer check
check|git|command git|git, for the layer check
check|clang-format|command clang-format|clang-format 14, for the format check
lint|clang-tidy|command clang-tidy|clang-tidy 14
lint|libomp-dev|file /usr/lib/llvm-*/lib/clang/*/include/omp.h|OpenMP's header for clang
LIST
}

fovea_is_there() { # kind, name
    case $1 in
    command) command -v "$2" > /dev/null ;;
    header) echo "#include <$2>" | cc -E - > /dev/null 2>&1 ;;
    module) pkg-config --exists "$2" 2> /dev/null ;;
    file) compgen -G "$2" > /dev/null ;;
    library) ${LDCONFIG:-/sbin/ldconfig} -p 2> /dev/null | grep -q "$2" ;;
    esac
}

# Sets `packages` and `names` to what is missing for the uses given.
fovea_missing() {
    packages='' names=''
    local use package kind name text
    while IFS='|' read -r use package kind text; do
        case " $* " in *" $use "*) ;; *) continue ;; esac
        name=${kind#* } kind=${kind%% *}
        fovea_is_there "$kind" "$name" && continue
        packages="$packages $package"
        names="$names
    $text"
    done << LIST
$(fovea_needs)
LIST
}

fovea_apt() { # packages...
    local become=''
    [ "$(id -u)" -eq 0 ] || become='sudo'
    echo "installing: $*"
    export DEBIAN_FRONTEND=noninteractive
    # Lists that cannot be fetched may belong to a source that is not needed here.
    $become apt-get update -qq || true
    $become apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

# Ends with 1 if something is still missing; what that is has been said.
fovea_install() { # uses...
    local packages names
    fovea_missing "$@"
    [ -n "$packages" ] || return 0
    if ! command -v apt-get > /dev/null; then
        echo "missing here:$names" >&2
        echo "in Debian's packages these are:$packages" >&2
    elif [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
        echo "missing, and installing takes root or sudo:$names" >&2
        echo "ask somebody for:  apt-get install$packages" >&2
    else
        # shellcheck disable=SC2086
        (umask 022 && fovea_apt $packages) && return 0
        echo "apt-get could not install:$packages; missing are$names" >&2
    fi
    return 1
}

# Says so and ends with 1 if there is nothing to build with.
fovea_can_build() {
    local tool
    for tool in cmake "${CC:-cc}" pkg-config; do
        command -v "$tool" > /dev/null && continue
        echo "nothing can be built without $tool: install what is listed above, then start this again" >&2
        return 1
    done
}
