#include <string>

#include <doctest/doctest.h>

#include <tenon/version.hpp>

TEST_CASE("CMake's version is the header's") {
    CHECK(std::to_string(TENON_VERSION_MAJOR) + "." + std::to_string(TENON_VERSION_MINOR) + "." +
              std::to_string(TENON_VERSION_PATCH) ==
          TENON_CMAKE_VERSION);
}
