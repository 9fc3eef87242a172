# The benchmark is run from the tree: bench/bench.
