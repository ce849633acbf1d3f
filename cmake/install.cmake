# cmake --install: the program, its manual page, completions, and as files what is built into it.
include(GNUInstallDirs)

install(TARGETS emit8 RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY fixtures scenarios DESTINATION ${CMAKE_INSTALL_DATADIR}/emit8
  FILES_MATCHING PATTERN "*.json" PATTERN "*.yaml" PATTERN "*.md")
install(FILES src/report/report.schema.json src/report/diff.schema.json src/results/results.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/emit8)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

# The program prints its own manual page and completions, from the tables that parse its command line. A program with a sanitizer,
# or one for another machine, is not run.
if(E8_SANITIZE OR CMAKE_CROSSCOMPILING)
  return()
endif()

set(e8_said "")
function(e8_say file destination)
  set(output ${CMAKE_BINARY_DIR}/said/${file})
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D "OUTPUT=${output}" -D "COMMAND=$<TARGET_FILE:emit8>;${ARGN}"
      -P ${CMAKE_SOURCE_DIR}/cmake/say.cmake
    DEPENDS emit8 ${CMAKE_SOURCE_DIR}/cmake/say.cmake
    COMMENT "Writing ${file}" VERBATIM)
  set(e8_said ${e8_said} ${output} PARENT_SCOPE)
  install(FILES ${output} DESTINATION ${destination})
endfunction()

e8_say(emit8 ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completion bash)
e8_say(_emit8 ${CMAKE_INSTALL_DATADIR}/zsh/site-functions completion zsh)
e8_say(emit8.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d completion fish)
e8_say(emit8.1 ${CMAKE_INSTALL_MANDIR}/man1 help --man)
add_custom_target(emit8_said ALL DEPENDS ${e8_said})
