#!/usr/bin/env bash
# run.sh <step> <source> <build> <cmake> <c++>: is a user of Weir, outside its tree. The steps:
#   install           puts the built library into a fresh prefix, then moves that prefix away
#   find_package      builds against the prefix with CMake
#   pkg_config        builds against the prefix with one plain compiler line
#   warnings          builds options as users write them, optimised; no warning may come
#   add_subdirectory  builds Weir's own source as a part of the user's project
set -euo pipefail

step=$1 source=$2 build=$3 cmake=$4 cxx=$5
prefix=$build/consumer/prefix
work=$build/consumer/$step

# The ten squares in any order, then the end.
check_output() {
  local output want
  output=$("$@")
  printf '%s\n' "$output"
  want=$(for i in 1 2 3 4 5 6 7 8 9 10; do echo "result: $((i * i))"; done | sort)
  if [[ $(grep '^result: ' <<<"$output" | sort) != "$want" ]]; then
    echo "run.sh: the results are not the ten squares" >&2
    return 1
  fi
  if [[ $(tail -n 1 <<<"$output") != "done: ok" ]]; then
    echo "run.sh: the last line is not 'done: ok'" >&2
    return 1
  fi
}

copy_project() {
  mkdir -p "$work"
  cp "$source/tests/consumer/CMakeLists.txt" "$work/CMakeLists.txt"
  cp "$source/examples/seed.cpp" "$work/main.cpp"
}

# Compiles and links one program with what pkg-config says, whose quoting is the shell's.
build_plainly() {
  local pc flags
  pc=$(find "$prefix" -name weir.pc)
  export PKG_CONFIG_PATH=${pc%/*}
  eval "flags=($(pkg-config --cflags --libs weir))"
  (set -x && "$cxx" -std=c++20 "$@" "${flags[@]}" -o "$work/consumer")
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir weir)
  export LD_LIBRARY_PATH
}

build_project() {
  "$cmake" -S "$work" -B "$work/build" -G Ninja -D CMAKE_CXX_COMPILER="$cxx" \
    -D CMAKE_BUILD_TYPE=Debug "$@"
  "$cmake" --build "$work/build" --target consumer --parallel 2
  check_output "$work/build/consumer"
}

case $step in
  install)
    staging=$build/consumer/staging
    rm -rf "$prefix" "$staging"
    "$cmake" --install "$build" --prefix "$staging"
    mv "$staging" "$prefix"  # nothing in it may remember where it was
    ;;
  find_package)
    rm -rf "$work"
    copy_project
    build_project -D CMAKE_PREFIX_PATH="$prefix"
    ;;
  add_subdirectory)
    copy_project
    # What is hidden in the user's project is not in Weir: a shared library of it would be empty.
    "$cmake" -S "$work" -B "$work/hidden" -G Ninja -D CMAKE_CXX_COMPILER="$cxx" \
      -D WEIR_SOURCE="$source" -D BUILD_SHARED_LIBS=ON -D CMAKE_CXX_VISIBILITY_PRESET=hidden \
      -D CMAKE_VISIBILITY_INLINES_HIDDEN=ON -D CMAKE_EXPORT_COMPILE_COMMANDS=ON
    if grep -E 'visibility.*hidden.* -c [^ ]*/src/(port|runtime|sync|pool)/' \
      "$work/hidden/compile_commands.json"; then
      echo "run.sh: Weir takes over what the user's project hides" >&2
      exit 1
    fi
    # With link-time optimisation, which must not lose what only assembly speaks of.
    build_project -D WEIR_SOURCE="$source" -D WEIR_UNITY=ON -D WEIR_PRECOMPILE=ON \
      -D CMAKE_BUILD_TYPE=Release -D CMAKE_INTERPROCEDURAL_OPTIMIZATION=ON
    ;;
  pkg_config)
    rm -rf "$work"
    copy_project
    build_plainly "$work/main.cpp"
    check_output "$work/consumer"
    ;;
  warnings)
    rm -rf "$work"
    mkdir -p "$work"
    build_plainly -O3 -Wall -Wextra -Werror "$source/tests/consumer/options.cpp"
    "$work/consumer"
    ;;
  *)
    echo "run.sh: unknown step '$step': see the list at its top" >&2
    exit 2
    ;;
esac
