# weir_sanitize(<target>): instruments <target> and everything of this tree that links to it.
set(WEIR_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

function(weir_sanitize target)
  if(WEIR_SANITIZE STREQUAL "")
    return()
  endif()
  set(flags -fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer)
  if(WEIR_SANITIZE MATCHES "undefined")
    list(APPEND flags -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(${target} PUBLIC "$<BUILD_INTERFACE:${flags}>")
  target_link_options(${target} PUBLIC "$<BUILD_INTERFACE:${flags}>")
endfunction()
