# Rows per second of the run ledger: batches as they come, images from shards.
kilobragg_bench(ledger SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/ledger_bench.cpp ROOMS report)
