# What a user gets: the library, its headers, a CMake package and a pkg-config file; all of it can
# be moved to another place afterwards.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weir")
install(TARGETS weir EXPORT weir-targets FILE_SET HEADERS)
install(EXPORT weir-targets NAMESPACE weir:: DESTINATION "${package_dir}")

get_target_property(library_type weir TYPE)
if(library_type STREQUAL "STATIC_LIBRARY")
  set(WEIR_IS_STATIC ON)
else()
  set(WEIR_IS_STATIC OFF)
endif()

configure_package_config_file(cmake/weir-config.cmake.in weir-config.cmake
  INSTALL_DESTINATION "${package_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(weir-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/weir-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/weir-config-version.cmake"
  DESTINATION "${package_dir}")

install(FILES "${PROJECT_SOURCE_DIR}/scripts/weir-gdb.py"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/weir")

# pkg-config. A static libweir.a cannot name what it needs, so Libs must: plain `--libs` then
# links. The directories may be absolute; cmake_path keeps those as they are.
set(boost_libs "-lboost_context")
get_target_property(boost_file Boost::context LOCATION)
cmake_path(GET boost_file PARENT_PATH boost_dir)
if(NOT boost_dir IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
  string(PREPEND boost_libs "-L${boost_dir} ")
endif()
if(WEIR_IS_STATIC)
  set(WEIR_PC_LIBS "${boost_libs} -pthread")
  set(WEIR_PC_LIBS_PRIVATE "")
else()
  set(WEIR_PC_LIBS "-pthread")
  set(WEIR_PC_LIBS_PRIVATE "${boost_libs}")
endif()

set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${pc_dir}")
  set(WEIR_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH up "/prefix/${pc_dir}" "/prefix")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(WEIR_PC_PREFIX "\${pcfiledir}/${up}")
endif()
cmake_path(APPEND WEIR_PC_LIBDIR "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND WEIR_PC_INCLUDEDIR "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
configure_file(cmake/weir.pc.in weir.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/weir.pc" DESTINATION "${pc_dir}")
