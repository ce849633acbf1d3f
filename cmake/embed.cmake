# Puts fixtures/ and scenarios/ into the binary: one assembler include for each file, and a table of names.
file(GLOB_RECURSE e8_embedded CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  fixtures/*.json scenarios/*.yaml scenarios/*.csv scenarios/scenario.schema.json)
list(FILTER e8_embedded EXCLUDE REGEX "^scenarios/cluster/") # for others than emit8
list(SORT e8_embedded)
set(e8_embed_decl "")
set(e8_embed_rows "")
set(e8_embed_deps "")
set(index 0)
foreach(path IN LISTS e8_embedded)
  string(APPEND e8_embed_decl
"__asm__(\".section .rodata\\n\"
        \".balign 16\\n\"
        \"e8_embed_${index}: .incbin \\\"${CMAKE_SOURCE_DIR}/${path}\\\"\\n\"
        \"e8_embed_${index}_end: .byte 0\\n\"
        \".previous\\n\");
extern const char e8_embed_${index}[], e8_embed_${index}_end[];
")
  string(APPEND e8_embed_rows "    {\"${path}\", e8_embed_${index}, e8_embed_${index}_end},\n")
  list(APPEND e8_embed_deps ${CMAKE_SOURCE_DIR}/${path})
  math(EXPR index "${index} + 1")
endforeach()
configure_file(${CMAKE_SOURCE_DIR}/cmake/embed.c.in ${CMAKE_BINARY_DIR}/embed.c @ONLY)
set_source_files_properties(${CMAKE_BINARY_DIR}/embed.c PROPERTIES OBJECT_DEPENDS "${e8_embed_deps}")
add_library(e8_embed STATIC ${CMAKE_BINARY_DIR}/embed.c)
target_link_libraries(e8_embed PUBLIC e8_flags)
