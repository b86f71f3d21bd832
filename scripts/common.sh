# What the scripts here share; sourced, not run. Leaves the caller in the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_dir=${GRIMACE_BUILD_DIR:-build}
cores=$(nproc)

# OpenMP threads that wait by spinning take the cores from those that work, which makes two programs
# at once (tests, decoding beside training) several times slower.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
