# The benchmark is run from the tree: bench/bench, or make bench.
EXTRA_DIST += bench/bench bench/density bench/figures.bash bench/measure bench/engine-times bench/nova bench/run-and-wire bench/request.c bench/timer.c
