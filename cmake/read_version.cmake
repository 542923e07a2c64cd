# weir_read_version(<header> <variable>): "major.minor.patch" from the WEIR_VERSION_* macros of
# <header>, so that the version is written in one place only.
function(weir_read_version header variable)
  file(STRINGS "${header}" lines REGEX "^#define WEIR_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
  foreach(part IN ITEMS MAJOR MINOR PATCH)
    if(NOT lines MATCHES "WEIR_VERSION_${part} ([0-9]+)")
      message(FATAL_ERROR "${header}: WEIR_VERSION_${part} is missing: define it as a plain number")
    endif()
    list(APPEND version "${CMAKE_MATCH_1}")
  endforeach()
  list(JOIN version "." version)
  set(${variable} "${version}" PARENT_SCOPE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
endfunction()
