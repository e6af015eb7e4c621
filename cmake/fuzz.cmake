# The libFuzzer targets: fuzz/fuzz_NAME.c is one program, fuzz/corpus/NAME its
# seeds.  With -DBGPT_FUZZ=ON (clang) the whole library is built for them: with
# coverage, AddressSanitizer and UndefinedBehaviourSanitizer.  The tests beside
# them run with that library.
if(BGPT_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "BGPT_FUZZ needs clang: add -DCMAKE_C_COMPILER=clang")
  endif()
  target_compile_options(bgpt_objects PRIVATE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # The kernels see no input's bytes but as numbers below 257, and clang takes
  # many minutes to instrument their unrolled loops (gcc does it: BGPT_SANITIZE).
  file(GLOB KERNELS CONFIGURE_DEPENDS ops/cpu/level_*.c)
  set_property(SOURCE ${KERNELS} APPEND PROPERTY COMPILE_OPTIONS "-fno-sanitize=all")
  target_link_options(bgpt_static INTERFACE -fsanitize=address,undefined)
  file(GLOB FUZZ_SOURCES CONFIGURE_DEPENDS fuzz/fuzz_*.c)
  file(GLOB FUZZ_SUPPORT CONFIGURE_DEPENDS fuzz/support*.c)
  foreach(source ${FUZZ_SOURCES})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source} ${FUZZ_SUPPORT})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
    target_link_libraries(${name} PRIVATE bgpt_static)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
  # of the program, not of the library
  target_sources(fuzz_abc PRIVATE prepare/abc.c prepare/abc_music.c prepare/journal.c)
  target_sources(fuzz_image PRIVATE prepare/bmp.c prepare/rows.c prepare/rows_bmp.c prepare/rows_pnm.c prepare/rows_png.c prepare/rows_vips.c)
  target_link_libraries(fuzz_image PRIVATE PkgConfig::LIBPNG)
endif()
