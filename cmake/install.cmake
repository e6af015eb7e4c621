# What `cmake --install` lays down: the program, the library (shared and
# static), the header, a pkg-config file, a CMake package, pages and examples.
# Everything found at run or link time is found relative to itself, so an
# installed tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The shared library: the same objects as the static one.  Only what the
# header marks BGPT_API is visible (the project builds with hidden visibility).
# SOVERSION 0: while the version is 0.x the binary interface may change in any release.
add_library(bgpt_shared SHARED $<TARGET_OBJECTS:bgpt_objects>)
target_link_libraries(bgpt_shared PRIVATE Threads::Threads m PkgConfig::LIBZIP)
set_target_properties(bgpt_shared PROPERTIES OUTPUT_NAME bgpt VERSION ${PROJECT_VERSION} SOVERSION 0)
if(NOT BGPT_SANITIZE AND NOT BGPT_FUZZ) # the sanitizers' runtime is linked into the program, not here
  target_link_options(bgpt_shared PRIVATE LINKER:--no-undefined)
endif()

# An installed target must not point into the source folder.
foreach(target bgpt_shared bgpt_static)
  set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
    "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>;$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()
set_target_properties(bgpt_shared PROPERTIES EXPORT_NAME bgpt)
set_target_properties(bgpt_static PROPERTIES EXPORT_NAME static)

install(TARGETS bgpt_shared bgpt_static EXPORT bgptTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET bgpt)
  install(TARGETS bgpt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES include/bgpt.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# --- CMake package: find_package(bgpt), then bgpt::bgpt or bgpt::static -------
set(BGPT_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/bgpt)
configure_package_config_file(cmake/bgptConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/bgptConfig.cmake INSTALL_DESTINATION ${BGPT_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/bgptConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/bgptConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/bgptConfigVersion.cmake DESTINATION ${BGPT_CMAKE_DIR})
install(EXPORT bgptTargets NAMESPACE bgpt:: DESTINATION ${BGPT_CMAKE_DIR})

# --- pkg-config -----------------------------------------------------------------
# The prefix is given relative to the .pc file's own place.
file(RELATIVE_PATH BGPT_PC_UP ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" BGPT_PC_UP "${BGPT_PC_UP}")
configure_file(cmake/bgpt.pc.in bgpt.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/bgpt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# --- pages and examples ------------------------------------------------------------
# The program writes its pages itself, from its option tables, into BUILD/man.
if(TARGET bgpt AND NOT CMAKE_CROSSCOMPILING)
  add_custom_command(TARGET bgpt POST_BUILD VERBATIM
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cmake/man.sh $<TARGET_FILE:bgpt> ${CMAKE_CURRENT_BINARY_DIR}/man)
  install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
endif()
file(GLOB BGPT_DOCS CONFIGURE_DEPENDS README.md CHANGELOG.md LICENSE docs/*.md)
install(FILES ${BGPT_DOCS} DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES examples/hello.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

# --- checks of all this ---------------------------------------------------------------
if(BGPT_TESTS)
  enable_testing()
  add_test(NAME layers COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tests/layers.sh ${CMAKE_CURRENT_SOURCE_DIR})
  add_test(NAME docs COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tests/packaging/docs.sh ${CMAKE_CURRENT_SOURCE_DIR})
  # Programs outside the build would lack the sanitizers' runtime.
  if(TARGET bgpt AND NOT BGPT_SANITIZE AND NOT BGPT_FUZZ)
    add_test(NAME install COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tests/packaging/install.sh ${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/install-test)
    set_tests_properties(install PROPERTIES TIMEOUT 300 ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
  endif()
endif()
