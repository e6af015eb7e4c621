# CMake toolchain file: build for arm64 on another machine, run under emulation.
#
#   scripts/arm64-sysroot SYSROOT
#   cmake -S . -B build-arm64 --toolchain cmake/arm64.cmake -DBGPT_ARM64_SYSROOT=SYSROOT
#
# SYSROOT holds the arm64 libraries that bgpt links; compiler, C library headers
# and emulator are packages of the building machine (scripts/setup arm64).
# ctest runs every program by the emulator, at about a tenth of the speed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

# CMake reads this file again for each trial compilation.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BGPT_ARM64_SYSROOT)
if(NOT IS_DIRECTORY "${BGPT_ARM64_SYSROOT}/usr/lib/aarch64-linux-gnu")
  message(FATAL_ERROR "BGPT_ARM64_SYSROOT is '${BGPT_ARM64_SYSROOT}', which holds no arm64 libraries: scripts/arm64-sysroot makes such a folder")
endif()
get_filename_component(BGPT_ARM64_SYSROOT "${BGPT_ARM64_SYSROOT}" ABSOLUTE)

# The sysroot's packages and none of this machine's.
set(ENV{PKG_CONFIG_LIBDIR} "${BGPT_ARM64_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${BGPT_ARM64_SYSROOT}")
unset(ENV{PKG_CONFIG_PATH})
# OpenSSL keeps one header apart for each architecture, and pkg-config leaves system folders out.
string(APPEND CMAKE_C_FLAGS_INIT " -isystem ${BGPT_ARM64_SYSROOT}/usr/include/aarch64-linux-gnu")
# Libraries that our libraries need in turn.
foreach(folder lib usr/lib)
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,-rpath-link,${BGPT_ARM64_SYSROOT}/${folder}/aarch64-linux-gnu")
  string(APPEND CMAKE_SHARED_LINKER_FLAGS_INIT " -Wl,-rpath-link,${BGPT_ARM64_SYSROOT}/${folder}/aarch64-linux-gnu")
endforeach()

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;${BGPT_ARM64_SYSROOT})
