#include <string>

#include <doctest/doctest.h>

#include <tenon/core/isa.hpp>

TEST_CASE("the instruction set is the one this file is compiled for") {
    CHECK(std::string(tenon::detail::isa_name) == TENON_TEST_ISA);
}
