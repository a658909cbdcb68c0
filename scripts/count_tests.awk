#!/usr/bin/awk -f
# SPDX-License-Identifier: Apache-2.0
# Reads ctest's LastTest.log and prints "N passed, N failed, N skipped"; exits 1 if any failed.
#
# Each case of a cmocka program counts, and each other test as one. A case that began and neither passed nor
# was skipped has failed, so that a crash is counted too; the same holds for a program that fails after
# its last case (a leak, a time limit).

function finish() {
    if (!open) return
    if (began == 0) {
        if (verdict == "Skipped") skipped++
        else if (verdict == "Passed") passed++
        else failed++
    } else {
        passed += good
        skipped += left_out
        bad = began - good - left_out
        if (bad == 0 && verdict != "Passed") bad = 1
        failed += bad
    }
    open = 0
}

/^[0-9]+\/[0-9]+ Testing: / { finish(); open = 1; began = good = left_out = summed = 0; verdict = "none" }
/^\[==========\] .* run\./  { summed = 1 }
/^\[ RUN      \]/           { if (!summed) began++ }
/^\[       OK \]/           { if (!summed) good++ }
/^\[  SKIPPED \]/           { if (!summed) left_out++ }
/^Test Passed\./            { verdict = "Passed" }
/^Test Skipped\./           { verdict = "Skipped" }
/^Test (Failed|timed out)/  { verdict = "Failed" }
END {
    finish()
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
}
