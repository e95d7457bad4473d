# The console (web/), bundled by esbuild and compiled into the program. A program without it must be
# asked for: -DMAINSTAY_CONSOLE=OFF.

option(MAINSTAY_CONSOLE "Build the console into the program (needs nodejs, npm and esbuild)" ON)

# Adds the source that defines api::console_files() to a target.
function(console_files target)
  if(NOT MAINSTAY_CONSOLE)
    message(WARNING "MAINSTAY_CONSOLE is OFF: the program will serve no console at /")
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/api/console_none.cpp)
    return()
  endif()
  foreach(program node npm esbuild)
    find_program(MAINSTAY_${program} ${program})
    if(NOT MAINSTAY_${program})
      message(FATAL_ERROR "The console needs ${program}: apt-get install nodejs npm esbuild, "
        "or configure with -DMAINSTAY_CONSOLE=OFF")
    endif()
  endforeach()
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/web/index.html)
    message(FATAL_ERROR "web/ holds no console. Restore it, or configure with -DMAINSTAY_CONSOLE=OFF")
  endif()
  set(out ${CMAKE_BINARY_DIR}/console)
  add_custom_command(
    OUTPUT ${out}/console_files.cpp
    COMMAND ${MAINSTAY_node} ${PROJECT_SOURCE_DIR}/tools/console_pack.mjs
      ${PROJECT_SOURCE_DIR}/web ${out}
    DEPENDS ${PROJECT_SOURCE_DIR}/tools/console_pack.mjs ${PROJECT_SOURCE_DIR}/web/package-lock.json
    DEPFILE ${out}/console_files.d
    COMMENT "Bundling the console"
    VERBATIM)
  target_sources(${target} PRIVATE ${out}/console_files.cpp)
endfunction()
