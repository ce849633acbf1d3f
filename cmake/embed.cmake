# Puts fixtures/, scenarios/, what pages are made of (src/MODULE/web/, named MODULE/web/…) and the chart library
# (named web/chart.js) into the binary: one assembler include for each file, and a table of names.
find_file(CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js /usr/share/javascript/chartjs PATH_SUFFIXES javascript/chart.js
  REQUIRED)
file(GLOB_RECURSE e8_embedded CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  fixtures/*.json scenarios/*.yaml scenarios/*.csv scenarios/scenario.schema.json src/*/web/*)
list(FILTER e8_embedded EXCLUDE REGEX "^scenarios/cluster/") # for others than emit8
list(APPEND e8_embedded ${CHART_JS})
list(SORT e8_embedded)
set(e8_embed_decl "")
set(e8_embed_rows "")
set(e8_embed_deps "")
set(index 0)
foreach(path IN LISTS e8_embedded)
  cmake_path(ABSOLUTE_PATH path BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE file)
  string(REGEX REPLACE "^src/" "" name ${path})
  if(path STREQUAL CHART_JS)
    set(name web/chart.js)
  endif()
  string(APPEND e8_embed_decl
"__asm__(\".section .rodata\\n\"
        \".balign 16\\n\"
        \"e8_embed_${index}: .incbin \\\"${file}\\\"\\n\"
        \"e8_embed_${index}_end: .byte 0\\n\"
        \".previous\\n\");
extern const char e8_embed_${index}[], e8_embed_${index}_end[];
")
  string(APPEND e8_embed_rows "    {\"${name}\", e8_embed_${index}, e8_embed_${index}_end},\n")
  list(APPEND e8_embed_deps ${file})
  math(EXPR index "${index} + 1")
endforeach()
configure_file(${CMAKE_SOURCE_DIR}/cmake/embed.c.in ${CMAKE_BINARY_DIR}/embed.c @ONLY)
set_source_files_properties(${CMAKE_BINARY_DIR}/embed.c PROPERTIES OBJECT_DEPENDS "${e8_embed_deps}")
add_library(e8_embed STATIC ${CMAKE_BINARY_DIR}/embed.c)
target_link_libraries(e8_embed PUBLIC e8_flags)
set_target_properties(e8_embed PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF) # its assembler is not to be split from its C
