# Writes what COMMAND prints to OUTPUT: whole, or not at all.
get_filename_component(directory ${OUTPUT} DIRECTORY)
file(MAKE_DIRECTORY ${directory})
execute_process(COMMAND ${COMMAND} OUTPUT_FILE ${OUTPUT}.new RESULT_VARIABLE code TIMEOUT 30)
if(NOT code EQUAL 0)
  list(JOIN COMMAND " " shown)
  message(FATAL_ERROR "${shown}: ${code}")
endif()
file(RENAME ${OUTPUT}.new ${OUTPUT})
