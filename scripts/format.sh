#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Brings all C sources into shape; with --check says what is out of shape and exits 1.
# Other versions than Debian 12's break lines elsewhere: then it exits 77, which ctest takes for "skipped".
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=14
clang_format=$(command -v clang-format-$wanted || command -v clang-format) || {
    echo "format: no clang-format: install version $wanted" >&2
    exit 77
}
$clang_format --version | grep -q "version $wanted\." || {
    echo "format: this needs clang-format $wanted, not $($clang_format --version)" >&2
    exit 77
}
case ${1-} in
--check) find . -name 'build*' -prune -o -name '*.[ch]' -print0 | xargs -0 "$clang_format" --dry-run -Werror ;;
'') find . -name 'build*' -prune -o -name '*.[ch]' -print0 | xargs -0 "$clang_format" -i ;;
*)
    echo 'usage: scripts/format.sh [--check]' >&2
    exit 2
    ;;
esac
