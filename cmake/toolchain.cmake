# Compiler flags that every target shares. Warnings are errors everywhere.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "koi is built with clang 19 (see docs/decisions/0001-toolchain.md); use a CMake preset")
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -ffunction-sections -fdata-sections -fstack-protector-strong
  # The same commit gives the same bytes wherever it is checked out.
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
  -ffile-prefix-map=${CMAKE_BINARY_DIR}/=build/)
add_link_options(-fuse-ld=lld-19 -Wl,--gc-sections -Wl,--build-id=sha1)

if(KOI_SANITIZE)
  add_compile_options(-fsanitize=${KOI_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KOI_SANITIZE})
elseif(KOI_STATIC)
  add_link_options(-static)
endif()

# Linking takes memory; two at a time is enough for any machine that koi is built on.
set_property(GLOBAL PROPERTY JOB_POOLS link=2)
set(CMAKE_JOB_POOL_LINK link)
