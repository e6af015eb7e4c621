# A stranger's project: the CMakeLists.txt that install.sh puts beside hello.c.
cmake_minimum_required(VERSION 3.18)
project(consumer LANGUAGES C)
find_package(bgpt 0.1 REQUIRED)
add_executable(hello-shared hello.c)
target_link_libraries(hello-shared bgpt::bgpt)
add_executable(hello-static hello.c)
target_link_libraries(hello-static bgpt::static)
