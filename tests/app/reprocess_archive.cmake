# The example that processes an archived run again.
add_test(NAME app_reprocess_archive COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/reprocess_archive_test.sh"
         "$<TARGET_FILE_DIR:stills_process>")
set_tests_properties(app_reprocess_archive PROPERTIES LABELS app)
