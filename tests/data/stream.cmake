# CrystFEL streams beside CrystFEL's own files.
kilobragg_test(data_stream_geometry SOURCES stream_geometry_test.cpp ROOMS io LABELS data)
