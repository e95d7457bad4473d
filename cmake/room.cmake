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
