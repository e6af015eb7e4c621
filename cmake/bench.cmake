# Programs that measure.  Not built by default: `cmake --build BUILD --target train-speed`.
add_executable(train-speed EXCLUDE_FROM_ALL bench/train_speed.c)
target_link_libraries(train-speed PRIVATE bgpt_static)
