# Every library that is not ours, by one name each. A component asks for them with LIBS.
find_package(Threads REQUIRED)

add_library(koi_third_party INTERFACE)
target_compile_definitions(koi_third_party INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
  BOOST_BEAST_SEPARATE_COMPILATION
  FMT_HEADER_ONLY SPDLOG_FMT_EXTERNAL)
target_link_libraries(koi_third_party INTERFACE Threads::Threads)

# The bodies of Asio and Beast, compiled once for the whole project.
add_library(koi_boost_split STATIC ${CMAKE_SOURCE_DIR}/cmake/boost_split.cc)
target_link_libraries(koi_boost_split PUBLIC koi_third_party ssl crypto)
target_compile_options(koi_boost_split PRIVATE -w)

# The main() of every test binary.
add_library(koi_doctest_main OBJECT ${CMAKE_SOURCE_DIR}/cmake/doctest_main.cc)
target_compile_options(koi_doctest_main PRIVATE -w)
