# weir_warnings(<target>): our warnings on our own code; never passed on to users.
option(WEIR_WERROR "Treat warnings in Weir's own code as errors" OFF)

function(weir_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wthread-safety>
    $<$<BOOL:${WEIR_WERROR}>:-Werror>)
endfunction()
