#!/usr/bin/env bash
# Everything that has to pass before a release: what every change has to pass, then the large runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() {
  printf '\n== full: %s (at %d s)\n' "$1" "$SECONDS"
}

bash .ci/run

# The tests that take their counts from test/support/runs.ts, with 50 times as many cases.
mapfile -t properties < <(grep -rl --include='*.test.ts' 'support/runs\.js' test | sort)
if [ "${#properties[@]}" -eq 0 ]; then
  echo 'No test takes its count from test/support/runs.ts.' >&2
  exit 1
fi
step "${#properties[@]} files of property tests, 50 times as many cases"
HUBWIRE_RUNS=50 npx vitest run "${properties[@]}"

step 'every conformance case with all of its messages'
npm run --silent conformance -- --full

step 'every package written for ws that is tested, on packages/ws'
HUBWIRE_CONSUMERS=all npx vitest run --project consumers

step 'the quick benchmarks'
npm run --silent bench -- --quick

step 'all passed'
