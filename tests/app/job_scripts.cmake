# The job scripts of scripts/sbatch with stand-ins for Slurm's commands.
add_test(NAME app_job_scripts COMMAND bash "${PROJECT_SOURCE_DIR}/tests/slurm/job_scripts_test.sh")
set_tests_properties(app_job_scripts PROPERTIES LABELS app TIMEOUT 300)
