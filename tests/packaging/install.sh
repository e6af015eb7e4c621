#!/bin/sh
# The installed tree as a stranger finds it: install a finished build aside,
# move it, and build examples/hello.c against it by pkg-config and by CMake,
# with the shared and with the static library; run each.
#
#   tests/packaging/install.sh BUILD SCRATCH
#
# SCRATCH is emptied first; nothing is written anywhere else.
set -eu

[ $# = 2 ] || { echo "usage: install.sh BUILD SCRATCH" >&2; exit 2; }
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
scratch=$2
cc=${CC:-cc}

fail() { echo "install: $1" >&2; exit 1; }
step() { echo "-- $1"; }

case $scratch in */install-test) ;; *) fail "the scratch folder must be named install-test, so that nothing else is emptied by mistake" ;; esac
rm -rf "$scratch"
mkdir -p "$scratch/stage" "$scratch/consumer"
scratch=$(cd "$scratch" && pwd)

step "install into DESTDIR, then move the tree"
DESTDIR="$scratch/stage" cmake --install "$build" --prefix /opt/bgpt >"$scratch/install.log" || { cat "$scratch/install.log"; fail "cmake --install failed"; }
[ "$(ls "$scratch/stage")" = opt ] || fail "something was installed outside the prefix: $(ls "$scratch/stage")"
prefix=$scratch/moved
mv "$scratch/stage/opt/bgpt" "$prefix"
pc=$(find "$prefix" -name bgpt.pc)
[ -n "$pc" ] || fail "no bgpt.pc was installed"
libdir=$(dirname "$(dirname "$pc")")
for name in bin/bgpt include/bgpt.h share/man/man1/bgpt.1 share/man/man1/bgpt-train.1; do
    [ -f "$prefix/$name" ] || fail "$name was not installed"
done
for name in libbgpt.so libbgpt.so.0 libbgpt.a cmake/bgpt/bgptConfig.cmake cmake/bgpt/bgptConfigVersion.cmake; do
    [ -f "$libdir/$name" ] || fail "$name was not installed"
done
if grep -rlF -e "$source" "$pc" "$libdir/cmake"; then fail "the files above name the source folder"; fi

step "what the libraries show and ask for"
soname=$(LC_ALL=C objdump -p "$libdir/libbgpt.so" | awk '$1 == "SONAME" { print $2 }')
[ "$soname" = libbgpt.so.0 ] || fail "the SONAME is \"$soname\", not libbgpt.so.0"
nm -D --defined-only "$libdir/libbgpt.so" | awk '{ print $3 }' >"$scratch/exported"
if grep -v '^bgpt_' "$scratch/exported"; then fail "libbgpt.so exports the names above, which do not begin with bgpt_"; fi
# every function of the header, and nothing that the header does not have
sed -n 's/^BGPT_API [^(]*[ *]\(bgpt_[a-z0-9_]*\)(.*/\1/p' "$prefix/include/bgpt.h" | sort -u >"$scratch/declared"
sort -u "$scratch/exported" | diff "$scratch/declared" - || fail "declared in bgpt.h (<) and exported by libbgpt.so (>) differ"
if nm -g --defined-only "$libdir/libbgpt.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^(bg|bgpt)_/' | grep .; then
    fail "libbgpt.a defines the names above, which begin with neither bg_ nor bgpt_"
fi
# A library never prints, never exits, touches no signals ...
if nm -u "$libdir/libbgpt.a" 2>/dev/null | awk '{ print $NF }' |
    grep -xE '(__)?(v?f?printf|puts|fputs|putchar|perror|exit|_exit|abort|signal|sigaction|setenv|setlocale|srand|rand)(_chk)?' | sort | uniq -c | grep .; then
    fail "libbgpt.a calls the functions above, which a library must not"
fi
# ... and has no variables: constants lie in .rodata and .data.rel.ro.
if LC_ALL=C size -A "$libdir/libbgpt.a" | awk '/ex / || /:$/ { member = $1 } /^\.(t?data|t?bss)(\.[^r].*)? / && $2 > 0 { print member, $1, $2 }' | grep .; then
    fail "the objects above hold writable data"
fi

model=$source/tests/fixtures/micro/model.safetensors
file=$source/tests/fixtures/micro/files/p4031.abc
hello() { # program -> its output, checked
    "$1" "$model" "$file" >"$scratch/out" || fail "$1 failed"
    grep -q 'bits per byte' "$scratch/out" || { cat "$scratch/out"; fail "$1 printed no score"; }
    if [ -f "$scratch/first" ]; then
        cmp "$scratch/first" "$scratch/out" || fail "$1 printed something else than the first program"
    else
        cp "$scratch/out" "$scratch/first"
    fi
}

export PKG_CONFIG_PATH="$libdir/pkgconfig"
version=$(sed -n 's/^#define BGPT_VERSION_[A-Z]* //p' "$prefix/include/bgpt.h" | paste -s -d .)
[ "$(pkg-config --modversion bgpt)" = "$version" ] || fail "bgpt.pc says $(pkg-config --modversion bgpt), bgpt.h says $version"

step "pkg-config, shared"
$cc -Wall -Werror "$source/examples/hello.c" $(pkg-config --cflags --libs bgpt) -o "$scratch/hello-shared"
LD_LIBRARY_PATH=$libdir hello "$scratch/hello-shared"
LD_LIBRARY_PATH=$libdir ldd "$scratch/hello-shared" | grep -qF "$libdir/libbgpt.so.0" || fail "hello-shared does not use the installed libbgpt.so.0"

step "pkg-config, static"
$cc -Wall -Werror "$source/examples/hello.c" $(pkg-config --static --cflags --libs bgpt | sed 's/-lbgpt/-l:libbgpt.a/') -o "$scratch/hello-static"
hello "$scratch/hello-static"
if ldd "$scratch/hello-static" | grep libbgpt; then fail "hello-static uses the shared library"; fi

step "CMake package, shared and static"
cp "$source/tests/packaging/consumer.cmake" "$scratch/consumer/CMakeLists.txt"
cp "$source/examples/hello.c" "$scratch/consumer/"
{
    cmake -S "$scratch/consumer" -B "$scratch/consumer/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" &&
        cmake --build "$scratch/consumer/build"
} >"$scratch/consumer.log" 2>&1 || { cat "$scratch/consumer.log"; fail "the CMake package cannot be used"; }
hello "$scratch/consumer/build/hello-shared"
hello "$scratch/consumer/build/hello-static"
grep -qF "$prefix/" "$scratch/consumer/build/CMakeCache.txt" || fail "CMake did not take the package from $prefix"

step "the installed program"
"$prefix/bin/bgpt" version >"$scratch/out" || fail "bin/bgpt version failed"
grep -qF "$version" "$scratch/out" || { cat "$scratch/out"; fail "bin/bgpt says another version than bgpt.h"; }

cat "$scratch/first"
rm -rf "$scratch"
echo "install: all programs built against the installed tree agree"
