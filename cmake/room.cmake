# One library per room. `room(net SOURCES a.cpp b.cpp USES base config LINKS OpenSSL::SSL)`.
# USES names rooms, LINKS names libraries; the include check in tests/lint holds the same table.

add_library(mainstay_options INTERFACE)
target_compile_options(mainstay_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -Wno-missing-field-initializers
  -fno-omit-frame-pointer
  $<$<CONFIG:Debug>:-g1>
  $<$<CONFIG:Release>:-O2 -g1 -ffunction-sections -fdata-sections>)
target_link_options(mainstay_options INTERFACE $<$<CONFIG:Release>:-Wl,--gc-sections>)
target_compile_definitions(mainstay_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
  BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC BOOST_ASIO_DISABLE_BOOST_ALIGN BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=0)
if(MAINSTAY_SANITIZE)
  target_compile_options(mainstay_options INTERFACE
    -O1 -fsanitize=${MAINSTAY_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(mainstay_options INTERFACE -fsanitize=${MAINSTAY_SANITIZE})
endif()
if(MAINSTAY_FUZZ)
  target_compile_options(mainstay_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_include_directories(mainstay_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_include_directories(mainstay_options SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})

# Release builds are laid out and inlined along counts of what runs often, which tools/profile takes.
# A function that has changed since is built as without them. "count" makes the build that counts.
set(MAINSTAY_PROFILE "use" CACHE STRING "use, count, or none")
set(profile ${PROJECT_SOURCE_DIR}/cmake/mainstay.profdata)
if(MAINSTAY_PROFILE STREQUAL "count")
  set(profile_options -fprofile-generate=${CMAKE_BINARY_DIR}/counts)
elseif(MAINSTAY_PROFILE STREQUAL "use" AND EXISTS ${profile}
    AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MAINSTAY_SANITIZE)
  # Under its digest, so that another profile builds everything anew.
  file(SHA256 ${profile} profile_digest)
  set(profile_used ${CMAKE_BINARY_DIR}/${profile_digest}.profdata)
  configure_file(${profile} ${profile_used} COPYONLY)
  set(profile_options -fprofile-use=${profile_used} -Wno-backend-plugin)
  target_link_options(mainstay_options INTERFACE -Wl,-z,keep-text-section-prefix)
endif()
if(profile_options)
  # Functions of one file are told apart by the file's short name: a checkout may lie anywhere.
  target_compile_options(mainstay_options INTERFACE
    ${profile_options} "SHELL:-mllvm -static-func-full-module-prefix=false")
  target_link_options(mainstay_options INTERFACE ${profile_options})
endif()

# The heavy headers, compiled once. Sources still include what they use.
add_library(mainstay_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(mainstay_pch PUBLIC mainstay_options nlohmann_json::nlohmann_json fmt::fmt
  PkgConfig::simdjson OpenSSL::SSL)
target_precompile_headers(mainstay_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)

function(mainstay_target name)
  target_link_libraries(${name} PUBLIC mainstay_options nlohmann_json::nlohmann_json fmt::fmt
    PkgConfig::simdjson Threads::Threads OpenSSL::SSL)
  target_precompile_headers(${name} REUSE_FROM mainstay_pch)
endfunction()

function(room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LINKS" ${ARGN})
  add_library(mainstay_${name} STATIC ${ROOM_SOURCES})
  mainstay_target(mainstay_${name})
  foreach(used ${ROOM_USES})
    target_link_libraries(mainstay_${name} PUBLIC mainstay_${used})
  endforeach()
  target_link_libraries(mainstay_${name} PUBLIC ${ROOM_LINKS})
endfunction()
